# cython: boundscheck=False, wraparound=False, auto_pickle=False, autotestdict=False
"""Chooses the base of every point; the contract is in contributions.pxd.

Each function takes the `Scanned` of series of one stream and returns int64[points].
"""
from libc.stdint cimport int64_t, uint32_t

from urpo_store.query.windows cimport Walk, walk_begin, walk_to

import numpy as np


def every(scanned):
    """Every point of the range counts whole: AVG, MIN, MAX, COUNT, quantiles of gauges, deltas."""
    cdef const int64_t[::1] offsets = scanned.offsets
    cdef const int64_t[::1] first = scanned.first
    cdef const uint32_t[::1] flags = scanned.flags
    result = np.empty(flags.shape[0], np.int64)
    cdef int64_t[::1] base = result
    cdef Py_ssize_t i
    cdef int64_t j
    with nogil:
        for i in range(first.shape[0]):
            for j in range(offsets[i], offsets[i + 1]):
                base[j] = BASE_SKIP if j < first[i] or flags[j] & STALE else BASE_ZERO
    return result


def newest(scanned, int64_t first_instant, int64_t step):
    """The last point of each window counts whole, the others not at all.

    A stale mark that is the newest of its window takes the series out of it.
    """
    cdef const int64_t[::1] offsets = scanned.offsets
    cdef const int64_t[::1] first = scanned.first
    cdef const int64_t[::1] times = scanned.times
    cdef const uint32_t[::1] flags = scanned.flags
    result = np.full(flags.shape[0], BASE_SKIP, np.int64)
    cdef int64_t[::1] base = result
    cdef Py_ssize_t i
    cdef int64_t j, end, window, following
    cdef Walk walk
    with nogil:
        for i in range(first.shape[0]):
            end = offsets[i + 1]
            if first[i] == end:
                continue
            walk_begin(&walk, first_instant, step)
            window = walk_to(&walk, times[first[i]])
            for j in range(first[i], end):
                following = walk_to(&walk, times[j + 1]) if j + 1 < end else -1
                if following != window and not flags[j] & STALE:
                    base[j] = BASE_ZERO
                window = following
    return result


#: The base of points that have no part in an answer; see contributions.pxd.
SKIP = BASE_SKIP
