# Integer columns: int64 to bytes, exact over the whole range (differences wrap around).
#
# The first byte is a tag: its low half says how, its high half is the caller's (codec/columns.pyx).
#   0 RAW     8 bytes a number
#   2 CONST   svarint value                                     all are equal
#   3 LINE    svarint first, svarint step                       all differences are equal
#   4 INT     flags u8, [svarint first, varint divisor], start, svarint offset, stream
#
# Flags: bits 0..2 the prediction, bit 3 CENTRED, bit 4 DIVIDED. Encoding an INT column:
#   1. DIVIDED: numbers become (v - first) / divisor, where divisor divides all differences.
#   2. Prediction:
#        0..6 ORDER   differences of the neighbours, so many times over; start: before each time the
#                     first number, svarint; the stream has `order` numbers fewer
#        7 TREND      less i * step; start: svarint step
#   3. CENTRED: zigzag(rest - offset), offset about the median; else rest - offset, the minimum.
#   4. The result is a stream (codec/streams.pxd).
# A varint is LEB128; an svarint is a varint of the zigzag.
#
# Pure functions; any thread. count is 1..CODEC_MAX_COUNT.
from libc.stdint cimport int64_t, uint8_t, uint64_t

from urpo_store.engine.codec.scratch cimport Scratch

cdef enum:
    COLUMN_RAW = 0
    COLUMN_CONST = 2
    COLUMN_LINE = 3
    COLUMN_INT = 4

# Returns the byte behind. The column is at most as long as RAW, 1 + 8 * count, but more may be
# written on the way. REQUIRES: `out` has trial_size(count) bytes.
cdef uint8_t *write_integers(
    const int64_t *values, size_t count, uint8_t *out, Scratch *scratch
) noexcept nogil
# Returns the byte behind. NULL: the bytes are no column of `count` numbers. Ignores the high half
# of the tag. Uses scratch.sparse and .symbols.
cdef const uint8_t *read_integers(
    const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *values, Scratch *scratch
) noexcept nogil
