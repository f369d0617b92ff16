"""Counted allocation; the contract is in alloc.pxd.

The size of a block is asked of the C library (malloc_usable_size), so that blocks carry no header
of ours and the account counts what is really taken.
"""
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc

from urpo_store.engine.atomics cimport add_relaxed, load_relaxed, store_relaxed, sub_relaxed

cdef extern from "malloc.h" nogil:
    size_t malloc_usable_size(void *block)


cdef void account_init(Account *account) noexcept nogil:
    account.bytes = 0
    account.calls = 0
    account.fail_at = 0


cdef inline bint must_fail(Account *account) noexcept nogil:
    # Relaxed: the counters order nothing, they only count.
    cdef uint64_t call = add_relaxed(&account.calls, 1) + 1
    return call == account.fail_at


cdef void *mem_alloc(Account *account, size_t size) noexcept nogil:
    cdef void *block
    if must_fail(account):
        return NULL
    block = malloc(size if size else 1)
    if block != NULL:
        add_relaxed(&account.bytes, malloc_usable_size(block))
    return block


cdef void *mem_calloc(Account *account, size_t size) noexcept nogil:
    # The system's own zeros: a large block costs no memory before it is touched.
    cdef void *block
    if must_fail(account):
        return NULL
    block = calloc(1, size if size else 1)
    if block != NULL:
        add_relaxed(&account.bytes, malloc_usable_size(block))
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
        add_relaxed(&account.bytes, malloc_usable_size(moved))
        sub_relaxed(&account.bytes, before)
    return moved


cdef void mem_free(Account *account, void *block) noexcept nogil:
    if block != NULL:
        sub_relaxed(&account.bytes, malloc_usable_size(block))
        free(block)


cdef int mem_grow(Account *account, void **items, size_t *capacity, size_t needed, size_t size) noexcept nogil:
    cdef size_t wanted = capacity[0]
    cdef void *moved
    if needed <= wanted:
        return 0
    if wanted < 8:
        wanted = 8
    while wanted < needed:
        wanted *= 2
    moved = mem_realloc(account, items[0], wanted * size)
    if moved == NULL:
        return -1
    items[0] = moved
    capacity[0] = wanted
    return 0
