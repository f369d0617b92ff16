# The chunks and the tail of one series, as they are seen under the drain lock: taken out, emptied,
# and looked into point by point.
#
# A list of chunks is in order of time, and no two chunks overlap. A chunk that is taken out is
# freed through epochs, for queries may still read it. What find_point decoded for the last question
# is kept (Bench.found), and forgotten when its chunk or tail goes. Everything here: under the drain
# lock.
from libc.stdint cimport int64_t, uint32_t

from urpo_store.engine.chunks.types cimport Chunk, ChunkStore, PointView, Rows, SeriesData, Tail

# Takes a chunk out of the counters, gives its references back and frees it, once no reader can be
# at it. Nothing else frees a chunk that a series had.
cdef void unlink_chunk(ChunkStore *store, Chunk *chunk) noexcept nogil
# Takes the first `count` chunks out of a series. Returns their points.
cdef uint32_t drop_chunks(ChunkStore *store, SeriesData *data, uint32_t count) noexcept nogil
# *first: the first chunk that does not end before `time`. OK, or what is wrong.
cdef int first_chunk_from(
    ChunkStore *store, const SeriesData *data, int64_t time, uint32_t *first
) noexcept nogil
# Room for so many chunks in the series' list. OK or NO_MEMORY.
cdef int room_for_chunks(ChunkStore *store, SeriesData *data, size_t needed) noexcept nogil
# Empties the tail, whose points are sealed or given up; what the next points can use stays.
cdef void tail_reset(ChunkStore *store, SeriesData *data) noexcept nogil
# Gives the tail's rows back, and their reference to a layout.
cdef void tail_free_rows(ChunkStore *store, Tail *tail) noexcept nogil
# Gives the tail back, with all it holds; a series without one is as it was.
cdef void tail_free(ChunkStore *store, SeriesData *data) noexcept nogil
# Append the points of a chunk, or of the tail, to `rows`. OK, or what is wrong; then the rows have
# the points that they had.
cdef int decode_chunk(
    ChunkStore *store, uint32_t kind, const Chunk *chunk, Rows *rows
) noexcept nogil
cdef int decode_tail(ChunkStore *store, const SeriesData *data, Rows *rows) noexcept nogil
# Looks for the point of exactly this time in chunks and tail; *view is good until the next
# question. OK, or what is wrong.
cdef int find_point(
    ChunkStore *store, SeriesData *data, int64_t time, PointView *view, bint *there
) noexcept nogil
