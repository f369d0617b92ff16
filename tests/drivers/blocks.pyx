"""Blocks of memory by number, through which tests drive memory/alloc."""
cimport cython
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from urpo_store.engine.memory.alloc cimport (
    Account, account_init, mem_alloc, mem_calloc, mem_free, mem_grow, mem_realloc,
)
from urpo_store.engine.memory.atomics cimport load_relaxed
from urpo_store.engine.memory.status cimport OK


@cython.final
cdef class CountedBlocks:
    """64 blocks of one account.

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
        """Frees block `number`, if there is one."""
        mem_free(&self.account, self.blocks[number % 64])
        self.blocks[number % 64] = NULL

    def grow(self, size_t needed, size_t size):
        """Grows block 0 to `needed` items of `size` bytes: its capacity in items, or None."""
        if mem_grow(&self.account, &self.blocks[0], &self.capacity, needed, size) != OK:
            return None
        return self.capacity

    def fill(self, unsigned int number, bytes content not None):
        """Writes to the beginning of a block."""
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
