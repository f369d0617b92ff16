# A sealed chunk (chunks/chunk.pxd) to points.
#
# The bytes may be damaged in any way: they are read as far as their end and no further, and what is
# no chunk gives BAD_BYTES. (Damage that leaves a chunk readable gives other points; finding that is
# the business of checksums.)
from libc.stdint cimport uint32_t

from urpo_store.engine.chunks.ticks cimport TickSpan
from urpo_store.engine.chunks.types cimport Chunk, Layout, Rows, Work

# Appends the points of a chunk to `rows`. OK, NO_MEMORY or BAD_BYTES; without OK the points in
# `rows` are as before. No lock.
#
# `spans` are the blocks of ticks from that of chunk.tick on, `span_count` of them; none for times
# of its own. `layout` is the one whose number is chunk_layout(chunk); NULL: there is none.
# REQUIRES: chunk_size(chunk) bytes are there.
cdef int chunk_decode(
    Work *work, uint32_t kind, const Chunk *chunk, const TickSpan *spans, uint32_t span_count,
    const Layout *layout, Rows *rows
) noexcept nogil
