# From decoded points to sealed chunks: which points share a chunk, on which clock, in which layout.
#
# Points that miss the clock get chunks with times of their own; exponential histograms whose
# buckets differ are given one layout. Points and chunks stand in the store's Bench. Under the drain
# lock.
from libc.stdint cimport uint32_t

from urpo_store.engine.chunks.types cimport Chunk, ChunkStore, Clock

# The most points that a tail or chunk of rows of so many words has.
cdef uint32_t chunk_limit(uint32_t row_words) noexcept nogil
# Appends a chunk to bench.made; `fresh`: it is new. OK or NO_MEMORY.
cdef int add_made(ChunkStore *store, Chunk *chunk, bint fresh) noexcept nogil
# Appends the chunks of bench.rows to bench.made, as fresh ones, counted. Sets bench.regular_gaps if
# the last one skips ticks at regular distances. OK, or what is wrong; what was made until then
# stays in bench.made, for the caller to undo.
# REQUIRES: bench.rows ascend.
cdef int make_chunks(ChunkStore *store, uint32_t kind, Clock *clock) noexcept nogil
