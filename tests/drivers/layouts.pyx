"""A table of layouts, driven from Python: for tests."""
cimport cython
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account, account_init
from urpo_store.engine.memory.epoch cimport Epochs, epoch_reclaim, epochs_destroy, epochs_init
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.chunks.layout cimport (
    Layout, LayoutTable, layout_data, layout_get, layout_intern, layout_release,
    layout_table_destroy, layout_table_init,
)


@cython.final
@cython.auto_pickle(False)
cdef class Layouts:
    """A layout is named by its number. The n-th allocation from now on fails after `fail_at(n)`."""
    cdef Account account
    cdef Epochs epochs
    cdef LayoutTable table

    def __cinit__(self):
        account_init(&self.account, NULL)
        if epochs_init(&self.epochs, &self.account) != OK:
            raise MemoryError("no memory for epochs")
        layout_table_init(&self.table, &self.account, &self.epochs)

    def close(self):
        """Frees everything; returns the bytes that are still owned then, which should be 0."""
        layout_table_destroy(&self.table)
        epochs_destroy(&self.epochs)
        return self.account.bytes

    def intern(self, words, uint32_t row_words):
        cdef bytes block = b"".join(word.to_bytes(8, "little") for word in words)
        cdef Layout *layout = layout_intern(
            &self.table, <uint32_t>len(words), row_words, <uint64_t *><char *>block)
        if layout == NULL:
            raise MemoryError("no memory for a layout")
        return layout.id

    def release(self, uint32_t id):
        layout_release(&self.table, layout_get(&self.table, id))
        epoch_reclaim(&self.epochs)

    def get(self, uint32_t id):
        """(words, row words, references), or None."""
        cdef const Layout *layout = layout_get(&self.table, id)
        if layout == NULL:
            return None
        words = tuple([layout_data(layout)[i] for i in range(layout.layout_words)])
        return words, layout.row_words, layout.references

    @property
    def count(self):
        return self.table.count

    def fail_at(self, uint64_t n):
        self.account.fail_at = self.account.calls + n if n else 0
