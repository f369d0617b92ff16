# Sealing a tail, and folding late points into the chunks they belong to.
#
# A fold makes all new chunks first (bench.made, in which those that stay stand too) and only then puts them in
# the place of those they replace, so that a failed allocation leaves the series as it was. Under the drain lock.
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

# Seals late points and, with `everything`, the tail. 0, or -1: no memory, nothing changed.
cdef int fold(ChunkStore *store, SeriesData *data, bint everything) noexcept nogil
