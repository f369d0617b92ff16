# Sealing: from decoded points to chunks, and folding late points into the chunks they belong to.
#
# A fold makes all new chunks first and only then puts them in the place of those they replace, so
# that a failed allocation leaves the series as it was. Everything here is under the drain lock.
from libc.stdint cimport int64_t, uint32_t

from urpo_store.engine.chunk cimport Chunk
from urpo_store.engine.chunk_store cimport ChunkStore, SeriesData
from urpo_store.engine.rows cimport PointView

# Takes a chunk out of the counters and gives its references back; its memory is retired.
cdef void unlink_chunk(ChunkStore *store, Chunk *chunk) noexcept nogil
# Takes the first `count` chunks out of a series. Returns their points.
cdef uint32_t drop_chunks(ChunkStore *store, SeriesData *data, uint32_t count) noexcept nogil
# Index of the first chunk that does not end before `time`; -1: no memory.
cdef int64_t first_chunk_from(ChunkStore *store, const SeriesData *data, int64_t time) noexcept nogil
# The most points a tail or chunk of rows of so many words has.
cdef uint32_t chunk_limit(uint32_t row_words) noexcept nogil
# Room for so many chunks in the series' list. 0, or -1: no memory.
cdef int room_for_chunks(ChunkStore *store, SeriesData *data, size_t needed) noexcept nogil
# Seals late points and, with `everything`, the tail. 0, or -1: no memory, nothing changed.
cdef int fold(ChunkStore *store, SeriesData *data, bint everything) noexcept nogil
# Empties the tail (its points are sealed or given up), keeping what the next one can use.
cdef void tail_reset(ChunkStore *store, SeriesData *data) noexcept nogil
# The point of exactly this time in chunks or tail. 1 and *view, good until the next call; 0: none;
# -1: no memory.
cdef int find_point(ChunkStore *store, SeriesData *data, int64_t time, PointView *view) noexcept nogil
