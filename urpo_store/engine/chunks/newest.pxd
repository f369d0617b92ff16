# The newest point of a series: appended to its tail, or put in the place of the one that was.
#
# An append first does all that can fail (prepare: seal a tail that cannot take the point, find the
# point's tick, make room), and then all changes (commit). So a point for which there is no memory
# leaves its series with the points it had. All under the drain lock.
from urpo_store.engine.chunks.types cimport ChunkStore, PointView, SeriesData, Tail

# Appends a point that is newer than all of the series. OK, or what is wrong; then it is not stored.
cdef int append_newest(ChunkStore *store, SeriesData *data, const PointView *view) noexcept nogil
# Puts a point in the place of the tail's newest. False: not of that time, or of another layout;
# nothing changed.
cdef bint replace_newest(SeriesData *data, const PointView *view) noexcept nogil
# The series' tail, made if there is none. NULL: no memory.
cdef Tail *open_tail(ChunkStore *store, SeriesData *data) noexcept nogil
