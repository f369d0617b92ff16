# The messages of OTLP metrics below Metric, as a table: which fields each has, and of which type.
#
# check_message decides exactly as protobuf's reference decoder (upb) whether bytes are such a
# message. The scanner uses it for what it does not enter itself.
from libc.stdint cimport uint32_t

from urpo_store.engine.wire.types cimport Span

cdef enum:
    M_ANY = 0
    M_ARRAY = 1
    M_KVLIST = 2
    M_KEYVALUE = 3
    M_RESOURCE = 4
    M_ENTITY = 5
    M_SCOPE = 6
    M_EXEMPLAR = 7
    M_NUMBER_POINT = 8
    M_HISTOGRAM_POINT = 9
    M_EXPONENTIAL_POINT = 10
    M_BUCKETS = 11
    M_SUMMARY_POINT = 12
    M_QUANTILE = 13
    M_NUMBERS = 14              # Gauge and Sum
    M_HISTOGRAM = 15
    M_EXPONENTIAL = 16
    M_SUMMARY = 17
    M_ATTRIBUTES = 18           # no message: a run of KeyValue fields, whatever their numbers
    M_COUNT = 19

    # How deep a message is in a request: upb counts from 0 and refuses more than DEPTH_LIMIT.
    DEPTH_RESOURCE = 2
    DEPTH_SCOPE = 3
    DEPTH_METRIC = 3
    DEPTH_DATA = 4
    DEPTH_POINT = 5

# WIRE_E_NONE: the bytes are a message of type `kind` (M_*) that may be at `depth`; else what is
# wrong.
cdef uint32_t check_message(uint32_t kind, Span body, int depth) noexcept nogil
