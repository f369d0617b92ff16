# Canonical Huffman codes over a small alphabet, and how a code is written down.
#
# A code is the lengths of its symbols (0: absent). Among symbols of one length, codes ascend with
# the symbol. Codes have at most 12 bits, so one table look-up decodes a symbol. A code of a single
# symbol has length 0 and costs no bits; every other code is complete (its Kraft sum is 1).
#
#   +----------------+------------------+----------------------------------------+
#   | first varint   | last - first     | lengths of first..last, bits, padded    |
#   |                | varint           | to a byte (nothing if last == first)    |
#   +----------------+------------------+----------------------------------------+
#
# Lengths: 4 bits for the first symbol. Then for each symbol, against the last length present:
#   0 the same; 1 0 0 one less; 1 0 1 one more; 1 1 1 + 4 bits: this length;
#   1 1 0 + Elias gamma (n zeros, a one, n bits): as many symbols are absent (a gap).
#
# Pure functions; any thread. Tables are the caller's.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    MAX_SYMBOLS = 512
    MAX_CODE_BITS = 12
    CODE_TABLE = 1 << MAX_CODE_BITS

cdef struct HuffmanCode:
    uint32_t first, last        # the symbols that occur lie in first..last, both of which occur
    uint8_t lengths[512]        # of each symbol in first..last

# LOG2[c] is 256 * log2(c), rounded. Costs are integers, in 1/256 bit, so that every machine and the
# reference in Python choose alike. Filled when the module is imported, constant afterwards.
cdef uint32_t[4097] LOG2


cdef inline uint32_t information(uint32_t count) noexcept nogil:
    """256 * count * log2(count), rounded; count <= 4096."""
    return count * LOG2[count]


# What a symbol that occurs `count` times among `total` costs, in a code of two or more symbols: at
# least a bit each time.
cdef uint64_t symbol_cost(uint32_t count, uint32_t total) noexcept nogil
# About what symbols cost that occur counts[s] times, with the description of their code.
# REQUIRES: counts[first] and counts[last] are not 0; the counts add up to `total`, at most 4096.
cdef uint64_t code_cost(
    const uint32_t *counts, uint32_t first, uint32_t last, uint32_t total
) noexcept nogil
# Fills code.lengths from counts. REQUIRES: code.first and code.last are set.
cdef void build_code(const uint32_t *counts, HuffmanCode *code) noexcept nogil
# The bits of each symbol's code, ready to be written lowest bit first.
cdef void assign_codes(const HuffmanCode *code, uint16_t *codes) noexcept nogil
# Returns the byte behind.
cdef uint8_t *write_code(const HuffmanCode *code, uint8_t *out) noexcept nogil
# Returns the byte behind. NULL: this is no code of symbols below MAX_SYMBOLS.
cdef const uint8_t *read_code(
    const uint8_t *bytes, const uint8_t *end, HuffmanCode *code
) noexcept nogil
# Fills table[0 .. 2^bits) with symbol << 6 | length, by the next `bits` bits of the stream. Returns
# `bits`, the longest length. A code of one symbol has 0 bits; its only entry is right all the same.
# REQUIRES: the code is complete, as those of build_code and read_code are.
cdef uint32_t decode_table(const HuffmanCode *code, uint16_t *table) noexcept nogil
