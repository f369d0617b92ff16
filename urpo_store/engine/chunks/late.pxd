# A point that is not newer than its series' newest: one that comes again, or a late one.
#
# Same series and time again (invariant 4 of chunks/append.pxd): the same point changes nothing,
# another one takes the place of the first, and with DATA_ADD both are added. The newest point is
# replaced in the tail. Any other stands in a chunk or in the tail's stream, which do not change:
# what replaces it waits among the late points, marked LATE_OVERRIDE, for a fold.
#
# Late points are kept decoded and sorted, in Tail.late. They are folded (chunks/folding.pxd) when
# they are many, or when the tail is sealed. Under the drain lock.
from urpo_store.engine.chunks.types cimport ChunkStore, PointView, SeriesData

# OK, or what is wrong; then the series has the points that it had. *view may be changed to the sum
# of two points, in the store's bench.
cdef int append_late(ChunkStore *store, SeriesData *data, PointView *view) noexcept nogil
