# From the bucket counts of the chosen sources to quantiles, in seconds.
#
# Vectors of one source with different bounds are added at the bounds they share. Vectors that
# cannot be added soundly (explicit and exponential ones, units that differ, bounds that share
# nothing, several protocols) are read as a mixture: the quantile is where the numbers of
# observations below it, each interpolated in its own buckets, reach the rank together.
#
# All under HealthService.lock.
from libc.stdint cimport int32_t, uint32_t, uint64_t

from urpo_store.engine.health.sources cimport PROTOCOLS
from urpo_store.engine.health.types cimport SCHEMES, Scheme, Slot, Source

cdef enum:
    COMPONENTS = PROTOCOLS * SCHEMES    # of all sources that can be chosen

# Counts that can be added up: all vectors of one scheme in the window.
cdef struct Component:
    const Scheme *scheme
    const double *bounds        # seconds
    uint64_t *counts
    uint32_t size               # bounds (explicit) or counts (exponential)
    uint64_t total
    double maximum
    int32_t scale, offset
    uint64_t zero
    double zero_threshold

# Words that the counts of one source need.
cdef size_t source_words(const Source *source) noexcept nogil
# The components of a source, from its slots in the window. `components` has room for SCHEMES;
# `words`, source_words of them, are 0. Returns how many there are.
cdef size_t source_components(Source *source, Slot **found, size_t n, uint64_t *words,
                              Component *components) noexcept nogil
# NaN: no observations.
cdef double quantile_of(const Component *components, size_t count, double q) noexcept nogil
