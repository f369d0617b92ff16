# The keyed hash of identity, and comparisons of bytes. Inline: a look-up calls no other module.
#
# The hash is a chain of folded 64 x 64 -> 128 bit multiplications (the final step of wyhash) with
# secrets in *both* operands. With a secret in one only, a block of bytes that makes the other
# operand zero would swallow all that came before it. The secrets are random and differ from store
# to store, so nobody outside can choose keys that collide.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.memory.atomics cimport multiply_fold

cdef enum:
    SECRETS = 6                 # two for the prefix, and two for each chain of a key's bytes

cdef extern from *:
    """
    typedef uint64_t urpo_pair __attribute__((vector_size(16), aligned(1), may_alias));
    static inline urpo_pair urpo_differ(const void *a, const void *b) {
        return *(const urpo_pair *)a ^ *(const urpo_pair *)b;
    }
    /* n >= 16; the last 16 bytes may overlap those before. */
    static inline int urpo_same_long(const uint8_t *a, const uint8_t *b, size_t n) {
        urpo_pair differ = {0, 0};
        for (size_t i = 0; i + 16 <= n; i += 16)
            differ |= urpo_differ(a + i, b + i);
        differ |= urpo_differ(a + n - 16, b + n - 16);
        return (differ[0] | differ[1]) == 0;
    }
    """
    # REQUIRES: n >= 16.
    bint same_long "urpo_same_long"(const uint8_t *a, const uint8_t *b, size_t n) noexcept nogil


cdef inline uint64_t read64(const uint8_t *p) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, p, 8)
    return word


# The n bytes at p in one word: ends that overlap are read twice, rather than byte by byte.
# REQUIRES: n < 8.
cdef inline uint64_t read_short(const uint8_t *p, size_t n) noexcept nogil:
    cdef uint32_t low, high
    if n >= 4:
        memcpy(&low, p, 4)
        memcpy(&high, p + n - 4, 4)
        return <uint64_t>low | (<uint64_t>high << 32)
    if n:
        return <uint64_t>p[0] | (<uint64_t>p[n >> 1] << 8) | (<uint64_t>p[n - 1] << 16)
    return 0


# Names and attribute values are short: a call of memcmp takes longer than comparing them here. And
# the fewer instructions a look-up has, the further the processor looks ahead while an entry comes
# from beyond the caches.
cdef inline bint same_bytes(const uint8_t *a, const uint8_t *b, size_t n) noexcept nogil:
    if n >= 16:
        return same_long(a, b, n)
    if n >= 8:
        return read64(a) == read64(b) and read64(a + n - 8) == read64(b + n - 8)
    return read_short(a, n) == read_short(b, n)


# The hash of a prefix of four u32 and `length` bytes at p. `secret`: SECRETS words.
cdef inline uint64_t hash_bytes(
    const uint64_t *secret, const uint32_t *prefix, const uint8_t *p, size_t length
) noexcept nogil:
    cdef size_t n = length
    cdef uint64_t low, high, left, right
    cdef uint64_t state = multiply_fold(
        (<uint64_t>prefix[0] | (<uint64_t>prefix[1] << 32)) ^ secret[0],
        (<uint64_t>prefix[2] | (<uint64_t>prefix[3] << 32)) ^ secret[1])
    if n >= 32:
        # Two chains side by side, and neither waits for the prefix: a multiplication's latency is
        # longer than its turn. Prefix and chains have secrets of their own. With the same ones,
        # equal blocks would make two of the three equal, and these would cancel each other out.
        left = multiply_fold(read64(p) ^ secret[2], read64(p + 8) ^ secret[3])
        right = multiply_fold(read64(p + 16) ^ secret[4], read64(p + 24) ^ secret[5])
        p += 32
        n -= 32
        while n >= 32:
            left = multiply_fold(read64(p) ^ secret[2] ^ left, read64(p + 8) ^ secret[3])
            right = multiply_fold(read64(p + 16) ^ secret[4] ^ right, read64(p + 24) ^ secret[5])
            p += 32
            n -= 32
        state ^= left ^ right
    if n >= 16:
        state = multiply_fold(read64(p) ^ secret[2] ^ state, read64(p + 8) ^ secret[3])
        p += 16
        n -= 16
    if length >= 16:
        # The last 16 bytes; some of them were read before.
        low = read64(p + n - 16)
        high = read64(p + n - 8)
    elif n >= 8:
        low = read64(p)
        high = read64(p + n - 8)
    else:
        low = read_short(p, n)
        high = 0
    state = multiply_fold(low ^ secret[0] ^ state, high ^ secret[1])
    # The length tells apart what overlapping reads, and zeros at the end, make equal.
    return multiply_fold(state ^ secret[2], length ^ secret[3])
