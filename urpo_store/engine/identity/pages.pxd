# Pages: from an id to the address of what has it, without a lock.
#
# A root of PAGES pointers to pages of PAGE pointers each. Neither ever moves, so a reader needs no
# lock: it sees NULL, or what was put there complete.
#
# Invariants
# (1) Ids run from 1 to ID_LIMIT - 1; 0 is no id.
# (2) Root, pages and what stands in them are published by release, and read by acquire.
# (3) A page, once made, stays until the root is freed.
#
# Pages are made, and things put there, under the lock of the table that owns the root.
from libc.stdint cimport uint32_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport load_ptr_acquire, store_ptr_release

cdef enum:
    PAGE = 4096
    PAGES = 4096
    ID_LIMIT = 1 << 24          # PAGE * PAGES

# An empty root; NULL: no memory.
cdef void **pages_new(Account *account) noexcept nogil
# The root and its pages, not what stands there. Of NULL: does nothing.
cdef void pages_free(Account *account, void **root) noexcept nogil
# Makes the page of an id, unless it is there. OK, or NO_MEMORY.
# REQUIRES: id < ID_LIMIT.
cdef int page_make(Account *account, void **root, uint32_t id) noexcept nogil


# NULL: nothing has this id.
# REQUIRES: id < ID_LIMIT.
cdef inline void *page_get(void **root, uint32_t id) noexcept nogil:
    cdef void **page = <void **>load_ptr_acquire(&root[id // PAGE])
    return load_ptr_acquire(&page[id % PAGE]) if page != NULL else NULL


# REQUIRES: page_make of this id returned OK.
cdef inline void page_put(void **root, uint32_t id, void *item) noexcept nogil:
    store_ptr_release(&(<void **>root[id // PAGE])[id % PAGE], item)
