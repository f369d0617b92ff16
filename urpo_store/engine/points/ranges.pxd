# The bucket ranges of exponential histograms: reading them, joining them, padding rows to them.
#
# A row of an exponential histogram has ROW_EXPONENTIAL fixed words, then the positive counts, then
# the negative ones (points/slots.pxd). Points of one chunk share one layout: the union of their ranges.
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    RANGE_COLUMNS = 1024        # a union never grows beyond so many counts

cdef struct Ranges:
    int64_t scale
    int64_t positive, negative              # indexes of the first buckets; 0 where there are none
    uint32_t positive_count, negative_count

# Reads a layout; 0 if the words are not those of an exponential histogram of `row` row words.
cdef bint ranges_read(Ranges *ranges, const uint64_t *layout, uint32_t words, uint32_t row) noexcept nogil
cdef void ranges_write(const Ranges *ranges, uint64_t *layout) noexcept nogil           # 2 words
cdef uint32_t ranges_row(const Ranges *ranges) noexcept nogil                           # row words
cdef bint ranges_equal(const Ranges *a, const Ranges *b) noexcept nogil
# The union of both, of equal scale; 0 if the scales differ or the union would be too wide.
cdef bint ranges_join(const Ranges *a, const Ranges *b, Ranges *out) noexcept nogil
# Writes `row`, which has the ranges `source`, with the ranges `target` that contain them.
cdef void ranges_pad(const Ranges *source, const uint64_t *row, const Ranges *target, uint64_t *out) noexcept nogil
# The ranges at a smaller scale, and a row brought to them.
cdef void ranges_coarsen(const Ranges *source, int64_t scale, Ranges *out) noexcept nogil
cdef void ranges_fold(const Ranges *source, const uint64_t *row, const Ranges *target, uint64_t *out) noexcept nogil
