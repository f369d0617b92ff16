# cython: boundscheck=False, wraparound=False, cdivision=True
# What one stored point adds to its window. The *base* of point j is the index of the point that it
# is measured against, or one of
#
#   BASE_ZERO   it counts whole: a delta, the first of a run with a start time, the first after a
#               reset
#   BASE_NONE   it is only a baseline: its window has a row, and the point adds nothing to it
#   BASE_SKIP   it has no part in the answer: it is before the range, or a stale mark
#
# So every aggregation is a sum of points less their bases; INCREASE, LAST and the others differ
# only in how the bases are chosen. Bases are int64, one for each point of a scan. They are chosen
#
#   by contributions.pyx            for whole points
#   by next_pair, below             for increases of histograms
#   while they are added up         for increases of numbers (increases.pxd), by the same rules
#
# Resets. A start time is unknown if it is 0 or not before its point's own time (OTLP: a start equal
# to the time is a reset at an unknown start). The later one of two neighbours follows a reset
#
#   if its start is later than the earlier one's start
#   or, where that is unknown, if its start is later than the earlier point: a known start after a
#     point proves that the point belongs to another run. A start *at* the point does not: producers
#     that do not know their start count on from their first point.
#   or if what cannot fall fell.
from libc.stdint cimport int64_t

from urpo_store.engine.points.slots cimport FLAG_STALE
from urpo_store.query.scanned cimport Points

cdef enum:
    BASE_ZERO = -1
    BASE_NONE = -2
    BASE_SKIP = -3


cdef inline int64_t known_start(int64_t start, int64_t time) noexcept nogil:
    """The start time; 0 if it is unknown."""
    return start if 0 < start < time else 0


cdef inline bint started_again(const Points *points, int64_t before, int64_t j) noexcept nogil:
    """Whether the start times of j and its predecessor `before` show a reset between them."""
    cdef int64_t start = known_start(points.starts[j], points.times[j])
    cdef int64_t earlier = known_start(points.starts[before], points.times[before])
    if start == 0:
        return False
    return start > (earlier if earlier != 0 else points.times[before])


# ---- increases of histograms

# Goes through the points of a scan and writes their bases. It stops at each pair of neighbours
# whose values must be compared: only their buckets can tell whether something fell. `base` has
# BASE_SKIP everywhere before.
cdef struct Pairs:
    const Points *points
    int64_t *base
    Py_ssize_t series           # the next one
    int64_t next, end           # the next point of the series under way, and the end of that series
    int64_t first               # the first point of the series that is within the range
    int64_t before, point       # the pair; before -1: the series has had no value yet


cdef inline void pairs_begin(Pairs *pairs, const Points *points, int64_t *base) noexcept nogil:
    pairs.points = points
    pairs.base = base
    pairs.series = 0
    pairs.next = pairs.end = pairs.first = 0
    pairs.before = pairs.point = -1


cdef inline bint next_pair(Pairs *pairs) noexcept nogil:
    """Stops at the next pair to compare, `before` and `point`; False: every base is written.

    The base of `point` is then `before`. The caller sets it to BASE_ZERO if something fell."""
    cdef const Points *points = pairs.points
    cdef int64_t j, before
    while True:
        while pairs.next < pairs.end:
            j = pairs.next
            pairs.next += 1
            if points.flags[j] & FLAG_STALE:
                continue
            before = pairs.point
            pairs.point = j
            if j < pairs.first:
                continue
            if before < 0:
                pairs.base[j] = (
                    BASE_ZERO if known_start(points.starts[j], points.times[j]) else BASE_NONE)
            elif started_again(points, before, j):
                pairs.base[j] = BASE_ZERO
            else:
                pairs.base[j] = before
                pairs.before = before
                return True
        if pairs.series == points.series:
            return False
        pairs.next = points.offsets[pairs.series]
        pairs.end = points.offsets[pairs.series + 1]
        pairs.first = points.first[pairs.series]
        pairs.point = -1
        pairs.series += 1
