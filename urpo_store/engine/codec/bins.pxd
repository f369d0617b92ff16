# Binned streams: numbers cut into bins. The bin is entropy coded, the place within it is plain
# bits.
#
# Two families of bins:
#   logarithmic, m = 0..3   bins as wide as 2^-m of their lowest number: the m+1 top bits are the
#                           bin. With m = 0 the bin is the bit length. For numbers that crowd near 0
#   linear, s = 0..64       bins 2^s wide. For bells and for level noise. One linear bin is plain
#                           bit packing without widths
#
#   +----------------+----------------+------------------------+------------------------+
#   | code (huffman) | half varint    | codes of all numbers,  | rests of all numbers,  |
#   |                | (see below)    | padded to a byte       | padded to a byte       |
#   +----------------+----------------+------------------------+------------------------+
#
# `half` is the bit at which the codes of the second half begin, so that both halves can be decoded
# side by side. It is there for 128 numbers or more, unless all are in one bin, which needs no
# codes. The first half has count // 2 numbers.
#
# Codes and rests are apart because no step of the loop over the rests waits for the table look-up
# of the step before, so the processor can run ahead. Pure functions; any thread.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    # A family and its parameter in one number, as in the tag of a stream.
    BINS_LOG = 4                # + m
    BINS_LOG_FINEST = 7
    BINS_LINEAR = 64            # + s
    BINS_END = 129

cdef struct BinChoice:
    uint64_t cost               # estimated size in 1/256 bit
    uint32_t bins

# The cheapest family and parameter for `count` numbers, the largest of which is `most`. Sets *rare
# to the estimated cost of the numbers that are not 0, on their own.
cdef BinChoice choose_bins(
    const uint64_t *values, size_t count, uint64_t most, uint64_t *rare
) noexcept nogil
# Returns the byte behind. `symbols` has room for `count`.
# REQUIRES: `bins` gives these numbers symbols below MAX_SYMBOLS (codec/huffman.pxd).
cdef uint8_t *write_binned(
    uint32_t bins, const uint64_t *values, size_t count, uint8_t *out, uint16_t *symbols
) noexcept nogil
# Returns the byte behind. NULL: the bytes are no such stream.
cdef const uint8_t *read_binned(
    uint32_t bins, const uint8_t *bytes, const uint8_t *end, size_t count,
    uint64_t *values, uint16_t *symbols
) noexcept nogil
