# Quantiles of bucket vectors, and how vectors of different shape are made comparable.
#
# Explicit buckets: bucket i counts (bounds[i-1], bounds[i]], the last one everything above. A quantile
# is linear inside its bucket; the first bucket begins at 0 if its bound is positive (else the quantile is
# that bound); in the last bucket it is `maximum`, where that is known and above the last bound, else the
# last bound. Exponential buckets: bucket i counts (base**i, base**(i+1)], base = 2**(2**-scale); a
# quantile is geometric inside its bucket and linear inside the zero bucket.
#
# The formulas are those of Prometheus' histogram_quantile (promql/quantile.go). NaN: nothing to count, or
# no bucket bound at all. q < 0 is -inf, q > 1 is +inf. Pure functions; any thread; no allocation.
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum:
    # The shift that folds any index into -1 or 0; wider ones are cut to it (shifting an int32 by more is
    # undefined in C).
    SHIFT_MAX = 31

# `counts` has bound_count + 1 elements. `maximum` NaN: not known.
cdef double quantile_explicit(double q, const double *bounds, size_t bound_count, const uint64_t *counts, double maximum) noexcept nogil
# Index of positive_counts[i] is positive_offset + i; negative ones alike, by absolute value.
cdef double quantile_exponential(double q, int32_t scale, uint64_t zero_count, double zero_threshold, int32_t positive_offset, const uint64_t *positive_counts, size_t positive_size, int32_t negative_offset, const uint64_t *negative_counts, size_t negative_size) noexcept nogil
# The lower bound of exponential bucket `index` (a fraction: a place inside a bucket): base ** index.
cdef double exponential_bound(int32_t scale, double index) noexcept nogil

# How many observations are <= x, in the same reading of the buckets (what is above the last bound
# stands at `maximum`). For mixtures of vectors of different shape: the quantile is where the sum reaches rank.
cdef double rank_explicit(double x, const double *bounds, size_t bound_count, const uint64_t *counts, double maximum) noexcept nogil
# Positive buckets and the zero bucket only; x >= 0.
cdef double rank_exponential(double x, int32_t scale, uint64_t zero_count, double zero_threshold, int32_t offset, const uint64_t *counts, size_t size) noexcept nogil

# The bounds that both ascending lists have, into `out` (room for the shorter; may be `a`). Their number.
cdef size_t common_bounds(const double *a, size_t a_count, const double *b, size_t b_count, double *out) noexcept nogil
# Adds counts at `bounds` to `out` at `kept`, a subset of bounds (out has kept_count + 1 elements).
cdef void fold_explicit(const double *bounds, size_t bound_count, const uint64_t *counts, const double *kept, size_t kept_count, uint64_t *out) noexcept nogil
# The first bucket index after a downscale by `shift`: arithmetic shift, exact.
cdef int32_t fold_index(int32_t index, int64_t shift) noexcept nogil
# Adds counts (first index `offset`) downscaled by `shift` to `out`, whose first index is out_offset; the caller
# has made out wide enough.
cdef void fold_exponential(const uint64_t *counts, size_t size, int32_t offset, int64_t shift, uint64_t *out, int32_t out_offset) noexcept nogil
