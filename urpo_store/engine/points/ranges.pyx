"""Bucket ranges of exponential histograms; the contract is in points/ranges.pxd."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.points.slots cimport ROW_EXPONENTIAL


cdef bint ranges_read(
    Ranges *ranges, const uint64_t *layout, uint32_t words, uint32_t row
) noexcept nogil:
    cdef uint64_t positive
    if words != 2 or row < ROW_EXPONENTIAL:
        return 0
    positive = layout[0] >> 32
    if positive > row - ROW_EXPONENTIAL:
        return 0
    ranges.scale = <int32_t><uint32_t>layout[0]
    ranges.positive_count = <uint32_t>positive
    ranges.negative_count = row - ROW_EXPONENTIAL - <uint32_t>positive
    ranges.positive = <int32_t><uint32_t>layout[1] if ranges.positive_count else 0
    ranges.negative = <int32_t><uint32_t>(layout[1] >> 32) if ranges.negative_count else 0
    return 1


cdef void ranges_write(const Ranges *ranges, uint64_t *layout) noexcept nogil:
    layout[0] = <uint64_t><uint32_t>ranges.scale | (<uint64_t>ranges.positive_count << 32)
    layout[1] = <uint64_t><uint32_t>ranges.positive | (<uint64_t><uint32_t>ranges.negative << 32)


cdef uint32_t ranges_row(const Ranges *ranges) noexcept nogil:
    return ROW_EXPONENTIAL + ranges.positive_count + ranges.negative_count


cdef bint ranges_equal(const Ranges *a, const Ranges *b) noexcept nogil:
    return (
        a.scale == b.scale
        and a.positive == b.positive and a.positive_count == b.positive_count
        and a.negative == b.negative and a.negative_count == b.negative_count
    )


cdef int64_t join_side(
    int64_t a, uint32_t a_count, int64_t b, uint32_t b_count, int64_t *first
) noexcept nogil:
    """The number of buckets of the union of two ranges, and the first of them."""
    cdef int64_t end
    if a_count == 0:
        first[0] = b
        return b_count
    if b_count == 0:
        first[0] = a
        return a_count
    first[0] = a if a < b else b
    end = a + a_count if a + a_count > b + b_count else b + b_count
    return end - first[0]


cdef bint ranges_join(const Ranges *a, const Ranges *b, Ranges *out) noexcept nogil:
    cdef int64_t positive, negative, positive_count, negative_count
    if ranges_equal(a, b):
        out[0] = a[0]
        return 1
    if a.scale != b.scale:
        return 0
    positive_count = join_side(
        a.positive, a.positive_count, b.positive, b.positive_count, &positive)
    negative_count = join_side(
        a.negative, a.negative_count, b.negative, b.negative_count, &negative)
    if positive_count + negative_count > RANGE_COLUMNS:
        return 0
    out.scale = a.scale
    out.positive = positive
    out.negative = negative
    out.positive_count = <uint32_t>positive_count
    out.negative_count = <uint32_t>negative_count
    return 1


cdef void ranges_pad(
    const Ranges *source, const uint64_t *row, const Ranges *target, uint64_t *out
) noexcept nogil:
    memset(out, 0, 8 * ranges_row(target))
    memcpy(out, row, 8 * ROW_EXPONENTIAL)
    if source.positive_count:
        memcpy(
            out + ROW_EXPONENTIAL + (source.positive - target.positive),
            row + ROW_EXPONENTIAL,
            8 * source.positive_count,
        )
    if source.negative_count:
        memcpy(
            out + ROW_EXPONENTIAL + target.positive_count + (source.negative - target.negative),
            row + ROW_EXPONENTIAL + source.positive_count,
            8 * source.negative_count,
        )


cdef inline int64_t halved(int64_t index, int64_t times) noexcept nogil:
    # Bucket i of a scale is part of bucket floor(i / 2) of the next smaller one (OpenTelemetry data
    # model, "Exponential scale"); beyond 2^31 every index is 0 or -1 after 31 halvings.
    return index >> (times if times < 32 else 32)


cdef void ranges_coarsen(const Ranges *source, int64_t scale, Ranges *out) noexcept nogil:
    cdef int64_t times = source.scale - scale
    out[0] = source[0]
    out.scale = scale
    if source.positive_count:
        out.positive = halved(source.positive, times)
        out.positive_count = <uint32_t>(
            halved(source.positive + source.positive_count - 1, times) - out.positive + 1)
    if source.negative_count:
        out.negative = halved(source.negative, times)
        out.negative_count = <uint32_t>(
            halved(source.negative + source.negative_count - 1, times) - out.negative + 1)


cdef void ranges_fold(
    const Ranges *source, const uint64_t *row, const Ranges *target, uint64_t *out
) noexcept nogil:
    cdef int64_t times = source.scale - target.scale
    cdef uint64_t *counts
    cdef uint32_t i
    memset(out, 0, 8 * ranges_row(target))
    memcpy(out, row, 8 * ROW_EXPONENTIAL)
    counts = out + ROW_EXPONENTIAL
    for i in range(source.positive_count):
        counts[halved(source.positive + i, times) - target.positive] += row[ROW_EXPONENTIAL + i]
    counts += target.positive_count
    row += ROW_EXPONENTIAL + source.positive_count
    for i in range(source.negative_count):
        counts[halved(source.negative + i, times) - target.negative] += row[i]
