# The bucket ranges of exponential histograms: reading them, joining them, padding rows to them.
#
# A row of an exponential histogram has ROW_EXPONENTIAL fixed words, then the positive counts, then
# the negative ones (points/slots.pxd). Points of one chunk share one layout: the union of their
# ranges. Pure functions; any thread.
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    RANGE_COLUMNS = 1024        # a union never has more counts than this

cdef struct Ranges:
    int64_t scale
    int64_t positive, negative              # indexes of the first buckets; 0 where there are none
    uint32_t positive_count, negative_count

# Reads a layout of `words` words. False: it is not that of an exponential histogram of `row` words.
cdef bint ranges_read(
    Ranges *ranges, const uint64_t *layout, uint32_t words, uint32_t row
) noexcept nogil
# Writes the 2 words of the layout.
cdef void ranges_write(const Ranges *ranges, uint64_t *layout) noexcept nogil
# How many words a row has.
cdef uint32_t ranges_row(const Ranges *ranges) noexcept nogil
cdef bint ranges_equal(const Ranges *a, const Ranges *b) noexcept nogil
# Sets *out to the union of both. False: their scales differ, or the union would be too wide.
cdef bint ranges_join(const Ranges *a, const Ranges *b, Ranges *out) noexcept nogil
# Writes `row`, whose ranges are `source`, as a row of the ranges `target`, which contain them.
cdef void ranges_pad(
    const Ranges *source, const uint64_t *row, const Ranges *target, uint64_t *out
) noexcept nogil
# Sets *out to the ranges at a smaller scale.
cdef void ranges_coarsen(const Ranges *source, int64_t scale, Ranges *out) noexcept nogil
# Writes `row`, whose ranges are `source`, as a row of the ranges `target` that ranges_coarsen made.
cdef void ranges_fold(
    const Ranges *source, const uint64_t *row, const Ranges *target, uint64_t *out
) noexcept nogil
