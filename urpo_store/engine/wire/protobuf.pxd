# Reading protobuf's wire format exactly as its reference decoder (upb) does.
#
# A message is read by one loop:
#
#     cursor = cursor_over(body, depth)
#     while next_field(&cursor, &field):
#         if field.tag == ...                   # wire/tags.pxd: number and wire type in one
#     return message_end(scan, &cursor)         # bytes that are no protobuf end the loop early
#
# Invariants:
#   1. cursor.at <= cursor.end. next_field checks bounds and moves `at`. The loop may move it too,
#      to a place in the message that it has checked itself.
#   2. next_field answers False at the end, and before a field that is no protobuf. Then `at` is at
#      that field's tag, so `at < end` tells the two apart and says where.
#   3. next_field has passed over the value, whatever it is. So a field that the loop does not know
#      needs nothing; a known number with another wire type is such a field, as to protobuf.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.wire.types cimport WIRE_E_BYTES, Scan, Span, malformed

cdef enum:
    WT_VARINT = 0
    WT_FIXED64 = 1
    WT_BYTES = 2
    WT_GROUP = 3
    WT_END_GROUP = 4
    WT_FIXED32 = 5
    DEPTH_LIMIT = 100           # messages (and groups) inside one another
    # The depth for a second reading of bytes that have been checked at their real depth. No depth
    # is less, so what has passed once passes again.
    CHECKED = 0

cdef struct Cursor:
    const uint8_t *at           # the next field's tag
    const uint8_t *end
    int depth                   # of the message that is read

cdef struct Field:
    uint32_t tag                # field number << 3 | WT_*
    const uint8_t *begin        # its first byte, that of the tag
    Span body                   # of WT_BYTES; else not set
    uint64_t value              # of WT_VARINT and WT_FIXED64; else not set

# The rarer half of the reading. Each answers the byte after what it read, or NULL: no protobuf.
cdef const uint8_t *long_varint(
    const uint8_t *p, const uint8_t *end, uint64_t *out
) noexcept nogil
# A length in any number of bytes; as many bytes are there.
cdef const uint8_t *long_length(const uint8_t *p, const uint8_t *end, size_t *out) noexcept nogil
# A tag of any length. Field number 0 passes, as upb lets it pass in a group and nowhere else.
cdef const uint8_t *long_tag(const uint8_t *p, const uint8_t *end, uint32_t *out) noexcept nogil
# Passes over the value of a field whose tag has been read, in a message at `depth`.
cdef const uint8_t *skip_value(
    const uint8_t *p, const uint8_t *end, uint32_t tag, int depth
) noexcept nogil
cdef bint valid_utf8(const uint8_t *p, size_t n) noexcept nogil


cdef inline const uint8_t *read_varint(
    const uint8_t *p, const uint8_t *end, uint64_t *out
) noexcept nogil:
    if p < end and p[0] < 0x80:
        out[0] = p[0]
        return p + 1
    return long_varint(p, end, out)


cdef inline const uint8_t *read_tag(
    const uint8_t *p, const uint8_t *end, uint32_t *out
) noexcept nogil:
    # Field numbers 1 to 15 take one byte. 8 is the least tag, because field number 0 is refused.
    if p < end and 8 <= p[0] < 0x80:
        out[0] = p[0]
        return p + 1
    p = long_tag(p, end, out)
    return p if p == NULL or out[0] >= 8 else NULL


cdef inline const uint8_t *read_length(
    const uint8_t *p, const uint8_t *end, size_t *out
) noexcept nogil:
    if p < end and p[0] < 0x80:
        if p[0] >= end - p:
            return NULL
        out[0] = p[0]
        return p + 1
    return long_length(p, end, out)


cdef inline const uint8_t *read_fixed64(
    const uint8_t *p, const uint8_t *end, uint64_t *out
) noexcept nogil:
    if end - p < 8:
        return NULL
    memcpy(out, p, 8)
    return p + 8


cdef inline Cursor cursor_over(Span body, int depth) noexcept nogil:
    cdef Cursor cursor
    cursor.at = body.p
    cursor.end = body.p + body.n
    cursor.depth = depth
    return cursor


# Reads the next field and moves behind it. False: see invariant 2.
cdef inline bint next_field(Cursor *cursor, Field *field) noexcept nogil:
    # Locals, so that cursor and field can stay in registers: the functions below take addresses.
    cdef const uint8_t *p = cursor.at
    cdef const uint8_t *end = cursor.end
    cdef uint32_t tag
    cdef uint64_t value
    cdef size_t length
    if p >= end:
        return False
    field.begin = p
    p = read_tag(p, end, &tag)
    if p == NULL:
        return False
    field.tag = tag
    # In the order of how often they come.
    if tag & 7 == WT_FIXED64:
        p = read_fixed64(p, end, &value)
        if p == NULL:
            return False
        field.value = value
    elif tag & 7 == WT_BYTES:
        p = read_length(p, end, &length)
        if p == NULL:
            return False
        field.body.p = p
        field.body.n = length
        p += length
    elif tag & 7 == WT_VARINT:
        p = read_varint(p, end, &value)
        if p == NULL:
            return False
        field.value = value
    else:
        p = skip_value(p, end, tag, cursor.depth)
        if p == NULL:
            return False
    cursor.at = p
    return True


# After the loop: OK if all of the message has been read, else BAD_BYTES, and the scan notes where.
cdef inline int message_end(Scan *scan, const Cursor *cursor) noexcept nogil:
    return OK if cursor.at >= cursor.end else malformed(scan, WIRE_E_BYTES, cursor.at)
