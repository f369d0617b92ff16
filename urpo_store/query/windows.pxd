# The windows (t - step, t], t = first + k * step. A walk over ascending times finds the next window by
# an addition; only a gap costs a division. `edge` is the instant of `index`; it never passes the last
# instant of the query, because nothing later is scanned, so it cannot overflow.
from libc.stdint cimport int64_t, uint64_t

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


cdef inline Py_ssize_t most_rows(
    const int64_t *offsets, const int64_t *first, const int64_t *order, const int64_t *members, Py_ssize_t groups,
    int64_t windows
) noexcept nogil:
    """At most a row a window, and at most a row a point, in each group: group g has the series
    order[members[g]:members[g + 1]], and series i the points first[i]:offsets[i + 1]."""
    cdef Py_ssize_t total = 0, g, m
    cdef int64_t points
    for g in range(groups):
        points = 0
        for m in range(members[g], members[g + 1]):
            points += offsets[order[m] + 1] - first[order[m]]
        total += points if points < windows else windows
    return total
