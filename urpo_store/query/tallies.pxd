# cython: cdivision=True
# What the numbers of one window add up to, and the arithmetic of numbers that are int64 or double.
#
# Integers are summed in 128 bits: 2^63 points of 64 bits fit, so the sum is exact, and whether it
# fits an int64 is asked once, at the end.
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.points.slots cimport FLAG_INT
from urpo_store.query.scanned cimport Points
from urpo_store.query.sums cimport Sum, as_double, sum_add, sum_of

cdef extern from *:
    """
    typedef __int128 urpo_int128;
    """
    ctypedef long long int128 "urpo_int128"

cdef enum Operation:
    OP_SUM
    OP_AVG
    OP_MIN
    OP_MAX
    OP_COUNT
    OP_NEWEST

cdef struct Tally:
    int128 integers             # the exact sum of the integers
    Sum floats                  # the sum of everything that is or was measured against a double
    int64_t count               # points; 0: the window is untouched
    int64_t newest              # time of the latest point
    uint64_t best               # bits of the least, greatest or newest value
    uint8_t best_int
    uint8_t has_float

# A tally as a row of the answer.
cdef struct TallyRow:
    double value
    int64_t int_value
    uint8_t is_int
    uint8_t overflowed


cdef inline long double exact(uint64_t value, uint32_t flags) noexcept nogil:
    # Exact for ints and doubles alike where long double has 64 bits of mantissa (x86).
    return <long double><int64_t>value if flags & FLAG_INT else <long double>as_double(value)


cdef inline bint finite(uint64_t value) noexcept nogil:
    return (value >> 52) & 0x7FF != 0x7FF


cdef inline bint better(
    const Tally *tally, uint64_t value, uint32_t flags, bint least
) noexcept nogil:
    """Whether the value replaces the best; a number always replaces NaN."""
    cdef long double new = exact(value, flags)
    cdef long double old = exact(tally.best, FLAG_INT if tally.best_int else 0)
    if old != old:
        return True
    return new < old if least else new > old


cdef inline void keep_best(Tally *tally, uint64_t value, uint32_t flags) noexcept nogil:
    tally.best = value
    tally.best_int = (flags & FLAG_INT) != 0


cdef inline void count_points(Tally *tally, int64_t time, int64_t points) noexcept nogil:
    if time > tally.newest or tally.count == 0:
        tally.newest = time
    tally.count += points


cdef inline void add_whole(Tally *tally, uint64_t value, uint32_t flags) noexcept nogil:
    if flags & FLAG_INT:
        tally.integers += <int64_t>value
    else:
        sum_add(&tally.floats, as_double(value))
        tally.has_float = 1


cdef inline void add_difference(
    Tally *tally, const Points *points, int64_t base, int64_t j
) noexcept nogil:
    """Adds point j less its base."""
    cdef uint64_t old = points.values[base], new = points.values[j]
    cdef uint32_t old_flags = points.flags[base], new_flags = points.flags[j]
    if old_flags & new_flags & FLAG_INT:
        tally.integers += <int128><int64_t>new - <int64_t>old
        return
    if not (old_flags | new_flags) & FLAG_INT:
        sum_add(&tally.floats, as_double(new) - as_double(old))
    else:
        sum_add(&tally.floats, <double>(exact(new, new_flags) - exact(old, old_flags)))
    tally.has_float = 1


cdef inline void add_sum(Tally *tally, const Tally *part) noexcept nogil:
    """Adds the sum that a tally holds to another."""
    tally.integers += part.integers
    if part.has_float:
        sum_add(&tally.floats, part.floats.total)
        tally.floats.lost += part.floats.lost
        tally.has_float = 1
    if part.newest > tally.newest:
        tally.newest = part.newest
    tally.count += part.count


cdef inline TallyRow row_of(const Tally *tally, int op) noexcept nogil:
    cdef TallyRow row
    row.int_value = 0
    row.is_int = row.overflowed = 0
    if op == OP_SUM:
        row.value = <double>tally.integers
        if tally.has_float:
            row.value += sum_of(&tally.floats)
        elif INT64_MIN <= tally.integers <= INT64_MAX:
            row.is_int = 1
            row.int_value = <int64_t>tally.integers
        else:
            row.overflowed = 1
    elif op == OP_AVG:
        row.value = (<double>tally.integers + sum_of(&tally.floats)) / <double>tally.count
    elif op == OP_COUNT:
        row.is_int = 1
        row.int_value = tally.count
        row.value = <double>tally.count
    else:
        row.is_int = tally.best_int
        row.int_value = <int64_t>tally.best if tally.best_int else 0
        row.value = <double><int64_t>tally.best if tally.best_int else as_double(tally.best)
    return row
