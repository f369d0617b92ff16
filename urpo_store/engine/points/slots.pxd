# The packed point, and what follows a point that is more than one number.
#
# A *slot* is 32 bytes. Staging memory and the ring hold runs of slots. A run that a producer
# reserves and publishes at once is a *claim*:
#
#   START   timestamp = the start time (Unix ns, 0 unknown) of the points behind it
#   point   a Point; `start` is the distance in slots back to its START slot (always >= 1)
#   EXT     ceil(payload / 4) slots of payload words, directly behind their point (payload > 0)
#
# Every claim begins with a START slot, and a point refers to the nearest START slot before it. So
# the drain may stop at a START slot: no point after it refers to one before it.
#
# Payload words (u64) of a histogram, exponential histogram or summary, or of a point with
# exemplars:
#
#   word 0            bits 0..15 layout words L, 16..31 row words R, 32..63 exemplar bytes E
#   L layout words    what neighbouring points of a series share; two points have the same layout
#                     when L, R and these words are equal:
#     HISTOGRAM         the bounds (f64 bits)
#     EXPONENTIAL       [0] scale (low u32, as i32) | number of positive counts << 32
#                       [1] positive offset (low u32, as i32) | negative offset (high u32, as i32)
#     SUMMARY           the quantiles (f64 bits)
#     GAUGE, SUM        none
#   R row words       what changes from point to point; `Point.value` is the count (u64):
#     HISTOGRAM         sum, min, max (f64 bits, 0 if absent), then the bucket counts: none, or one
#                       more than bounds
#     EXPONENTIAL       sum, min, max, zero_count, zero_threshold (f64), positive counts, negative
#                       counts; the scanner trims zeros at either end; an empty side has offset 0
#     SUMMARY           sum (f64), then one f64 per quantile
#     GAUGE, SUM        none
#   E exemplar bytes  u32 length + raw OTLP Exemplar message, repeated; padded with zeros to 8
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    KIND_GAUGE = 1
    KIND_SUM = 2
    KIND_HISTOGRAM = 3
    KIND_EXPONENTIAL = 4
    KIND_SUMMARY = 5

    # OTLP's numbers; gauges and summaries have 0.
    TEMPORALITY_DELTA = 1
    TEMPORALITY_CUMULATIVE = 2

    # Point.flags: OTLP's data point flags in the low 24 bits, the engine's above.
    FLAG_STALE = 1              # OTLP "no recorded value": the value bits are 0 and mean nothing
    FLAGS_OTLP = 0x00FFFFFF
    FLAG_INT = 1 << 24          # value is an int64 (a count is not marked)
    FLAG_SUM = 1 << 25          # the row's sum is present; FLAG_MIN, FLAG_MAX alike
    FLAG_MIN = 1 << 26
    FLAG_MAX = 1 << 27

    # Point.series of slots that are not points; ids of series are smaller (ID_LIMIT).
    SERIES_START = 0xFFFFFFFE
    SERIES_EXT = 0xFFFFFFFF

    ROW_HISTOGRAM = 3           # fixed words in front of a row's counts
    ROW_EXPONENTIAL = 5
    ROW_SUMMARY = 1

cdef struct Point:
    int64_t timestamp           # Unix ns
    uint64_t value              # bits of a float64 or int64; the count of a histogram or summary
    uint32_t series
    uint32_t payload            # number of payload words behind this point, 0 none
    uint32_t start              # slots back to the START slot that governs this point
    uint32_t flags

cdef inline uint32_t payload_layout_words(uint64_t header) noexcept nogil:
    return header & 0xFFFF

cdef inline uint32_t payload_row_words(uint64_t header) noexcept nogil:
    return (header >> 16) & 0xFFFF

cdef inline uint32_t payload_exemplar_bytes(uint64_t header) noexcept nogil:
    return header >> 32

cdef inline uint64_t payload_header(
    uint32_t layout, uint32_t row, uint32_t exemplars
) noexcept nogil:
    return <uint64_t>layout | (<uint64_t>row << 16) | (<uint64_t>exemplars << 32)

cdef inline uint32_t ext_slots(uint32_t payload) noexcept nogil:
    return (payload + 3) >> 2


cdef inline bint row_is_double(uint32_t kind, uint32_t j) noexcept nogil:
    """Whether row word j of a point of this kind is a double; else it is a count."""
    if kind == KIND_SUMMARY:
        return 1
    if kind == KIND_EXPONENTIAL:
        return j < ROW_EXPONENTIAL and j != 3
    return j < ROW_HISTOGRAM


cdef inline uint32_t row_first_count(uint32_t kind) noexcept nogil:
    """The first row word of a (exponential) histogram that is a bucket count."""
    return ROW_EXPONENTIAL if kind == KIND_EXPONENTIAL else ROW_HISTOGRAM


cdef inline uint64_t row_total(uint32_t kind, const uint64_t *row, uint32_t words) noexcept nogil:
    """The sum of all counts in the row of a (exponential) histogram, the zero count included."""
    cdef uint64_t sum = row[3] if kind == KIND_EXPONENTIAL else 0
    cdef uint32_t j
    for j in range(row_first_count(kind), words):
        sum += row[j]
    return sum
