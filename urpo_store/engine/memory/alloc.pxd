# The engine's memory, counted.
#
# Every byte the engine owns comes from here, so that `memory_limit` is about something real.
# A function that returns NULL has changed nothing. Thread-safe; no lock.
from libc.stdint cimport uint64_t

cdef struct Account:
    Account *whole              # what this one is a part of, counted there too; NULL: none. Constant
    uint64_t bytes              # atomic: usable bytes now owned; written by every mem_* call
    uint64_t calls              # atomic: allocations asked for so far
    uint64_t fail_at            # the number of the call that returns NULL (tests); 0 never. Of a
                                # part, the whole's counts. Written by tests, while nobody else is in

cdef void account_init(Account *account, Account *whole) noexcept nogil
cdef void *mem_alloc(Account *account, size_t size) noexcept nogil
cdef void *mem_calloc(Account *account, size_t size) noexcept nogil
# On NULL the old block stays valid.
cdef void *mem_realloc(Account *account, void *block, size_t size) noexcept nogil
cdef void mem_free(Account *account, void *block) noexcept nogil
# Makes room for `needed` items of `size` bytes in a growing array: doubles, never shrinks.
# Returns 0, or -1 when there is no memory (the array is as before).
cdef int mem_grow(Account *account, void **items, size_t *capacity, size_t needed, size_t size) noexcept nogil
