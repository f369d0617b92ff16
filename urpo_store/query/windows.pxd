# cython: boundscheck=False, wraparound=False, cdivision=True
# The one walk of the kernels: group -> member -> point -> window.
#
#     walk_over(&walk, &points, bases, groups, windows)
#     for g in range(walk.groups):
#         walk_group(&walk, g)
#         while each_window(&walk):
#             ...                             point `walk.point` counts in window `walk.window`
#         for k in range(walk.low, walk.high + 1):
#             ...                             the windows of the group
#
# Window k is (t - step, t] with t = first_instant + k * step. Times ascend within a series, so the
# next window is found by an addition; only a gap costs a division.
#
# Invariants
# (1) 0 <= walk.window < walk.count whenever next_point or each_window has returned True. A reader's
#     mistake (a point behind the range) ends its series and never writes outside.
# (2) low..high are the windows that the group has touched; low > high: none. In between are windows
#     without a point.
# (3) `edge` is the instant of `window`. It never passes the last instant, so it cannot overflow.
#
# For speed: let the loop stand in a function that has the Walk as a local variable (a copy, written
# back by walk_touched). Then the compiler keeps it in registers.
from libc.stdint cimport INT64_MIN, int64_t, uint64_t

from urpo_store.query.bases cimport BASE_SKIP
from urpo_store.query.scanned cimport Points

cdef struct Walk:
    # The windows.
    int64_t first_instant, step, count
    # The points: columns of the scan, and their bases (bases.pxd).
    const int64_t *offsets
    const int64_t *first
    const int64_t *times
    const int64_t *bases
    # Group g has the series order[members[g]:members[g + 1]].
    const int64_t *order
    const int64_t *members
    Py_ssize_t groups
    # The place: the next member of the group, the point, the end of its series, the window.
    int64_t member, last_member
    int64_t point, end
    int64_t window, edge
    int64_t low, high


cdef inline void walk_begin(
    Walk *walk, int64_t first_instant, int64_t step, int64_t count
) noexcept nogil:
    """A walk over series, without groups: for walk_series, walk_to and next_point."""
    walk.first_instant = first_instant
    walk.step = step
    walk.count = count
    walk.low = count
    walk.high = -1


cdef inline int walk_over(
    Walk *walk, const Points *points, const int64_t *bases, groups, windows
) except -1:
    """`groups` is a select.Groups, `windows` a times.Windows.

    REQUIRES: all of them outlive the walk."""
    cdef const int64_t[::1] order = groups.order
    cdef const int64_t[::1] members = groups.offsets
    walk_begin(walk, windows.first, windows.step, windows.count)
    walk.offsets = points.offsets
    walk.first = points.first
    walk.times = points.times
    walk.bases = bases
    walk.order = &order[0]
    walk.members = &members[0]
    walk.groups = members.shape[0] - 1
    return 0


cdef inline void walk_series(Walk *walk, int64_t begin, int64_t end) noexcept nogil:
    """Stands before the points begin..end of one series."""
    walk.point = begin - 1
    walk.end = end
    walk.window = 0
    walk.edge = INT64_MIN           # no window yet


cdef inline bint walk_to(Walk *walk, int64_t time) noexcept nogil:
    """Goes to the window of a time, which is not before the last one; False: behind the range."""
    cdef uint64_t ahead
    if time <= walk.edge:
        return True
    if walk.edge == INT64_MIN:
        walk.edge = walk.first_instant
    if time > walk.edge:
        ahead = <uint64_t>time - <uint64_t>walk.edge
        if ahead <= <uint64_t>walk.step:
            ahead = 1
        else:
            # Rounded up: a time on an instant belongs to the window that ends there.
            ahead = (ahead - 1) // <uint64_t>walk.step + 1
        if ahead >= <uint64_t>(walk.count - walk.window):
            return False
        walk.window += <int64_t>ahead
        walk.edge += <int64_t>ahead * walk.step
    if walk.window < walk.low:
        walk.low = walk.window
    if walk.window > walk.high:
        walk.high = walk.window
    return True


cdef inline bint next_point(Walk *walk) noexcept nogil:
    """Goes to the next point of the series that counts; False: there is none within the range."""
    while walk.point + 1 < walk.end:
        walk.point += 1
        if walk.bases[walk.point] != BASE_SKIP:
            return walk_to(walk, walk.times[walk.point])
    return False


cdef inline void walk_group(Walk *walk, Py_ssize_t group) noexcept nogil:
    """Stands before the points of a group, none of whose windows is touched yet."""
    walk.low = walk.count
    walk.high = -1
    walk_again(walk, group)


cdef inline void walk_again(Walk *walk, Py_ssize_t group) noexcept nogil:
    """Stands before the points of the group once more."""
    walk.member = walk.members[group]
    walk.last_member = walk.members[group + 1]
    walk_series(walk, 0, 0)


cdef inline bint each_window(Walk *walk) noexcept nogil:
    """Goes to the next point of the group that counts, and to its window; False: no more."""
    cdef int64_t series
    while not next_point(walk):
        if walk.member == walk.last_member:
            return False
        series = walk.order[walk.member]
        walk.member += 1
        walk_series(walk, walk.first[series], walk.offsets[series + 1])
    return True


cdef inline void walk_touched(Walk *group, const Walk *walk) noexcept nogil:
    """Writes back which windows a copy of the group's walk has touched."""
    group.low = walk.low
    group.high = walk.high


cdef inline Py_ssize_t most_rows(const Walk *walk) noexcept nogil:
    """At most one row for each window, and one for each point, in each group."""
    cdef Py_ssize_t total = 0, g
    cdef int64_t points, m, series
    for g in range(walk.groups):
        points = 0
        for m in range(walk.members[g], walk.members[g + 1]):
            series = walk.order[m]
            points += walk.offsets[series + 1] - walk.first[series]
        total += points if points < walk.count else walk.count
    return total
