# The engine's memory, counted.
#
# Every byte that the engine owns comes from here, so that `memory_limit` limits something real.
#
# Invariants
# (1) `bytes` is what malloc_usable_size says of all blocks of the account, together.
# (2) A call that fails has changed nothing.
# (3) Any thread may call any function at any time; none takes a lock.
#
# REQUIRES of mem_realloc and mem_free: the block came from the same account.
from libc.stdint cimport uint64_t

cdef struct Account:
    Account *whole              # the account that this one is a part of; its bytes and calls are
                                # counted there too. NULL: none. Constant
    uint64_t bytes              # atomic: usable bytes owned now; written by every mem_* call
    uint64_t calls              # atomic: allocations asked for so far; a part leaves it at 0
    uint64_t fail_at            # for tests: the number of the call that fails; 0: none. Of a part,
                                # the whole's counts. Written while no other thread is in a call

cdef void account_init(Account *account, Account *whole) noexcept nogil
# NULL: no memory.
cdef void *mem_alloc(Account *account, size_t size) noexcept nogil
cdef void *mem_calloc(Account *account, size_t size) noexcept nogil
# NULL: no memory; the old block stays valid.
cdef void *mem_realloc(Account *account, void *block, size_t size) noexcept nogil
# Of NULL: does nothing.
cdef void mem_free(Account *account, void *block) noexcept nogil
# Makes room for `needed` items of `size` bytes in a growing array, which doubles and never shrinks.
# OK, or NO_MEMORY.
cdef int mem_grow(
    Account *account, void **items, size_t *capacity, size_t needed, size_t size
) noexcept nogil
