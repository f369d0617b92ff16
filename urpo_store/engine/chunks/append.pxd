# Chunks: the compressed points of each series. This is the way in.
#
# The drain appends points one at a time, under the drain lock (ChunkStore.lock). Of a series there
# are:
#
#   chunks    sealed, immutable, ascending in time and disjoint; at most CHUNK_POINTS points each
#   tail      the newest points, in a stream that grows (chunks/tail.pxd). It is sealed when
#             CHUNK_POINTS are together (a first tail earlier, so that not all series seal at once;
#             wide rows earlier too), when the layout changes, when a point does not fit its clock,
#             or on demand. A full one may be taken aside, to be encoded without the lock
#             (chunks/full_tails.pxd). A small last chunk is encoded again with what comes next
#   late      points older than the newest (chunks/late.pxd); merged with the rest when read, folded
#             into the chunks they belong to (chunks/folding.pxd) when there are many or the tail is
#             sealed
#
# A clock is a timestamp column shared by the series of one clock group (one exporter: a resource).
# docs/format.md draws a sealed chunk.
#
# Invariants
# (1) SeriesData, clocks and counters are written under the drain lock only.
# (2) A sealed chunk is immutable. It is freed through epochs, by unlink_chunk alone
#     (chunks/series_chunks.pxd), under the drain lock: when a fold replaces it or is undone, when
#     it is given up (chunks/eviction.pxd), or when its series is cleared (chunks/life.pxd). So a
#     reader inside an epoch may decode what it took under the lock.
# (3) Times within chunks + tail of a series are strictly ascending.
# (4) Same series and time again: the same point changes nothing (duplicate_points); another one
#     replaces the first (replaced_points), but in a series with DATA_ADD, where deltas of collapsed
#     sources are added. Reads never show both.
from libc.stdint cimport int64_t, uint64_t

from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

# Appends one point; `payload` is its words as points/slots.pxd (NULL if none). Exemplars are not
# looked at. Under the drain lock. OK, or what is wrong: the point is not stored then (counted in
# evicted_points).
cdef int chunks_append(
    ChunkStore *store, SeriesData *data, const Point *point, int64_t start, const uint64_t *payload
) noexcept nogil
