# Points to a sealed chunk (chunks/chunk.pxd).
from libc.stdint cimport uint32_t

from urpo_store.engine.chunks.types cimport Chunk, Layout, Rows, Work

# A chunk of rows[first:first + count], in memory of work.account. `ticks` are the points' ticks of
# clock number `clock`, or NULL: times of their own. `layout` is NULL for kinds without rows. NULL:
# no memory. REQUIRES: 1 <= count <= CHUNK_POINTS; times ascend; all rows have the layout;
# ticks[count - 1] - ticks[0] < SPARSE * count. Takes no reference to clock or layout: that is the
# caller's.
cdef Chunk *chunk_encode(
    Work *work, uint32_t kind, const Rows *rows, size_t first, size_t count,
    uint32_t clock, const uint32_t *ticks, const Layout *layout
) noexcept nogil
