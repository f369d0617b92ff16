# Layouts: what the points of a chunk share besides their clock. The bounds of histograms, the
# quantiles of summaries, the bucket ranges of exponential histograms (points/slots.pxd).
#
# Each is stored once: consecutive chunks of a series, and series alike, refer to the same one. A
# chunk names its layout by number, so its bytes hold no pointer.
#
# Invariants
# (1) The table is read and written under the drain lock.
# (2) A layout's words, sizes and number never change. Its references are written under the lock.
# (3) A layout without references is unlinked under the lock and retired through epochs. A reader
#     that looked it up under the lock may read it as long as it stays in its epoch.
# (4) A number is given again only after its layout has left the table.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.chunks.types cimport Layout, LayoutTable

cdef inline const uint64_t *layout_data(const Layout *layout) noexcept nogil:
    return <const uint64_t *>(layout + 1)


cdef inline Layout *layout_get(const LayoutTable *table, uint32_t id) noexcept nogil:
    """The layout of that number, or NULL if there is none."""
    return table.by_id[id] if id < table.id_end else NULL


cdef void layout_table_init(LayoutTable *table, Account *account, Epochs *epochs) noexcept nogil
cdef void layout_table_destroy(LayoutTable *table) noexcept nogil
# The layout of these words, with one more reference. NULL: no memory.
cdef Layout *layout_intern(
    LayoutTable *table, uint32_t layout_words, uint32_t row_words, const uint64_t *words
) noexcept nogil
# Gives one reference back. NULL is allowed.
cdef void layout_release(LayoutTable *table, Layout *layout) noexcept nogil
