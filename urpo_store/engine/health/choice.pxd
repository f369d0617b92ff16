# Which slots and sources answer for a window.
#
# The window is (low, high]; a slot belongs to it if its latest point does. First points whose start
# lies inside the window count too (health/types.pxd).
#
# One source for each protocol: of those that counted something the most preferred one; if none did,
# the most preferred one that was heard of. Spans that do not tell their protocol are used when no
# server protocol has a source of its own; consumer spans when neither messaging nor Celery has.
#
# All under HealthService.lock.
from libc.stdint cimport int64_t, uint32_t

from urpo_store.engine.health.sources cimport PROTOCOLS
from urpo_store.engine.health.types cimport FIRSTS, SECONDS, TENS, HealthService, Slot, Source

cdef enum:
    FOUND_MAX = SECONDS + TENS + FIRSTS

cdef struct Choice:
    Source *sources[PROTOCOLS]
    uint32_t count              # of `sources`; 0: nothing was heard of in the window
    bint can_fail               # some source can carry errors
    double requests
    double failable             # requests of sources that can carry errors
    double errors

# The slots of a source in the window, about in order of time; `found` has room for FOUND_MAX.
cdef size_t find_slots(Source *source, int64_t low, int64_t high, Slot **found) noexcept nogil
cdef void choose_sources(HealthService *service, int64_t low, int64_t high,
                         Choice *choice) noexcept nogil
