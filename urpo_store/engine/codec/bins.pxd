# Binned streams: numbers cut into bins, the bin entropy coded, the place within the bin in plain bits.
#
# Two families of bins:
#   logarithmic, m = 0..3   bins as wide as 2^-m of their lowest number: the m+1 top bits are the bin;
#                           m = 0 makes the bin the bit length. For numbers crowding near 0.
#   linear, s = 0..64       bins 2^s wide. For bells and for level noise; with one bin it is plain bit
#                           packing without widths.
#
#   +----------------+----------------+------------------------+------------------------+
#   | code (huffman) | half varint    | codes of all numbers,  | rests of all numbers,  |
#   |                | (see below)    | padded to a byte       | padded to a byte       |
#   +----------------+----------------+------------------------+------------------------+
#
# `half` is the bit at which the codes of the second half begin, whose decoding so need not wait for the
# first's. It is there for 128 numbers or more, the first half being count // 2 of them, unless all are in
# one bin, which needs no codes.
#
# Codes and rests are apart so that the second loop of the decoder, in which no step waits for a table
# look-up of the step before, can run ahead. Pure functions; any thread.
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

# The cheapest family and parameter for `count` numbers, the largest of which is `most`. If `rare` is not
# NULL, rare[0] is set to the estimated cost of the numbers that are not 0, on their own.
cdef BinChoice choose_bins(const uint64_t *values, size_t count, uint64_t most, uint64_t *rare) noexcept nogil
# The byte behind; `symbols` has room for count. The numbers fit the bins: below 512 bins in all.
cdef uint8_t *write_binned(uint32_t bins, const uint64_t *values, size_t count, uint8_t *out, uint16_t *symbols) noexcept nogil
# The byte behind, or NULL if the bytes are no such stream.
cdef const uint8_t *read_binned(uint32_t bins, const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values, uint16_t *symbols) noexcept nogil
