# Doubles as integers: a double that was printed with few digits is an integer over a power of ten.
#
#   double = scaled / 10^exponent, moved by `correction` places among all doubles in their order
#
# IEEE division is correctly rounded and both operands are exact (|scaled| < 2^53, 10^exponent <=
# 10^15), so a double of at most 15 digits has correction 0. Averages land a place or two beside.
# The order is a permutation of all 2^64 patterns, so a correction reaches any pattern: NaN with a
# payload, -0.0 and infinities need no list of their own. Never built with -ffast-math.
#
# Pure functions; any thread.
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    MAX_EXPONENT = 15


cdef inline uint64_t ordered(uint64_t bits) noexcept nogil:
    """The place of a double (its bits) among all in ascending order, as int64; its own inverse."""
    return bits ^ ((<uint64_t>0 - (bits >> 63)) >> 1)


cdef inline uint64_t rotated(uint64_t bits) noexcept nogil:
    """The sign to the lowest bit: values around 0 become neighbours, whatever their sign."""
    return bits << 1 | bits >> 63


cdef inline uint64_t unrotated(uint64_t word) noexcept nogil:
    return word >> 1 | word << 63


# The integer next to the double times 10^exponent; 0 if there is none below 2^53.
cdef int64_t scaled_near(uint64_t bits, int exponent) noexcept nogil
# The bits of the double that an integer stands for.
cdef uint64_t unscaled_bits(int64_t scaled, int exponent) noexcept nogil

# How a column of doubles is best made integers, judged on a sample.
cdef enum:
    AS_DECIMALS = 0
    AS_ORDERED = 1
    AS_ROTATED = 2

cdef struct DoublePlan:
    int how
    int exponent                # for AS_DECIMALS
    int otherwise               # the better one of the other two

cdef DoublePlan plan_doubles(const uint64_t *bits, size_t count) noexcept nogil
# Fills `scaled` and `side` (zigzag of the corrections). Returns how many corrections are not 0. If
# `needed` is not NULL, *needed becomes the largest exponent that the first few of those would have
# needed, or `exponent`.
cdef size_t scale_doubles(
    const uint64_t *bits, size_t count, int exponent, int64_t *scaled, uint64_t *side, int *needed
) noexcept nogil
# The inverse. `side` may be NULL: no corrections. `scaled` and `bits` may be the same memory.
cdef void unscale_doubles(
    const int64_t *scaled, const uint64_t *side, size_t count, int exponent, uint64_t *bits
) noexcept nogil
