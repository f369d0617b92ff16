# From a point to an increment of its service's health (health/types.pxd says what an increment is).
#
#   1  health_file     the service was seen; points that come too early, too late or twice are left
#      out
#   2  read_held       what the point holds: count, buckets, maximum
#   3  compare         what it adds to the series' last point, and since when
#   4  add_increment   into the slot of its time, or of first points
#   5  keep_last       the series' last point is now this one
from libc.stdint cimport int64_t, uint64_t

from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.health.types cimport HealthSeries, HealthService

# Files one point. `series` NULL: it counts no requests, and only says when the service was seen.
# `start` is its start time, 0 if unknown; `payload` as points/slots.pxd, or NULL; `now`: the wall
# clock. Under the service's lock.
cdef void health_file(HealthService *service, HealthSeries *series, const Point *point,
                      int64_t start, const uint64_t *payload, int64_t now) noexcept nogil
