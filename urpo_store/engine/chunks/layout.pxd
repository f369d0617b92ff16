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

cdef struct Layout:
    Layout *next                # of the same bucket
    uint64_t references         # chunks, tails and full tails
    uint32_t hash
    uint32_t layout_words, row_words
    uint32_t id                 # its number, from 1
    # layout_words words follow

cdef struct LayoutTable:
    Account *account
    Epochs *epochs
    Layout **buckets            # by hash
    size_t size                 # of buckets: a power of two, 0 at first
    size_t count                # layouts in the table
    Layout **by_id              # by number; NULL where free
    size_t id_end, id_capacity  # numbers given so far are below id_end
    uint32_t *free_ids          # numbers below id_end that are free; room for all of them
    size_t free_count, free_capacity

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
