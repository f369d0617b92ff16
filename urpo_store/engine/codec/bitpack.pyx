"""Bit packing in blocks of 32; the contract is in codec/bitpack.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.codec.bits cimport (
    BitWriter, bit_length, end_bits, load_bits, load_word, low_bits, put_bits,
)


cdef inline uint32_t block_width(const uint64_t *values, size_t count) noexcept nogil:
    cdef uint64_t merged = 0
    cdef size_t i
    for i in range(count):
        merged |= values[i]
    return bit_length(merged)


cdef size_t packed_size(const uint64_t *values, size_t count) noexcept nogil:
    cdef size_t at = 0, size = 0, block
    while at < count:
        block = count - at if count - at < PACK_BLOCK else PACK_BLOCK
        size += 1 + ((block * block_width(values + at, block) + 7) >> 3)
        at += block
    return size


cdef uint8_t *pack_blocks(const uint64_t *values, size_t count, uint8_t *out) noexcept nogil:
    cdef size_t at = 0, block, i
    cdef uint32_t width
    cdef BitWriter writer
    while at < count:
        block = count - at if count - at < PACK_BLOCK else PACK_BLOCK
        width = block_width(values + at, block)
        out[0] = width
        writer.out = out + 1
        writer.pending = 0
        writer.held = 0
        for i in range(block):
            put_bits(&writer, values[at + i], width)
        out = end_bits(&writer)
        at += block
    return out


cdef inline void unpack_block(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint32_t width, uint64_t *values
) noexcept nogil:
    cdef size_t i = 0, safe = 0, room = end - bytes
    cdef uint64_t mask = low_bits(width)
    if width == 0:
        memset(values, 0, 8 * count)
        return
    # Fast path: a number of at most 57 bits lies in the 8 bytes from its first byte on. If those of
    # the last number end before `end`, all may be loaded.
    if width <= 57:
        if room >= 8 + ((count * width) >> 3):
            safe = count
        for i in range(safe):
            values[i] = (load_word(bytes + ((i * width) >> 3)) >> ((i * width) & 7)) & mask
    for i in range(safe, count):
        values[i] = load_bits(bytes, end, i * width, width)


cdef const uint8_t *unpack_blocks(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values
) noexcept nogil:
    cdef size_t at = 0, block, size
    cdef uint32_t width
    while at < count:
        if bytes >= end:
            return NULL
        width = bytes[0]
        bytes += 1
        block = count - at if count - at < PACK_BLOCK else PACK_BLOCK
        size = (block * width + 7) >> 3
        if width > 64 or <size_t>(end - bytes) < size:
            return NULL
        unpack_block(bytes, end, block, width, values + at)
        bytes += size
        at += block
    return bytes
