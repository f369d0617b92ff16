# From a service's record to its health over a window.
#
# The window is (end - window, end]; end is `at`, or now (or the service's newest point, when its
# clock is ahead by up to 5 minutes). Which slots and sources answer for it, health/choice.pxd says.
#
#   request_rate   the count / the time that its increments cover together: the union of their
#                  intervals over all series and sources. None when they cover no time (deltas
#                  without start times)
#   error_rate     errors / requests of the sources whose family can carry errors; None if there are
#                  none, or no requests
#   latencies      health/latency.pxd
from libc.stdint cimport int64_t

from urpo_store.engine.health.types cimport HealthService

# The fields of ServiceHealthMetrics (model.py) as a tuple, in their order; or None: the window
# reaches beyond the slots, and stored points must be replayed (health/book.pxd). `at` < 0 or equal
# to now: now. Takes the service's lock, without the GIL. Raises MemoryError.
cdef object record_report(HealthService *service, int64_t window, int64_t at, int64_t now)
