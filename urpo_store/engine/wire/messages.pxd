# The messages of OTLP metrics, as a table: which fields each has, and of which type.
#
# check_message decides whether bytes are such a message exactly as protobuf's reference decoder (upb)
# does. The scanner uses it for whatever it does not enter itself.
from libc.stdint cimport uint8_t, uint32_t

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
    M_METRIC = 18
    M_SCOPE_METRICS = 19
    M_RESOURCE_METRICS = 20
    M_REQUEST = 21
    M_ATTRIBUTES = 22           # no message: a run of KeyValue fields, whatever their numbers
    M_COUNT = 23

    # How deep a message stands in a request: upb counts from 0 and refuses more than 100.
    DEPTH_RESOURCE = 2
    DEPTH_SCOPE = 3
    DEPTH_METRIC = 3
    DEPTH_DATA = 4
    DEPTH_POINT = 5

# WIRE_E_*: 0 if the bytes are a message of this type that stands at `depth`.
cdef uint32_t check_message(uint32_t kind, const uint8_t *p, const uint8_t *end, int depth) noexcept nogil
