"""Counted allocation; the contract is in memory/alloc.pxd.

A block carries no header of ours: the C library says how large it is (malloc_usable_size), which is
also what it really takes.
"""
cimport cython
from libc.stdint cimport SIZE_MAX, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc

from urpo_store.engine.memory.atomics cimport add_relaxed, sub_relaxed
from urpo_store.engine.memory.status cimport NO_MEMORY, OK

cdef extern from "malloc.h" nogil:
    size_t malloc_usable_size(void *block)


cdef void account_init(Account *account, Account *whole) noexcept nogil:
    account.whole = whole
    account.bytes = 0
    account.calls = 0
    account.fail_at = 0


cdef inline bint must_fail(Account *account) noexcept nogil:
    # Relaxed: the counters order nothing, they only count.
    cdef Account *counted = account.whole if account.whole != NULL else account
    cdef uint64_t call = add_relaxed(&counted.calls, 1) + 1
    return call == counted.fail_at


cdef inline void add_block(Account *account, void *block) noexcept nogil:
    cdef size_t size = malloc_usable_size(block)
    add_relaxed(&account.bytes, size)
    if account.whole != NULL:
        add_relaxed(&account.whole.bytes, size)


cdef inline void subtract(Account *account, size_t size) noexcept nogil:
    sub_relaxed(&account.bytes, size)
    if account.whole != NULL:
        sub_relaxed(&account.whole.bytes, size)


cdef void *mem_alloc(Account *account, size_t size) noexcept nogil:
    cdef void *block
    if must_fail(account):
        return NULL
    block = malloc(size if size else 1)
    if block != NULL:
        add_block(account, block)
    return block


cdef void *mem_calloc(Account *account, size_t size) noexcept nogil:
    # calloc of a large block takes zeroed pages from the system, which cost nothing until touched.
    cdef void *block
    if must_fail(account):
        return NULL
    block = calloc(1, size if size else 1)
    if block != NULL:
        add_block(account, block)
    return block


cdef void *mem_realloc(Account *account, void *block, size_t size) noexcept nogil:
    cdef size_t before
    cdef void *moved
    if block == NULL:
        return mem_alloc(account, size)
    if must_fail(account):
        return NULL
    before = malloc_usable_size(block)
    moved = realloc(block, size if size else 1)
    if moved != NULL:
        add_block(account, moved)
        subtract(account, before)
    return moved


cdef void mem_free(Account *account, void *block) noexcept nogil:
    if block != NULL:
        subtract(account, malloc_usable_size(block))
        free(block)


@cython.cdivision(True)
cdef int mem_grow(
    Account *account, void **items, size_t *capacity, size_t needed, size_t size
) noexcept nogil:
    cdef size_t wanted = capacity[0]
    cdef void *moved
    if needed <= wanted:
        return OK
    if needed > SIZE_MAX // 2 // size:
        return NO_MEMORY
    if wanted < 8:
        wanted = 8
    while wanted < needed:
        wanted *= 2
    moved = mem_realloc(account, items[0], wanted * size)
    if moved == NULL:
        return NO_MEMORY
    items[0] = moved
    capacity[0] = wanted
    return OK
