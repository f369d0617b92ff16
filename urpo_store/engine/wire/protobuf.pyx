"""The rarer half of reading protobuf's wire format; the contract is in wire/protobuf.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef const uint8_t *long_varint(
    const uint8_t *p, const uint8_t *end, uint64_t *out
) noexcept nogil:
    # As upb: at most ten bytes, bits beyond the 64th are dropped, over-long encodings are fine.
    cdef uint64_t value = 0
    cdef int shift = 0
    while shift < 70:
        if p >= end:
            return NULL
        if shift < 64:
            value |= <uint64_t>(p[0] & 0x7F) << shift
        if p[0] < 0x80:
            out[0] = value
            return p + 1
        p += 1
        shift += 7
    return NULL


cdef const uint8_t *long_length(const uint8_t *p, const uint8_t *end, size_t *out) noexcept nogil:
    cdef const uint8_t *begin = p
    cdef uint64_t length
    p = long_varint(p, end, &length)
    # Compared unsigned, before anything is added to a pointer. upb reads at most five bytes of it.
    if p == NULL or length > <size_t>(end - p) or p - begin > 5:
        return NULL
    out[0] = length
    return p


cdef const uint8_t *long_tag(const uint8_t *p, const uint8_t *end, uint32_t *out) noexcept nogil:
    # At most five bytes and 32 bits, so that field numbers stay below 2^29.
    cdef uint64_t value = 0
    cdef int shift = 0
    while shift < 35:
        if p >= end:
            return NULL
        value |= <uint64_t>(p[0] & 0x7F) << shift
        if p[0] < 0x80:
            if value > 0xFFFFFFFFu:
                return NULL
            out[0] = <uint32_t>value
            return p + 1
        p += 1
        shift += 7
    return NULL


cdef const uint8_t *skip_value(
    const uint8_t *p, const uint8_t *end, uint32_t tag, int depth
) noexcept nogil:
    # Groups nest. The numbers of the open ones are kept, because each end must match its begin.
    cdef uint32_t open_groups[DEPTH_LIMIT]
    cdef int count = 0
    cdef uint64_t value
    cdef size_t length
    cdef uint32_t wire_type
    while True:
        wire_type = tag & 7
        if wire_type == WT_VARINT:
            p = read_varint(p, end, &value)
        elif wire_type == WT_FIXED64:
            p = p + 8 if end - p >= 8 else NULL
        elif wire_type == WT_FIXED32:
            p = p + 4 if end - p >= 4 else NULL
        elif wire_type == WT_BYTES:
            p = read_length(p, end, &length)
            if p != NULL:
                p += length
        elif wire_type == WT_GROUP:
            if depth + count >= DEPTH_LIMIT:
                return NULL
            open_groups[count] = tag >> 3
            count += 1
        elif wire_type == WT_END_GROUP:
            if count == 0 or open_groups[count - 1] != tag >> 3:
                return NULL
            count -= 1
        else:
            return NULL
        if p == NULL or count == 0:
            return p
        # In a group upb lets field number 0 pass, which it refuses everywhere else.
        p = long_tag(p, end, &tag)
        if p == NULL:
            return NULL


cdef inline bint continues(uint8_t byte) noexcept nogil:
    return byte & 0xC0 == 0x80


cdef bint valid_utf8(const uint8_t *p, size_t n) noexcept nogil:
    cdef const uint8_t *end = p + n
    cdef uint64_t word
    cdef uint8_t lead
    while p < end:
        while end - p >= 8:
            memcpy(&word, p, 8)
            if word & 0x8080808080808080u:
                break
            p += 8
        if p >= end:
            return True
        lead = p[0]
        if lead < 0x80:
            p += 1
        elif lead < 0xC2:
            # A continuation byte out of place, or an over-long form.
            return False
        elif lead < 0xE0:
            if end - p < 2 or not continues(p[1]):
                return False
            p += 2
        elif lead < 0xF0:
            if end - p < 3 or not continues(p[1]) or not continues(p[2]):
                return False
            # Over-long forms and surrogates.
            if (lead == 0xE0 and p[1] < 0xA0) or (lead == 0xED and p[1] >= 0xA0):
                return False
            p += 3
        elif lead < 0xF5:
            if end - p < 4 or not continues(p[1]) or not continues(p[2]) or not continues(p[3]):
                return False
            # Over-long forms and what is beyond U+10FFFF.
            if (lead == 0xF0 and p[1] < 0x90) or (lead == 0xF4 and p[1] >= 0x90):
                return False
            p += 4
        else:
            return False
    return True
