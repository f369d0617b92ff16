# Value codecs: a column of 64-bit values to bytes and back, exact for every bit pattern.
#
# A column says itself how it is written (its first byte is a tag) and where it ends, given how many
# values it has. The encoder chooses what a sample says is smallest, decodes what it wrote, and
# falls back to RAW if that differs: decode(encode(x)) == x always. docs/format.md draws the bytes;
# tests/engine/codec/ pins them; tests/helpers/reference_codec.py is the same in plain Python.
#
# Nothing allocates, so decoding can fail in one way only: NULL means that the bytes are no column.
# Nothing reads at or behind `end`, whatever the bytes are. Pure functions; any thread.
#
# REQUIRES, of all: 1 <= count <= CODEC_MAX_COUNT; `scratch` is 8-aligned and has
# codec_scratch(count) bytes; `out` has room for codec_bound(count) bytes.
from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef enum:
    CODEC_MAX_COUNT = 4096
    CHUNK_POINTS = 480          # points in a full chunk, and ticks in a block of a clock

cdef size_t codec_bound(size_t count) noexcept nogil
cdef size_t codec_scratch(size_t count) noexcept nogil

# Each returns the number of bytes written.
cdef size_t encode_doubles(
    const uint64_t *bits, size_t count, uint8_t *out, void *scratch
) noexcept nogil
cdef size_t encode_ints(
    const int64_t *values, size_t count, uint8_t *out, void *scratch
) noexcept nogil
# Times in ns, mostly ascending: written as integers, whose prediction finds what is regular in
# them.
cdef size_t encode_times(
    const int64_t *times, size_t count, uint8_t *out, void *scratch
) noexcept nogil

# Each returns the first byte behind the column. NULL: the bytes are no column of `count` values.
cdef const uint8_t *decode_doubles(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *bits, void *scratch
) noexcept nogil
cdef const uint8_t *decode_ints(
    const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *values, void *scratch
) noexcept nogil
cdef const uint8_t *decode_times(
    const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *times, void *scratch
) noexcept nogil
