"""Counted allocation; the contract is in memory/alloc.pxd.

The size of a block is asked of the C library (malloc_usable_size), so that blocks carry no header
of ours and the account counts what is really taken.
"""
cimport cython
from libc.stdint cimport SIZE_MAX, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

from urpo_store.engine.memory.atomics cimport add_relaxed, load_relaxed, sub_relaxed

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


cdef inline void taken(Account *account, void *block) noexcept nogil:
    cdef size_t size = malloc_usable_size(block)
    add_relaxed(&account.bytes, size)
    if account.whole != NULL:
        add_relaxed(&account.whole.bytes, size)


cdef inline void given_back(Account *account, size_t size) noexcept nogil:
    sub_relaxed(&account.bytes, size)
    if account.whole != NULL:
        sub_relaxed(&account.whole.bytes, size)


cdef void *mem_alloc(Account *account, size_t size) noexcept nogil:
    cdef void *block
    if must_fail(account):
        return NULL
    block = malloc(size if size else 1)
    if block != NULL:
        taken(account, block)
    return block


cdef void *mem_calloc(Account *account, size_t size) noexcept nogil:
    # The system's own zeros: a large block costs no memory before it is touched.
    cdef void *block
    if must_fail(account):
        return NULL
    block = calloc(1, size if size else 1)
    if block != NULL:
        taken(account, block)
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
        taken(account, moved)
        given_back(account, before)
    return moved


cdef void mem_free(Account *account, void *block) noexcept nogil:
    if block != NULL:
        given_back(account, malloc_usable_size(block))
        free(block)


@cython.cdivision(True)
cdef int mem_grow(Account *account, void **items, size_t *capacity, size_t needed, size_t size) noexcept nogil:
    cdef size_t wanted = capacity[0]
    cdef void *moved
    if needed <= wanted:
        return 0
    if needed > SIZE_MAX // 2 // size:
        return -1
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


# ---- for tests --------------------------------------------------------------------------------------

@cython.final
cdef class CountedBlocks:
    """Blocks of memory by number, through which tests drive this module.

    :param fail_at: the allocation that fails, counted from 1; 0 for none.
    """
    cdef Account account
    cdef void *blocks[64]
    cdef size_t capacity            # of block 0, in items, when it grows

    def __cinit__(self, *, uint64_t fail_at=0):
        account_init(&self.account, NULL)
        self.account.fail_at = fail_at

    def __dealloc__(self):
        for block in self.blocks:
            mem_free(&self.account, block)

    def alloc(self, unsigned int number, size_t size):
        """Whether there was memory for block `number`."""
        self.blocks[number % 64] = mem_alloc(&self.account, size)
        return self.blocks[number % 64] != NULL

    def calloc(self, unsigned int number, size_t size):
        """The bytes of block `number` as they came, or None."""
        cdef void *block = mem_calloc(&self.account, size)
        self.blocks[number % 64] = block
        return None if block == NULL else (<char *>block)[:size]

    def realloc(self, unsigned int number, size_t size):
        """Whether there was memory for another size; if not, the block is as before."""
        cdef void *moved = mem_realloc(&self.account, self.blocks[number % 64], size)
        if moved != NULL:
            self.blocks[number % 64] = moved
        return moved != NULL

    def free(self, unsigned int number):
        """Gives block `number` back; nothing if there is none."""
        mem_free(&self.account, self.blocks[number % 64])
        self.blocks[number % 64] = NULL

    def grow(self, size_t needed, size_t size):
        """Grows block 0 to `needed` items of `size` bytes: its capacity in items, or None."""
        if mem_grow(&self.account, &self.blocks[0], &self.capacity, needed, size) != 0:
            return None
        return self.capacity

    def fill(self, unsigned int number, bytes content not None):
        """Writes to the begin of a block."""
        memcpy(self.blocks[number % 64], <char *>content, len(content))

    def content(self, unsigned int number, size_t size):
        """The first `size` bytes of a block."""
        return (<char *>self.blocks[number % 64])[:size]

    @property
    def bytes(self):
        """Bytes owned."""
        return load_relaxed(&self.account.bytes)

    @property
    def calls(self):
        """Allocations asked for."""
        return load_relaxed(&self.account.calls)
