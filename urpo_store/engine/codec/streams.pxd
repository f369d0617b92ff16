# Streams: unsigned 64-bit numbers to bytes; small where numbers are small, repeated or crowded.
#
# The first byte says how:
#   0              all zero; nothing follows
#   1              bit packing (codec/bitpack.pxd)
#   2              sparse: the numbers that are not 0 ("events"), and how many zeros are before each
#   3              dictionary: the few distinct numbers, and which of them each number is
#   4..7, 64..128  binned (codec/bins.pxd)
#
#   sparse:  +-----------------+---------------------+-----------------------------+
#            | events varint   | stream of the gaps  | stream of the events less 1 |
#            +-----------------+---------------------+-----------------------------+
#
#   dictionary:  +-----------------+-----------------------------------+-----------------------+
#                | entries varint  | stream of the distinct numbers,   | stream of the indexes |
#                |                 | each less the one before and 1    |                       |
#                |                 | (not the first); ascending        |                       |
#                +-----------------+-----------------------------------+-----------------------+
#
# The streams inside are of the other forms.
#
# The reader knows how many numbers a stream has: at most CODEC_MAX_COUNT. Pure functions; any
# thread.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from urpo_store.engine.codec.scratch cimport Scratch

cdef enum:
    STREAM_ZERO = 0
    STREAM_PACKED = 1
    STREAM_SPARSE = 2
    STREAM_DICTIONARY = 3
    DICTIONARY_MAX = 32         # entries, at most

cdef struct Plan:
    uint64_t cost               # estimated size in 1/256 bit
    uint32_t tag                # the first byte

# How to write the numbers best; `inner` leaves out the forms that consist of streams.
cdef Plan plan_stream(const uint64_t *values, size_t count, bint inner) noexcept nogil
# Returns the byte behind. REQUIRES: `tag` is one that plan_stream chose for these numbers.
cdef uint8_t *write_stream(
    uint32_t tag, const uint64_t *values, size_t count, uint8_t *out, Scratch *scratch
) noexcept nogil
# Returns the byte behind. NULL: the bytes are no stream of `count` numbers. Uses scratch.sparse and
# .symbols.
cdef const uint8_t *read_stream(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values, Scratch *scratch
) noexcept nogil
