# From decoded points to chunks: which points share a chunk, on which clock, in which layout.
#
# Points that miss the clock get chunks with times of their own; exponential histograms whose
# buckets differ are given one layout. Under the drain lock; the store's Bench holds points and
# result.
from libc.stdint cimport uint32_t

from urpo_store.engine.chunks.chunk cimport Chunk
from urpo_store.engine.chunks.clock cimport Clock
from urpo_store.engine.chunks.types cimport ChunkStore

# The most points a tail or chunk of rows of so many words has.
cdef uint32_t chunk_limit(uint32_t row_words) noexcept nogil
# Appends a chunk to bench.made. OK or NO_MEMORY.
cdef int add_made(ChunkStore *store, Chunk *chunk, bint fresh) noexcept nogil
# Appends the chunks of bench.rows, which are in order of time, to bench.made, as fresh ones,
# counted. Sets bench.regular_gaps if the last one skips ticks at regular distances. 0, or -1: no
# memory; what was made stays in bench.made, for the caller to undo.
cdef int make_chunks(ChunkStore *store, uint32_t kind, Clock *clock) noexcept nogil
