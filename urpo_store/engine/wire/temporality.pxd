# Temporality and monotonicity: what a data message says of all its points.
#
# Both are a part of the points' identity, and SDKs write them behind the points. So that one pass over the
# points is enough they are guessed first (WireMetric.settled is false), and settled when all of the message
# has been scanned, or before a batch is handed over. Where the guess was wrong the points belong to another
# metric; where there is no temporality they are refused.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from urpo_store.engine.points.slots cimport (
    KIND_GAUGE, KIND_SUM, KIND_SUMMARY, TEMPORALITY_CUMULATIVE, TEMPORALITY_DELTA,
)
from urpo_store.engine.wire.messages cimport DEPTH_DATA
from urpo_store.engine.wire.protobuf cimport WT_VARINT, read_varint, skip_value
from urpo_store.engine.wire.types cimport Scan, Span, WireMetric

cdef struct Stream:
    uint32_t temporality, monotonic

# The points of metric `index` come now, out of the message `data`.
cdef void stream_begin(Scan *scan, uint32_t index, Span data) noexcept nogil
# All of its message has been scanned, and this is what it says. OK or NO_MEMORY.
cdef int stream_settle(Scan *scan, Stream found) noexcept nogil
# A batch is to be handed over in the middle of it: settles it by a look at the fields that are still to
# come. OK, BAD_BYTES or NO_MEMORY.
cdef int stream_settle_early(Scan *scan) noexcept nogil


cdef inline bint lacks_temporality(const WireMetric *metric) noexcept nogil:
    """Whether it has none of a kind that must have one."""
    if metric.kind == KIND_GAUGE or metric.kind == KIND_SUMMARY:
        return False
    return metric.temporality != TEMPORALITY_DELTA and metric.temporality != TEMPORALITY_CUMULATIVE


cdef inline const uint8_t *read_stream_field(const uint8_t *p, const uint8_t *end, uint32_t tag, uint32_t kind, Stream *found) noexcept nogil:
    """Reads the value of a field of a data message, or skips it. NULL: the bytes are no protobuf."""
    cdef uint64_t value
    if tag == (2 << 3 | WT_VARINT) and kind != KIND_GAUGE and kind != KIND_SUMMARY:
        p = read_varint(p, end, &value)
        found.temporality = <uint32_t>value
    elif tag == (3 << 3 | WT_VARINT) and kind == KIND_SUM:
        p = read_varint(p, end, &value)
        found.monotonic = value != 0
    else:
        p = skip_value(p, end, tag, DEPTH_DATA)
    return p
