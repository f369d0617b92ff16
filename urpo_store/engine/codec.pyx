"""Value codecs; see codec.pxd for the contract."""
# First step: a constant column is its tag and one word, every other column its tag and all words.
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    RAW = 0
    CONST_BITS = 1


cdef size_t codec_bound(size_t count) noexcept nogil:
    return 1 + 8 * count


cdef size_t codec_scratch(size_t count) noexcept nogil:
    return 64 * count + 65536


cdef size_t encode_words(const uint64_t *words, size_t count, uint8_t *out) noexcept nogil:
    cdef size_t i
    for i in range(1, count):
        if words[i] != words[0]:
            out[0] = RAW
            memcpy(out + 1, words, 8 * count)
            return 1 + 8 * count
    out[0] = CONST_BITS
    memcpy(out + 1, words, 8)
    return 9


cdef const uint8_t *decode_words(const uint8_t *data, const uint8_t *end, size_t count, uint64_t *words) noexcept nogil:
    cdef size_t i, room = end - data
    if room < 9:
        return NULL
    if data[0] == RAW:
        if room < 1 + 8 * count:
            return NULL
        memcpy(words, data + 1, 8 * count)
        return data + 1 + 8 * count
    if data[0] != CONST_BITS:
        return NULL
    for i in range(count):
        memcpy(words + i, data + 1, 8)
    return data + 9


cdef size_t encode_doubles(const uint64_t *bits, size_t count, uint8_t *out, void *scratch) noexcept nogil:
    return encode_words(bits, count, out)


cdef size_t encode_ints(const int64_t *values, size_t count, uint8_t *out, void *scratch) noexcept nogil:
    return encode_words(<const uint64_t *>values, count, out)


cdef size_t encode_times(const int64_t *times, size_t count, uint8_t *out, void *scratch) noexcept nogil:
    return encode_words(<const uint64_t *>times, count, out)


cdef const uint8_t *decode_doubles(const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *bits, void *scratch) noexcept nogil:
    return decode_words(bytes, end, count, bits)


cdef const uint8_t *decode_ints(const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *values, void *scratch) noexcept nogil:
    return decode_words(bytes, end, count, <uint64_t *>values)


cdef const uint8_t *decode_times(const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *times, void *scratch) noexcept nogil:
    return decode_words(bytes, end, count, <uint64_t *>times)
