"""The table of OTLP's messages, and the check by it; the contract is in wire/messages.pxd."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from urpo_store.engine.wire.protobuf cimport (
    DEPTH_LIMIT, WT_BYTES, Cursor, Field, cursor_over, next_field, read_varint, valid_utf8,
)
from urpo_store.engine.wire.types cimport WIRE_E_BYTES, WIRE_E_DEPTH, WIRE_E_NONE, WIRE_E_UTF8, Span

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
        M_ATTRIBUTES: {number: attributes for number in range(FIELDS)},
    }
    for kind in range(M_COUNT):
        for number in range(FIELDS):
            fields[kind][number] = table[kind].get(number, F_UNKNOWN)


# Filled once, at import; read only after that.
_fill()


cdef bint is_packed_varints(Span body) noexcept nogil:
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint64_t value
    while p != NULL and p < end:
        p = read_varint(p, end, &value)
    return p != NULL


cdef uint32_t check_value(uint32_t type, Span body) noexcept nogil:
    """Checks what is in a field of wire type WT_BYTES that is no message."""
    if type == F_STRING and not valid_utf8(body.p, body.n):
        return WIRE_E_UTF8
    if type == F_PACKED_FIXED64 and body.n % 8:
        return WIRE_E_BYTES
    if type == F_PACKED_VARINT and not is_packed_varints(body):
        return WIRE_E_BYTES
    return WIRE_E_NONE


cdef uint32_t check_message(uint32_t kind, Span body, int depth) noexcept nogil:
    # The messages that are open: a stack of our own, bounded by the depth that upb allows.
    cdef const uint8_t *ends[DEPTH_LIMIT + 1]
    cdef uint32_t kinds[DEPTH_LIMIT + 1]
    cdef int open_messages = 0
    cdef Cursor cursor = cursor_over(body, depth)
    cdef Field field
    cdef uint32_t type, error
    if depth > DEPTH_LIMIT:
        return WIRE_E_DEPTH
    while True:
        while next_field(&cursor, &field):
            # A scalar is passed over, and so is what upb does not know here.
            if field.tag & 7 != WT_BYTES or field.tag >> 3 >= FIELDS:
                continue
            type = fields[kind][field.tag >> 3]
            if type & 0xFF != F_MESSAGE:
                error = check_value(type, field.body)
                if error != WIRE_E_NONE:
                    return error
                continue
            if cursor.depth >= DEPTH_LIMIT:
                return WIRE_E_DEPTH
            ends[open_messages] = cursor.end
            kinds[open_messages] = kind
            open_messages += 1
            cursor.at = field.body.p
            cursor.end = field.body.p + field.body.n
            cursor.depth += 1
            kind = type >> 8
        if cursor.at < cursor.end:
            return WIRE_E_BYTES
        if open_messages == 0:
            return WIRE_E_NONE
        open_messages -= 1
        cursor.end = ends[open_messages]
        cursor.depth -= 1
        kind = kinds[open_messages]
