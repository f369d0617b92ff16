# Reading protobuf's wire format: one cursor, one bounds check a step, as upb decides.
#
# Each function returns the byte behind what it read, or NULL when the bytes are no protobuf.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    WT_VARINT = 0
    WT_FIXED64 = 1
    WT_BYTES = 2
    WT_GROUP = 3
    WT_END_GROUP = 4
    WT_FIXED32 = 5
    DEPTH_LIMIT = 100           # messages (and groups) inside one another

cdef const uint8_t *long_varint(const uint8_t *p, const uint8_t *end, uint64_t *out) noexcept nogil
# A tag of any length, field number 0 included.
cdef const uint8_t *long_tag(const uint8_t *p, const uint8_t *end, uint32_t *out) noexcept nogil
# Skips the value of a field whose tag has been read; `depth` is that of the message it stands in.
cdef const uint8_t *skip_value(const uint8_t *p, const uint8_t *end, uint32_t tag, int depth) noexcept nogil
cdef bint valid_utf8(const uint8_t *p, size_t n) noexcept nogil


cdef inline const uint8_t *read_varint(const uint8_t *p, const uint8_t *end, uint64_t *out) noexcept nogil:
    if p < end and p[0] < 0x80:
        out[0] = p[0]
        return p + 1
    return long_varint(p, end, out)


cdef inline const uint8_t *read_tag(const uint8_t *p, const uint8_t *end, uint32_t *out) noexcept nogil:
    # Field numbers 1 to 15 take one byte; 8 is the least tag, for field number 0 is refused.
    if p < end and 8 <= p[0] < 0x80:
        out[0] = p[0]
        return p + 1
    p = long_tag(p, end, out)
    return p if p == NULL or out[0] >= 8 else NULL


cdef inline const uint8_t *read_length(const uint8_t *p, const uint8_t *end, size_t *out) noexcept nogil:
    cdef const uint8_t *begin = p
    cdef uint64_t length
    p = read_varint(p, end, &length)
    # Compared unsigned, before anything is added to a pointer. upb reads five bytes of it at most.
    if p == NULL or length > <size_t>(end - p) or p - begin > 5:
        return NULL
    out[0] = length
    return p


cdef inline const uint8_t *read_fixed64(const uint8_t *p, const uint8_t *end, uint64_t *out) noexcept nogil:
    if end - p < 8:
        return NULL
    memcpy(out, p, 8)
    return p + 8
