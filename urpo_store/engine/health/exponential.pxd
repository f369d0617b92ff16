# The buckets of exponential histograms as health keeps them: at most BUCKETS positive ones, at the
# finest scale at which they are that few.
from libc.stdint cimport int32_t, uint32_t, uint64_t

from urpo_store.engine.health.types cimport BUCKETS, HealthSeries

# Indexes [first, last] at `scale`; the whole of it is at most BUCKETS wide.
cdef struct BucketRange:
    int32_t scale, first, last
    bint any                    # False: empty

# Counts on their way into a slot or a series. They stand in `room` or, where nothing had to be
# changed, in the payload itself.
cdef struct Exponential:
    int32_t scale, offset       # of counts[0]
    uint32_t size
    uint64_t zero
    const uint64_t *counts
    uint64_t room[BUCKETS]

# Widens a range so that it also holds `size` buckets from `offset` on at `scale`: the scale becomes
# the coarser one of both, or as coarse as BUCKETS demands.
cdef void range_cover(BucketRange *held, int32_t scale, int32_t offset,
                      uint32_t size) noexcept nogil
# Reads the counts of a payload, downscaled to BUCKETS. Negative values count as zeros: durations
# have none.
cdef void read_exponential(const uint64_t *payload, Exponential *out) noexcept nogil
# *out = sent - what the series had last, at the coarser of both scales. False: some bucket fell.
cdef bint subtract_exponential(const HealthSeries *last, const Exponential *sent,
                               Exponential *out) noexcept nogil
