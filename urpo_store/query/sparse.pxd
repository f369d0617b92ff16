# Exponential buckets of one window, kept sparse: ascending indexes, with a count for each.
#
# Two sources may lie a billion indexes apart at a fine scale, and merging is still exact at that
# scale. Bucket i of scale s covers (2**(i * 2**-s), 2**((i + 1) * 2**-s)]; coarser by d it is
# bucket i >> d.
#
# Zero thresholds merge to the greatest. `count_zeros` then counts the buckets below it as zeros; a
# bucket that it cuts raises it to that bucket's upper bound (OpenTelemetry metrics data model,
# "Exponential histogram").
#
# Invariants
# (1) Indexes ascend strictly. Counts are unsigned differences: they may wrap on the way but not in
#     the end (explicit.pyx says why), and they may be 0.
# (2) `scale` is the smallest scale of what was added.
# (3) The memory of both sides stays when the buckets are cleared. Owned by one thread.
#
# Functions that return int return OK or NO_MEMORY.
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

# The positive or the negative buckets; the spare arrays are the target of a merge.
cdef struct Side:
    int32_t *index
    uint64_t *count
    int32_t *spare_index
    uint64_t *spare_count
    size_t used, room

cdef struct SparseBuckets:
    Side positive, negative
    int32_t scale
    uint64_t zero_count
    double zero_threshold
    bint touched        # a point of the window was seen
    bint filled         # something was added

# What the rows of a layout share (engine/points/slots.pxd).
cdef struct Shape:
    int32_t scale, positive_offset, negative_offset
    uint32_t positive_size, negative_size

# Adds (`less`: subtracts) the row of a point.
cdef int sparse_add(
    SparseBuckets *buckets, const Shape *shape, const uint64_t *row, bint less
) noexcept nogil
# The last step of a sum: applies the zero threshold, and drops empty buckets.
cdef void count_zeros(SparseBuckets *buckets) noexcept nogil
# Whether any count is below 0. REQUIRES: count_zeros.
cdef bint sparse_negative(const SparseBuckets *buckets) noexcept nogil
# As engine/points/quantile.pxd has it. REQUIRES: count_zeros.
cdef double sparse_quantile(const SparseBuckets *buckets, double q) noexcept nogil
cdef void sparse_coarsen(SparseBuckets *buckets, int64_t shift) noexcept nogil
cdef void sparse_clear(SparseBuckets *buckets) noexcept nogil
cdef void sparse_free(SparseBuckets *buckets) noexcept nogil
# Indexes from the first to the last bucket.
cdef int64_t side_width(const Side *side) noexcept nogil
