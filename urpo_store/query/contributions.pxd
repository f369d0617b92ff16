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
from libc.stdint cimport int64_t

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
