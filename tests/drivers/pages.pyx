"""A root of pages, through which tests drive identity/pages."""
cimport cython
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account, account_init
from urpo_store.engine.memory.atomics cimport load_relaxed
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.identity.pages cimport (
    ID_LIMIT, page_get, page_make, page_put, pages_free, pages_new,
)


@cython.final
cdef class Pages:
    """Numbers by id: an address that is never followed stands for each.

    MemoryError if the root is the allocation that fails, `fail_at`, counted from 1; 0: none fails.
    """
    cdef Account account
    cdef void **root

    def __cinit__(self, *, uint64_t fail_at=0):
        account_init(&self.account, NULL)
        self.account.fail_at = fail_at
        self.root = pages_new(&self.account)
        if self.root == NULL:
            raise MemoryError("no memory for the root")

    def __dealloc__(self):
        pages_free(&self.account, self.root)

    def put(self, uint32_t id, size_t number):
        """Whether there was memory for the page."""
        if not 0 < id < ID_LIMIT:
            raise ValueError(f"{id} is no id")
        if page_make(&self.account, self.root, id) != OK:
            return False
        page_put(self.root, id, <void *>number)
        return True

    def get(self, uint32_t id):
        """The number that has this id; 0 if none has."""
        if not 0 <= id < ID_LIMIT:
            raise ValueError(f"{id} is no id")
        return <size_t>page_get(self.root, id)

    def close(self):
        """Frees root and pages; returns the bytes that are still owned then."""
        pages_free(&self.account, self.root)
        self.root = NULL
        return load_relaxed(&self.account.bytes)

    @property
    def bytes(self):
        """Bytes owned."""
        return load_relaxed(&self.account.bytes)
