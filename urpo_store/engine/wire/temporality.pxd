# Temporality and monotonicity: what a data message (Sum, Histogram, ...) says of all its points.
#
# Both are a part of the points' identity, and SDKs write them after the points. So that one pass
# over the points is enough,
#   1. stream_begin guesses them (WireMetric.settled is false);
#   2. stream_settle compares the guess with what the whole message said. stream_settle_early does
#      so before a batch is handed over, and looks for the fields that are still to come.
#   3. If the guess was wrong, the points go to another WireMetric and count as unresolved; if there
#      is no temporality, they are refused.
from libc.stdint cimport uint32_t

from urpo_store.engine.points.slots cimport (
    KIND_GAUGE, KIND_SUM, KIND_SUMMARY, TEMPORALITY_CUMULATIVE, TEMPORALITY_DELTA,
)
from urpo_store.engine.wire.protobuf cimport Field
from urpo_store.engine.wire.tags cimport DATA_MONOTONIC, DATA_TEMPORALITY
from urpo_store.engine.wire.types cimport Scan, Span, WireMetric

cdef struct Stream:
    uint32_t temporality, monotonic

# The points of metric `index` come now, out of the message `data`.
cdef void stream_begin(Scan *scan, uint32_t index, Span data) noexcept nogil
# All of the message has been scanned, and `found` is what it says. OK or NO_MEMORY.
cdef int stream_settle(Scan *scan, Stream found) noexcept nogil
# A batch is to be handed over in the middle of the message. OK, BAD_BYTES or NO_MEMORY.
cdef int stream_settle_early(Scan *scan) noexcept nogil


cdef inline bint has_temporality(uint32_t kind) noexcept nogil:
    return kind != KIND_GAUGE and kind != KIND_SUMMARY


# Whether a metric has no temporality though its kind must have one.
cdef inline bint lacks_temporality(const WireMetric *metric) noexcept nogil:
    return (has_temporality(metric.kind) and metric.temporality != TEMPORALITY_DELTA
            and metric.temporality != TEMPORALITY_CUMULATIVE)


# Notes what a field of a data message says; most say nothing.
cdef inline void read_stream_field(const Field *field, uint32_t kind, Stream *found) noexcept nogil:
    if field.tag == DATA_TEMPORALITY and has_temporality(kind):
        found.temporality = <uint32_t>field.value
    elif field.tag == DATA_MONOTONIC and kind == KIND_SUM:
        found.monotonic = field.value != 0
