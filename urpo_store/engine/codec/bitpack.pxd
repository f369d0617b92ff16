# Bit packing: blocks of 32 numbers, each block with the width of its largest.
#
#   +-----------+----------------------------+-----------+---
#   | width u8  | 32 numbers, `width` bits   | width u8  | ...   the last block is shorter
#   +-----------+----------------------------+-----------+---
#
# For streams whose size of numbers wanders; decodes fastest. Pure functions; any thread.
from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    PACK_BLOCK = 32

# Bytes that pack_blocks will write.
cdef size_t packed_size(const uint64_t *values, size_t count) noexcept nogil
# The byte behind; needs 8 bytes of room behind that.
cdef uint8_t *pack_blocks(const uint64_t *values, size_t count, uint8_t *out) noexcept nogil
# The byte behind, or NULL if the bytes end early or a width is above 64.
cdef const uint8_t *unpack_blocks(const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values) noexcept nogil
