# Bits and bytes of a column: varints, bit streams, and signed numbers as unsigned ones.
#
# Stored bytes are little-endian, and bit streams fill each byte from its lowest bit. The loads and
# stores below copy 8 bytes as they are, so they are right on little-endian machines only.
#
# Writers need 8 bytes of room behind what they write. Readers never touch a byte at or behind
# `end`: load_bits gives zeros there. A reader of a whole stream checks its length once, at the end.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    static inline unsigned urpo_bit_length(unsigned long long x) {
        return x ? 64 - (unsigned)__builtin_clzll(x) : 0;
    }
    """
    uint32_t bit_length "urpo_bit_length"(uint64_t x) noexcept nogil

# A bit stream being written. Between calls `held` < 64 bits wait in `pending`, whose other bits are
# 0.
cdef struct BitWriter:
    uint8_t *out
    uint64_t pending
    uint32_t held


cdef inline uint64_t zigzag(uint64_t x) noexcept nogil:
    """Small magnitudes of either sign to small numbers: 0, -1, 1, -2, 2 -> 0, 1, 2, 3, 4."""
    return (x << 1) ^ (<uint64_t>0 - (x >> 63))


cdef inline uint64_t unzigzag(uint64_t x) noexcept nogil:
    return (x >> 1) ^ (<uint64_t>0 - (x & 1))


cdef inline uint8_t *put_varint(uint8_t *out, uint64_t x) noexcept nogil:
    """Seven bits a byte, lowest first; the top bit is set on all bytes but the last of 1 to 10."""
    while x >= 0x80:
        out[0] = <uint8_t>(x | 0x80)
        out += 1
        x >>= 7
    out[0] = <uint8_t>x
    return out + 1


cdef inline const uint8_t *get_varint(
    const uint8_t *bytes, const uint8_t *end, uint64_t *x
) noexcept nogil:
    """The byte behind the number, or NULL if it does not end before `end` or within 10 bytes."""
    cdef uint32_t shift = 0
    x[0] = 0
    while bytes < end and shift < 70:
        x[0] |= <uint64_t>(bytes[0] & 0x7F) << (shift if shift < 64 else 63)
        bytes += 1
        if (bytes - 1)[0] < 0x80:
            return bytes
        shift += 7
    return NULL


cdef inline uint64_t load_word(const uint8_t *bytes) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, bytes, 8)
    return word


cdef inline uint64_t load_word_before(const uint8_t *bytes, const uint8_t *end) noexcept nogil:
    """Eight bytes, with zeros for those at or behind `end`; `bytes` itself may lie behind `end`."""
    cdef uint64_t word = 0
    if bytes < end:
        if end - bytes >= 8:
            memcpy(&word, bytes, 8)
        else:
            memcpy(&word, bytes, end - bytes)
    return word


cdef inline uint64_t low_bits(uint32_t width) noexcept nogil:
    """A mask of `width` (0..64) ones."""
    return ~<uint64_t>0 >> (64 - width) if width else 0


cdef inline uint64_t load_bits(
    const uint8_t *bytes, const uint8_t *end, size_t bit, uint32_t width
) noexcept nogil:
    """`width` (0..64) bits from bit offset `bit`."""
    cdef const uint8_t *at = bytes + (bit >> 3)
    cdef uint32_t shift = bit & 7
    cdef uint64_t word = load_word_before(at, end) >> shift
    if shift + width > 64 and end - at > 8:
        word |= <uint64_t>at[8] << (64 - shift)
    return word & low_bits(width)


cdef inline void put_bits(BitWriter *writer, uint64_t x, uint32_t width) noexcept nogil:
    """Appends the `width` (0..64) low bits of x. REQUIRES: its other bits are 0."""
    cdef uint32_t rest
    writer.pending |= x << writer.held
    if writer.held + width >= 64:
        memcpy(writer.out, &writer.pending, 8)
        writer.out += 8
        rest = writer.held + width - 64
        # Two shifts: writer.held may be 0, and a shift by 64 is undefined.
        writer.pending = (x >> 1) >> (63 - writer.held)
        writer.held = rest
    else:
        writer.held += width
        memcpy(writer.out, &writer.pending, 8)
        writer.out += writer.held >> 3
        writer.pending >>= writer.held & 56
        writer.held &= 7


cdef inline uint8_t *end_bits(BitWriter *writer) noexcept nogil:
    """Writes the bits that wait, and zeros up to a whole byte. Returns the byte behind."""
    memcpy(writer.out, &writer.pending, 8)
    writer.out += (writer.held + 7) >> 3
    writer.pending = 0
    writer.held = 0
    return writer.out
