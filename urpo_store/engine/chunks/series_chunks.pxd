# The chunks and the tail of one series, as whoever holds the drain lock sees them: taken out, emptied, and
# looked into point by point.
#
# A list of chunks is in order of time, and no two chunks overlap. What is taken out of it is retired, for
# queries may still read it. What find_point decoded for the last question is kept (Bench.found), and forgotten
# when its chunk or tail goes.
from libc.stdint cimport int64_t, uint32_t

from urpo_store.engine.chunks.chunk cimport Chunk
from urpo_store.engine.chunks.rows cimport PointView, Rows
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

# Takes a chunk out of the counters and gives its references back; its memory is retired.
cdef void unlink_chunk(ChunkStore *store, Chunk *chunk) noexcept nogil
# Takes the first `count` chunks out of a series. Returns their points.
cdef uint32_t drop_chunks(ChunkStore *store, SeriesData *data, uint32_t count) noexcept nogil
# Index of the first chunk that does not end before `time`; below 0: NO_MEMORY or BAD_BYTES.
cdef int64_t first_chunk_from(ChunkStore *store, const SeriesData *data, int64_t time) noexcept nogil
# Room for so many chunks in the series' list. 0, or -1: no memory.
cdef int room_for_chunks(ChunkStore *store, SeriesData *data, size_t needed) noexcept nogil
# Empties the tail (its points are sealed or given up), keeping what the next one can use.
cdef void tail_reset(ChunkStore *store, SeriesData *data) noexcept nogil
# Append the points of a chunk, or of the tail, to `rows`. OK, NO_MEMORY or BAD_BYTES.
cdef int decode_chunk(ChunkStore *store, uint32_t kind, const Chunk *chunk, Rows *rows) noexcept nogil
cdef int decode_tail(ChunkStore *store, const SeriesData *data, Rows *rows) noexcept nogil
# The point of exactly this time in chunks or tail. 1 and *view, good until the next call; 0: none;
# below 0: NO_MEMORY or BAD_BYTES.
cdef int find_point(ChunkStore *store, SeriesData *data, int64_t time, PointView *view) noexcept nogil
