"""Quantiles of bucket vectors; the contract is in points/quantile.pxd.

Counts are summed as integers and turned into floats last, so that ranks at bucket edges are exact.
"""
from libc.math cimport INFINITY, NAN, exp2, isnan, ldexp, log2
from libc.stdint cimport int32_t, int64_t, uint64_t


cdef double quantile_explicit(
    double q, const double *bounds, size_t bound_count, const uint64_t *counts, double maximum
) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint64_t below = 0
    cdef double rank, low, high
    cdef size_t i
    for i in range(bound_count + 1):
        total += counts[i]
    if total == 0 or bound_count == 0 or isnan(q):
        return NAN
    if q < 0:
        return -INFINITY
    if q > 1:
        return INFINITY
    rank = q * <double>total
    i = 0
    # The first bucket that is not empty and reaches the rank; all together reach `total`.
    while i < bound_count and (counts[i] == 0 or <double>(below + counts[i]) < rank):
        below += counts[i]
        i += 1
    if i == bound_count:
        # `not >`: a maximum that is not known (NaN) leaves the last bound.
        return maximum if maximum > bounds[bound_count - 1] else bounds[bound_count - 1]
    high = bounds[i]
    if i > 0:
        low = bounds[i - 1]
    elif high > 0:
        low = 0.0
    else:
        return high
    return low + (high - low) * ((rank - <double>below) / <double>counts[i])


cdef double exponential_bound(int32_t scale, double index) noexcept nogil:
    # ldexp(index, -scale) is exact, so a bound at a power of two is exact too.
    return exp2(ldexp(index, -scale))


cdef uint64_t total_of(const uint64_t *counts, size_t size) noexcept nogil:
    cdef uint64_t total = 0
    cdef size_t i
    for i in range(size):
        total += counts[i]
    return total


cdef double quantile_exponential(double q, const ExponentialCounts *buckets) noexcept nogil:
    cdef uint64_t negatives = total_of(buckets.negative, buckets.negative_size)
    cdef uint64_t positives = total_of(buckets.positive, buckets.positive_size)
    cdef uint64_t total = negatives + buckets.zero_count + positives, below = 0, count
    cdef double rank, low, high, inside
    cdef size_t i
    if total == 0 or isnan(q):
        return NAN
    if q < 0:
        return -INFINITY
    if q > 1:
        return INFINITY
    rank = q * <double>total
    # From the most negative value upwards: the negative buckets, last to first.
    i = buckets.negative_size
    while i > 0:
        i -= 1
        count = buckets.negative[i]
        if count != 0:
            if <double>(below + count) >= rank:
                inside = (rank - <double>below) / <double>count
                high = <double>buckets.negative_offset + <double>i + 1.0 - inside
                return -exponential_bound(buckets.scale, high)
            below += count
    if buckets.zero_count != 0:
        if <double>(below + buckets.zero_count) >= rank:
            low = -buckets.zero_threshold if negatives != 0 else 0.0
            high = buckets.zero_threshold if positives != 0 or negatives == 0 else 0.0
            return low + (high - low) * ((rank - <double>below) / <double>buckets.zero_count)
        below += buckets.zero_count
    inside = 1.0
    high = 0.0
    for i in range(buckets.positive_size):
        count = buckets.positive[i]
        if count != 0:
            high = <double>buckets.positive_offset + <double>i
            if <double>(below + count) >= rank:
                inside = (rank - <double>below) / <double>count
                break
            below += count
    return exponential_bound(buckets.scale, high + inside)


cdef double rank_explicit(
    double x, const double *bounds, size_t bound_count, const uint64_t *counts, double maximum
) noexcept nogil:
    cdef uint64_t below = 0
    cdef size_t i = 0
    cdef double low, top
    while i < bound_count and x >= bounds[i]:
        below += counts[i]
        i += 1
    if i == bound_count:
        top = bounds[bound_count - 1] if bound_count else 0.0
        if not (x < maximum) or not (maximum > top):
            below += counts[bound_count]
        return <double>below
    low = bounds[i - 1] if i > 0 else 0.0
    if i == 0 and (bounds[0] <= 0 or x <= 0):
        return 0.0
    return <double>below + <double>counts[i] * ((x - low) / (bounds[i] - low))


cdef double rank_exponential(double x, const ExponentialCounts *buckets) noexcept nogil:
    cdef uint64_t below = buckets.zero_count
    cdef double place, inside
    cdef size_t i
    if x < buckets.zero_threshold:
        return <double>below * (x / buckets.zero_threshold)
    if x <= 0:
        return <double>below
    place = ldexp(log2(x), buckets.scale) - <double>buckets.positive_offset
    for i in range(buckets.positive_size):
        inside = place - <double>i
        if inside <= 0:
            break
        if inside < 1:
            return <double>below + <double>buckets.positive[i] * inside
        below += buckets.positive[i]
    return <double>below


cdef size_t common_bounds(
    const double *a, size_t a_count, const double *b, size_t b_count, double *out
) noexcept nogil:
    cdef size_t i = 0
    cdef size_t j = 0
    cdef size_t n = 0
    while i < a_count and j < b_count:
        if a[i] < b[j]:
            i += 1
        elif b[j] < a[i]:
            j += 1
        else:
            out[n] = a[i]
            n += 1
            i += 1
            j += 1
    return n


cdef void fold_explicit(
    const double *bounds, size_t bound_count, const uint64_t *counts,
    const double *kept, size_t kept_count, uint64_t *out
) noexcept nogil:
    cdef size_t i
    cdef size_t k = 0
    for i in range(bound_count + 1):
        # Bucket i ends at bounds[i]; it belongs to the first kept bound that is not below that.
        while k < kept_count and (i == bound_count or kept[k] < bounds[i]):
            k += 1
        out[k] += counts[i]


cdef int32_t fold_index(int32_t index, int64_t shift) noexcept nogil:
    # gcc and clang shift negative numbers arithmetically: -1 >> 1 == -1, which is the right bucket.
    return index >> (shift if shift < SHIFT_MAX else SHIFT_MAX)


cdef void fold_exponential(
    const uint64_t *counts, size_t size, int32_t offset, int64_t shift,
    uint64_t *out, int32_t out_offset
) noexcept nogil:
    cdef size_t i
    cdef int64_t first
    if shift == 0:
        out += <int64_t>offset - out_offset
        for i in range(size):
            out[i] += counts[i]
        return
    for i in range(size):
        first = fold_index(<int32_t>(offset + <int64_t>i), shift)
        out[first - out_offset] += counts[i]
