# Chunks: the compressed points of each series, and the clocks they share.
#
# The drain appends points one at a time, under the drain lock (ChunkStore.lock). Per series:
#
#   chunks    sealed, immutable, ascending in time and disjoint; at most CHUNK_POINTS points each
#   tail      the newest points, in an appendable stream (chunks/tail.pxd); encoded when CHUNK_POINTS are together
#             (a first tail earlier, so that not all series seal at once; wide rows earlier too), when the
#             layout changes, or when chunks_seal is called. A full one may be taken aside, to be encoded
#             without the lock (chunks/full_tails.pxd). A small last chunk is encoded again with what comes next
#   late      points older than the newest of their series, decoded and sorted; merged with the rest
#             when read, and folded into the chunks they belong to when there are many or the tail is
#             sealed. A fold replaces chunks by new ones; where a late point is at no tick of the
#             clock it becomes a chunk of its own between the two halves, so that one late point does
#             not cost the others their shared clock.
#
# A clock is a timestamp column shared by the series of one clock group (one exporter: a resource).
# A sealed chunk is a 16-byte header (clock, first tick, count, codec, flags, length) and columns:
# its own times or a bitmap of missed ticks where needed, starts, flags, then one codec column per
# value word (value, then the row words of points/slots.pxd, column-wise). docs/format.md draws it.
#
# Invariants
# (1) SeriesData, clocks and counters are written under ChunkStore.lock only.
# (2) What is sealed is immutable; it is unlinked under the lock and retired through epochs, so a
#     reader inside an epoch may decode what it took under the lock after dropping the lock.
# (3) Times within chunks + tail of a series are strictly ascending.
# (4) Same series and time again: the same value changes nothing (duplicate_points); another value
#     replaces the earlier (replaced_points), except in a series with DATA_ADD, where deltas of
#     collapsed sources are added. Reads never show both.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

cdef int chunk_store_init(ChunkStore *store, Account *account, Epochs *epochs) noexcept nogil
cdef void chunk_store_destroy(ChunkStore *store) noexcept nogil
cdef void series_data_init(SeriesData *data, uint32_t kind, uint32_t clock_group, uint32_t options) noexcept nogil
# Gives everything back (retired where readers may still look). Under the lock. Returns points held.
cdef uint64_t series_data_clear(ChunkStore *store, SeriesData *data) noexcept nogil

# Appends one point; `payload` is its words as points/slots.pxd (NULL if none), exemplars included.
# Under the lock. 0, or -1: no memory, the point is not stored (counted in evicted_points).
cdef int chunks_append(ChunkStore *store, SeriesData *data, const Point *point, int64_t start, const uint64_t *payload) noexcept nogil
# Seals tail and late. Under the lock. 0, or -1: no memory, nothing changed.
cdef int chunks_seal(ChunkStore *store, SeriesData *data) noexcept nogil
