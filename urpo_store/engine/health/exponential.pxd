# The buckets of exponential histograms, as health wants them: at most BUCKETS positive ones, and what grew between
# two points of a series.
from libc.stdint cimport int32_t, uint32_t, uint64_t

from urpo_store.engine.health.types cimport BUCKETS, HealthSeries

# Exponential counts on their way into a slot or a series: at most BUCKETS positive ones, which
# stand in `room` or, where nothing had to be changed, in the payload itself.
cdef struct Exponential:
    int32_t scale, offset
    uint32_t size
    uint64_t zero
    const uint64_t *counts
    uint64_t room[BUCKETS]

# Reads the counts of a payload, downscaled to BUCKETS. Negative values count as zeros: durations have none.
cdef void read_exponential(const uint64_t *payload, Exponential *out) noexcept nogil
# *out = sent - what the series had last, at the coarser of both scales. 0: some bucket fell.
cdef bint subtract_exponential(const HealthSeries *last, const Exponential *sent, Exponential *out) noexcept nogil
