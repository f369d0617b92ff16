# Folding: late points, and the tail if it is to be sealed, become chunks.
#
# Late points stand beside the chunks until there are many, or until the tail is sealed. A fold puts
# them where they belong: those between two chunks become chunks of their own, those within a chunk
# are merged with it, and those behind all chunks are merged with the tail. Where a late point is at
# no tick of the clock, it becomes a chunk of its own between two halves, so that it does not cost
# the others their shared clock (chunks/sealing.pxd cuts chunks so).
#
# A fold first makes all new chunks, in bench.made, in which the chunks that stay stand too; only
# then they take the place of the old ones. So a fold for which there is no memory leaves the series
# as it was. All under the drain lock.
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

# Folds the late points that are older than the tail's first; with `everything`, all of them and the
# tail. OK, or what is wrong; then nothing has changed.
cdef int fold(ChunkStore *store, SeriesData *data, bint everything) noexcept nogil
# Seals all that is open: what was taken aside, the tail, late points. The tail itself stays, empty,
# for what comes next. OK, or what is wrong; then the series has the points that it had.
cdef int seal_open(ChunkStore *store, SeriesData *data) noexcept nogil
# The same for a series that is idle: the tail is given back too.
cdef int chunks_seal(ChunkStore *store, SeriesData *data) noexcept nogil
