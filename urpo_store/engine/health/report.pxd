# From a service's record to its health over a window.
#
# The window is (end - window, end]; end is `at`, or now (or the service's newest point, when its clock is
# ahead by up to 5 minutes). A slot belongs to the window that holds its latest point. First points whose start
# lies inside the window count too (health/types.pxd).
#
# One source per protocol: of those that counted something the most preferred one; if none did, the most
# preferred that was heard of. Spans that do not tell their protocol are used when no server protocol has a
# source of its own; consumer spans when neither messaging nor Celery has.
#
#   request_rate   the count / the time that its increments cover together: the union of their intervals over
#                  all series and sources. None when they cover no time (deltas without start times).
#   error_rate     errors / requests of the sources whose family can carry errors; None if there are none,
#                  or no requests
#   latencies      vectors of one source with different bounds are added at the bounds they share. Vectors that
#                  cannot be added soundly (explicit and exponential ones, units that differ, bounds that share
#                  nothing, several protocols) are read as a mixture: the quantile is where the numbers of
#                  observations below it, each interpolated in its own buckets, reach the rank together.
from libc.stdint cimport int64_t

from urpo_store.engine.health.types cimport HealthService

# The fields of ServiceHealthMetrics (model.py) as a tuple in their order, or None: the window reaches beyond
# the slots, and the caller answers by scanning (HealthBook.replay). `at` < 0 or equal to now: now. Takes
# the lock, without the GIL. Raises MemoryError.
cdef object record_report(HealthService *service, int64_t window, int64_t at, int64_t now)
