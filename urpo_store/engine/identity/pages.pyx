"""Pages; the contract is in identity/pages.pxd."""
from urpo_store.engine.memory.alloc cimport mem_calloc, mem_free
from urpo_store.engine.memory.status cimport NO_MEMORY, OK


cdef void **pages_new(Account *account) noexcept nogil:
    return <void **>mem_calloc(account, PAGES * sizeof(void *))


cdef void pages_free(Account *account, void **root) noexcept nogil:
    cdef size_t i
    if root != NULL:
        for i in range(PAGES):
            mem_free(account, root[i])
        mem_free(account, root)


cdef int page_make(Account *account, void **root, uint32_t id) noexcept nogil:
    cdef void *page
    if root[id // PAGE] == NULL:
        page = mem_calloc(account, PAGE * sizeof(void *))
        if page == NULL:
            return NO_MEMORY
        store_ptr_release(&root[id // PAGE], page)
    return OK
