# Value codecs: a column of 64-bit values to bytes and back, bit-exact for every pattern.
#
# A column is self-describing (first byte: codec tag) and self-delimiting given its count. The
# encoder picks what a sample says is smallest, verifies what it wrote, and falls back to RAW; so
# decode(encode(x)) == x always. docs/format.md draws the bytes; golden bytes in
# tests/engine/codec/test_columns.py pin them; tests/helpers/reference_codec.py is the same in plain Python.
#
# No allocation: callers give scratch of codec_scratch(count) bytes (8-aligned) and room for
# codec_bound(count) bytes. count is 1..CODEC_MAX_COUNT. Pure functions; any thread.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    CODEC_MAX_COUNT = 4096
    CHUNK_POINTS = 480          # points in a full chunk, and ticks in a block of a clock

cdef size_t codec_bound(size_t count) noexcept nogil
cdef size_t codec_scratch(size_t count) noexcept nogil
# Each returns the number of bytes written.
cdef size_t encode_doubles(const uint64_t *bits, size_t count, uint8_t *out, void *scratch) noexcept nogil
cdef size_t encode_ints(const int64_t *values, size_t count, uint8_t *out, void *scratch) noexcept nogil
# Unix ns, mostly ascending: as integers, whose prediction finds the differences of differences.
cdef size_t encode_times(const int64_t *times, size_t count, uint8_t *out, void *scratch) noexcept nogil
# Each returns the first byte behind the column, or NULL if the bytes are not a column of `count`
# values (never reads at or beyond end, whatever the bytes are).
cdef const uint8_t *decode_doubles(const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *bits, void *scratch) noexcept nogil
cdef const uint8_t *decode_ints(const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *values, void *scratch) noexcept nogil
cdef const uint8_t *decode_times(const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *times, void *scratch) noexcept nogil
