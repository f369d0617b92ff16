# The points of some series, from ring and chunks, each exactly once.
#
#   1  the ring is read without a lock: copies of the wanted points, with their positions
#   2  then, for each series, under the drain lock: references to its chunks, a view of its tail,
#      and the ring's tail at that moment (the watermark)
#   3  copies below the watermark are dropped: these points are in what 2 has seen
#
# Invariants
# (1) No point is missed: what had left the ring before step 1 is in chunks by the time of step 2.
# (2) No point is doubled: under the lock, chunks hold all points below the watermark and none at or
#     above it (drain.pxd).
# (3) This holds for each series by itself. Of two series, one may be seen at a later moment.
from libc.stdint cimport int64_t, uint32_t

from urpo_store.engine.chunks.types cimport Rows
from urpo_store.engine.store cimport Store

# Which points: start <= time <= end. With `predecessor` also the newest one before `start`; and the
# first value of a series whose older points were dropped gets the start time 0, for what came
# before it is not known.
cdef struct TimeRange:
    int64_t start, end
    bint predecessor

# Appends the points of ids[0..count) to `rows`, series after series, each in order of time. offsets
# (count + 1 of them) and first as query/source.py says. OK, or the code of what is wrong; then
# `rows` may hold a part. REQUIRES: the caller is in an epoch.
cdef int gather_points(Store *store, const uint32_t *ids, size_t count, const TimeRange *within,
                       Rows *rows, int64_t *offsets, int64_t *first) noexcept nogil
