# Bit packing: blocks of 32 numbers, each block with the width of its largest.
#
#   +-----------+----------------------------+-----------+---
#   | width u8  | 32 numbers, `width` bits   | width u8  | ...   the last block is shorter
#   +-----------+----------------------------+-----------+---
#
# For streams whose numbers are large in some places and small in others. Nothing decodes faster.
# Pure functions; any thread.
from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    PACK_BLOCK = 32

# How many bytes pack_blocks will write.
cdef size_t packed_size(const uint64_t *values, size_t count) noexcept nogil
# Returns the byte behind. REQUIRES: 8 bytes of room behind that.
cdef uint8_t *pack_blocks(const uint64_t *values, size_t count, uint8_t *out) noexcept nogil
# Returns the byte behind. NULL: the bytes end early, or a width is above 64.
cdef const uint8_t *unpack_blocks(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values
) noexcept nogil
