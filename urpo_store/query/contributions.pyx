# cython: boundscheck=False, wraparound=False, auto_pickle=False, autotestdict=False
"""Which points count whole: the choices of bases (bases.pxd) that do not look at values.

Each function takes the `Scanned` of series of one stream and returns int64[points].
"""
from libc.stdint cimport INT64_MAX, int64_t

from urpo_store.engine.points.slots cimport FLAG_STALE
from urpo_store.query.bases cimport BASE_SKIP, BASE_ZERO
from urpo_store.query.scanned cimport Points, points_of
from urpo_store.query.windows cimport Walk, walk_begin, walk_series, walk_to

import numpy as np

#: The base of points that have no part in an answer; see bases.pxd.
SKIP = BASE_SKIP


def every(scanned):
    """Every point of the range counts: AVG, MIN, MAX, COUNT, quantiles of gauges, deltas."""
    cdef Points points
    points_of(&points, scanned)
    result = np.empty(points.count, np.int64)
    cdef int64_t[::1] base = result
    cdef Py_ssize_t i
    cdef int64_t j
    with nogil:
        for i in range(points.series):
            for j in range(points.offsets[i], points.offsets[i + 1]):
                base[j] = (
                    BASE_SKIP if j < points.first[i] or points.flags[j] & FLAG_STALE else BASE_ZERO)
    return result


def newest(scanned, int64_t first_instant, int64_t step):
    """The last point of each window counts, the others do not: LAST.

    A stale mark that is the newest of its window takes the series out of it.
    """
    cdef Points points
    points_of(&points, scanned)
    result = np.full(points.count, BASE_SKIP, np.int64)
    cdef int64_t[::1] base = result
    cdef Py_ssize_t i
    cdef int64_t j, end, window, following
    cdef Walk walk
    with nogil:
        walk_begin(&walk, first_instant, step, INT64_MAX)
        for i in range(points.series):
            j = points.first[i]
            end = points.offsets[i + 1]
            if j == end:
                continue
            walk_series(&walk, j, end)
            walk_to(&walk, points.times[j])
            while j < end:
                window = walk.window
                following = -1
                if j + 1 < end:
                    walk_to(&walk, points.times[j + 1])
                    following = walk.window
                if following != window and not points.flags[j] & FLAG_STALE:
                    base[j] = BASE_ZERO
                j += 1
    return result
