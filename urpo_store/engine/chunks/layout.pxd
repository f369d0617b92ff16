# Layouts, stored once: the bounds of histograms, the quantiles of summaries, the ranges of
# exponential histograms. Consecutive chunks of a series, and series alike, share one.
#
# Invariants
# (1) A Layout's words are immutable; its count of references is written under the drain lock only.
# (2) A layout nobody refers to is unlinked under that lock and retired through epochs, so a reader
#     that found it through a chunk may still read it.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs

cdef struct Layout:
    Layout *next                # of the same bucket
    uint64_t references
    uint32_t hash
    uint32_t layout_words, row_words
    uint32_t padding
    # layout_words words follow

cdef struct LayoutTable:
    Account *account
    Epochs *epochs
    Layout **buckets
    size_t size                 # a power of two, 0 at first
    size_t count

cdef inline uint64_t *layout_data(Layout *layout) noexcept nogil:
    return <uint64_t *>(layout + 1)

cdef void layout_table_init(LayoutTable *table, Account *account, Epochs *epochs) noexcept nogil
cdef void layout_table_destroy(LayoutTable *table) noexcept nogil
# The layout, with one more reference; NULL: no memory.
cdef Layout *layout_intern(LayoutTable *table, uint32_t layout_words, uint32_t row_words, const uint64_t *words) noexcept nogil
cdef void layout_release(LayoutTable *table, Layout *layout) noexcept nogil            # NULL is allowed
