# Quantiles of bucket vectors, and how vectors of different shape are made comparable.
#
# Explicit buckets: bucket i counts (bounds[i-1], bounds[i]], the last one everything above. A
# quantile is linear inside its bucket. The first bucket begins at 0 if its bound is positive, else
# the quantile is that bound. In the last bucket it is `maximum` if that is known and above the last
# bound, else the last bound.
#
# Exponential buckets: bucket i counts (base**i, base**(i+1)], base = 2**(2**-scale). A quantile is
# geometric inside its bucket and linear inside the zero bucket.
#
# The formulas are those of Prometheus' histogram_quantile (promql/quantile.go). NaN: nothing to
# count, or no bound at all. q < 0 is -inf, q > 1 is +inf.
#
# Pure functions; any thread; no allocation.
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum:
    # The shift that folds any index into -1 or 0. Wider ones are cut to it: C does not define them.
    SHIFT_MAX = 31

cdef struct ExponentialCounts:
    int32_t scale
    int32_t positive_offset     # the bucket that positive[0] counts
    int32_t negative_offset     # the same of negative, by absolute value
    uint64_t zero_count
    double zero_threshold
    const uint64_t *positive
    size_t positive_size
    const uint64_t *negative
    size_t negative_size

# `counts` has bound_count + 1 elements. `maximum` NaN: not known.
cdef double quantile_explicit(
    double q, const double *bounds, size_t bound_count, const uint64_t *counts, double maximum
) noexcept nogil
cdef double quantile_exponential(double q, const ExponentialCounts *buckets) noexcept nogil
# The lower bound of exponential bucket `index`, base ** index. A fraction is a place in a bucket.
cdef double exponential_bound(int32_t scale, double index) noexcept nogil

# How many observations are <= x, with the buckets read in the same way; those above the last bound
# are at `maximum`. For mixtures of vectors of different shape: where the sum of their ranks reaches
# a rank is the quantile.
cdef double rank_explicit(
    double x, const double *bounds, size_t bound_count, const uint64_t *counts, double maximum
) noexcept nogil
# The same of positive buckets and the zero bucket. REQUIRES: x >= 0; there are no negative buckets.
cdef double rank_exponential(double x, const ExponentialCounts *buckets) noexcept nogil

# Puts the bounds that two ascending lists share into `out`, which has room for the shorter list and
# may be `a`. Returns how many.
cdef size_t common_bounds(
    const double *a, size_t a_count, const double *b, size_t b_count, double *out
) noexcept nogil
# Adds counts at `bounds` to `out` at `kept`, a subset of them. `out` has kept_count + 1 elements.
cdef void fold_explicit(
    const double *bounds, size_t bound_count, const uint64_t *counts,
    const double *kept, size_t kept_count, uint64_t *out
) noexcept nogil
# The bucket that holds bucket `index` when the scale is smaller by `shift`.
cdef int32_t fold_index(int32_t index, int64_t shift) noexcept nogil
# Adds counts, whose first index is `offset`, at a scale smaller by `shift` to `out`, whose first
# index is out_offset. REQUIRES: `out` is wide enough.
cdef void fold_exponential(
    const uint64_t *counts, size_t size, int32_t offset, int64_t shift,
    uint64_t *out, int32_t out_offset
) noexcept nogil
