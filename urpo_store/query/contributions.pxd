# What one stored point adds to its window: the *base* of point j, base[j], is the index of the point
# that it is measured against, or one of
#
#   BASE_ZERO   it counts whole: a delta, the first of a run with a start time, the first after a reset
#   BASE_NONE   it is only a baseline: its window has a row, and it adds nothing
#   BASE_SKIP   it has no part in the answer: before the range, or a stale mark
#
# An aggregation of histograms is a sum of points less their bases; what differs between INCREASE, LAST and
# the rest is only how the bases are chosen. Bases are int64, one a point. Of numbers they only say which
# points count: increases, by the same rules, are found while they are added up (numbers.pyx).
#
# Starts and resets. A start time is unknown if it is 0 or not before its point's own time (OTLP: a
# start equal to the time is a reset at an unknown start). Of two neighbours the later one follows a
# reset if its start is later than the earlier one's start; if that is unknown, if it is later than the
# earlier point itself: a known start after a point proves that the point belongs to another run, and
# one *at* it is how producers that do not know their start count on from their first point.
# Independently of start times, what cannot fall and fell was reset.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    BASE_ZERO = -1
    BASE_NONE = -2
    BASE_SKIP = -3

    # As in source.py, whose Scanned is where flags come from.
    STALE = 1
    IS_INT = 1 << 24
    HAS_SUM = 1 << 25
    HAS_MIN = 1 << 26
    HAS_MAX = 1 << 27


cdef inline int64_t known_start(int64_t start, int64_t time) noexcept nogil:
    return start if 0 < start < time else 0


cdef inline bint started_again(int64_t start, int64_t time, int64_t earlier_start, int64_t earlier_time) noexcept nogil:
    """Whether the start times of two neighbours of a series show a reset between them."""
    start = known_start(start, time)
    earlier_start = known_start(earlier_start, earlier_time)
    if start == 0:
        return False
    return start > (earlier_start if earlier_start != 0 else earlier_time)


cdef inline double as_double(uint64_t bits) noexcept nogil:
    cdef double value
    memcpy(&value, &bits, sizeof(value))    # a cast of the pointer would break C's aliasing rules
    return value


# The windows (t - step, t], t = first + k * step. A walk over ascending times finds the next window by
# an addition; only a gap costs a division. `edge` is the instant of `index`; it never passes the last
# instant of the query, because nothing later is scanned, so it cannot overflow.
cdef struct Walk:
    int64_t first, step, index, edge


cdef inline void walk_begin(Walk *walk, int64_t first, int64_t step) noexcept nogil:
    walk.first = first
    walk.step = step
    walk.index = 0
    walk.edge = first


cdef inline int64_t walk_to(Walk *walk, int64_t time) noexcept nogil:
    cdef uint64_t ahead
    if time > walk.edge:
        ahead = <uint64_t>time - <uint64_t>walk.edge
        if ahead <= <uint64_t>walk.step:
            walk.index += 1
            walk.edge += walk.step
        else:
            # Rounded up: a time on an instant belongs to the window that ends there.
            ahead = (ahead - 1) // <uint64_t>walk.step + 1
            walk.index += <int64_t>ahead
            walk.edge += <int64_t>ahead * walk.step
    return walk.index


# A float sum that carries what rounding lost (Neumaier 1974), so that 1,000,000 small increments
# beside a large one are all there. Infinities and NaN pass through as a plain sum would have them.
cdef struct Sum:
    double total, lost


cdef inline void sum_add(Sum *sum, double x) noexcept nogil:
    cdef double total = sum.total + x
    if (sum.total if sum.total >= 0 else -sum.total) >= (x if x >= 0 else -x):
        sum.lost += (sum.total - total) + x
    else:
        sum.lost += (x - total) + sum.total
    sum.total = total


cdef inline double sum_of(const Sum *sum) noexcept nogil:
    cdef double whole = sum.total + sum.lost
    # An infinite total leaves NaN in `lost`.
    return whole if whole == whole else sum.total
