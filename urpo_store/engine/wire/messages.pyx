"""The table of OTLP's messages, and the check by it; the contract is in wire/messages.pxd."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from urpo_store.engine.wire.protobuf cimport (
    DEPTH_LIMIT, WT_BYTES, read_length, read_tag, read_varint, skip_value, valid_utf8,
)
from urpo_store.engine.wire.types cimport WIRE_E_BYTES, WIRE_E_DEPTH, WIRE_E_NONE, WIRE_E_UTF8

cdef enum:
    F_UNKNOWN = 0
    F_VARINT = 1
    F_FIXED64 = 2
    F_BYTES = 3
    F_STRING = 4
    F_PACKED_FIXED64 = 5
    F_PACKED_VARINT = 6
    F_MESSAGE = 7               # + kind << 8
    FIELDS = 16                 # all of OTLP metrics' field numbers are below

cdef uint16_t fields[M_COUNT][FIELDS]


def _fill():
    cdef uint32_t kind, number
    s, b, v, f, p, q = F_STRING, F_BYTES, F_VARINT, F_FIXED64, F_PACKED_FIXED64, F_PACKED_VARINT

    def message(kind):
        return F_MESSAGE | kind << 8

    attributes = message(M_KEYVALUE)
    exemplars = message(M_EXEMPLAR)
    table = {
        M_ANY: {1: s, 2: v, 3: v, 4: f, 5: message(M_ARRAY), 6: message(M_KVLIST), 7: b, 8: v},
        M_ARRAY: {1: message(M_ANY)},
        M_KVLIST: {1: attributes},
        M_KEYVALUE: {1: s, 2: message(M_ANY), 3: v},
        M_RESOURCE: {1: attributes, 2: v, 3: message(M_ENTITY)},
        M_ENTITY: {1: s, 2: s, 3: s, 4: s},
        M_SCOPE: {1: s, 2: s, 3: attributes, 4: v},
        M_EXEMPLAR: {2: f, 3: f, 4: b, 5: b, 6: f, 7: attributes},
        M_NUMBER_POINT: {2: f, 3: f, 4: f, 5: exemplars, 6: f, 7: attributes, 8: v},
        M_HISTOGRAM_POINT: {2: f, 3: f, 4: f, 5: f, 6: p, 7: p, 8: exemplars, 9: attributes, 10: v,
                            11: f, 12: f},
        M_EXPONENTIAL_POINT: {1: attributes, 2: f, 3: f, 4: f, 5: f, 6: v, 7: f,
                              8: message(M_BUCKETS), 9: message(M_BUCKETS), 10: v, 11: exemplars,
                              12: f, 13: f, 14: f},
        M_BUCKETS: {1: v, 2: q},
        M_SUMMARY_POINT: {2: f, 3: f, 4: f, 5: f, 6: message(M_QUANTILE), 7: attributes, 8: v},
        M_QUANTILE: {1: f, 2: f},
        M_NUMBERS: {1: message(M_NUMBER_POINT), 2: v, 3: v},
        M_HISTOGRAM: {1: message(M_HISTOGRAM_POINT), 2: v},
        M_EXPONENTIAL: {1: message(M_EXPONENTIAL_POINT), 2: v},
        M_SUMMARY: {1: message(M_SUMMARY_POINT)},
        M_METRIC: {1: s, 2: s, 3: s, 5: message(M_NUMBERS), 7: message(M_NUMBERS),
                   9: message(M_HISTOGRAM), 10: message(M_EXPONENTIAL), 11: message(M_SUMMARY),
                   12: attributes},
        M_SCOPE_METRICS: {1: message(M_SCOPE), 2: message(M_METRIC), 3: s},
        M_RESOURCE_METRICS: {1: message(M_RESOURCE), 2: message(M_SCOPE_METRICS), 3: s},
        M_REQUEST: {1: message(M_RESOURCE_METRICS)},
        M_ATTRIBUTES: {number: attributes for number in range(FIELDS)},
    }
    for kind in range(M_COUNT):
        for number in range(FIELDS):
            fields[kind][number] = table[kind].get(number, F_UNKNOWN)


# Filled once, at import; read only after that.
_fill()


cdef inline const uint8_t *check_packed(const uint8_t *p, size_t length) noexcept nogil:
    cdef const uint8_t *end = p + length
    cdef uint64_t value
    while p != NULL and p < end:
        p = read_varint(p, end, &value)
    return p


cdef uint32_t check_message(uint32_t kind, const uint8_t *p, const uint8_t *end, int depth) noexcept nogil:
    # The messages that are open: a stack of our own, bounded by the depth that upb allows.
    cdef const uint8_t *ends[DEPTH_LIMIT + 1]
    cdef uint32_t kinds[DEPTH_LIMIT + 1]
    cdef int open_messages = 0
    cdef uint32_t tag, field, wire_type
    cdef size_t length
    if depth > DEPTH_LIMIT:
        return WIRE_E_DEPTH
    while True:
        while p >= end:
            if open_messages == 0:
                return WIRE_E_NONE
            open_messages -= 1
            end = ends[open_messages]
            kind = kinds[open_messages]
        p = read_tag(p, end, &tag)
        if p == NULL:
            return WIRE_E_BYTES
        wire_type = tag & 7
        field = fields[kind][tag >> 3] if tag >> 3 < FIELDS else <uint32_t>F_UNKNOWN
        if wire_type != WT_BYTES or field == F_UNKNOWN or field == F_VARINT or field == F_FIXED64:
            # A scalar, or something that upb does not know here and passes over: either way its
            # bytes are skipped by their wire type.
            p = skip_value(p, end, tag, depth + open_messages)
            if p == NULL:
                return WIRE_E_BYTES
            continue
        p = read_length(p, end, &length)
        if p == NULL:
            return WIRE_E_BYTES
        if field & 0xFF == F_MESSAGE:
            if depth + open_messages >= DEPTH_LIMIT:
                return WIRE_E_DEPTH
            ends[open_messages] = end
            kinds[open_messages] = kind
            open_messages += 1
            end = p + length
            kind = field >> 8
            continue
        if field == F_STRING and not valid_utf8(p, length):
            return WIRE_E_UTF8
        if field == F_PACKED_FIXED64 and length % 8:
            return WIRE_E_BYTES
        if field == F_PACKED_VARINT and check_packed(p, length) == NULL:
            return WIRE_E_BYTES
        p += length
