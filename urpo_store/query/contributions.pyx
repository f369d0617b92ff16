# cython: boundscheck=False, wraparound=False, auto_pickle=False, autotestdict=False
"""Chooses the base of every point; the contract is in contributions.pxd.

Each function takes the `Scanned` of series of one stream and returns int64[points].
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t

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


def increases(scanned, bint monotonic):
    """Each point of a cumulative sum against the one before it.

    `monotonic`: a value that falls was reset.
    """
    cdef const int64_t[::1] offsets = scanned.offsets
    cdef const int64_t[::1] first = scanned.first
    cdef const int64_t[::1] times = scanned.times
    cdef const int64_t[::1] starts = scanned.starts
    cdef const uint64_t[::1] values = scanned.values
    cdef const uint32_t[::1] flags = scanned.flags
    result = np.empty(flags.shape[0], np.int64)
    cdef int64_t[::1] base = result
    cdef Py_ssize_t i
    cdef int64_t j, before, end
    with nogil:
        for i in range(first.shape[0]):
            before = -1
            j = offsets[i]
            end = offsets[i + 1]
            while j < end:
                if flags[j] & STALE:
                    base[j] = BASE_SKIP
                    j += 1
                    continue
                if j < first[i]:
                    base[j] = BASE_SKIP
                elif before < 0:
                    base[j] = BASE_ZERO if known_start(starts[j], times[j]) else BASE_NONE
                elif started_again(starts[j], times[j], starts[before], times[before]):
                    base[j] = BASE_ZERO
                elif monotonic and number_fell(values[before], flags[before], values[j], flags[j]):
                    base[j] = BASE_ZERO
                else:
                    base[j] = before
                before = j
                j += 1
                # Most points are like the one before them: without a reset. One start cannot show one once
                # a point stands at it or behind it.
                if first[i] <= j < end and starts[before] <= times[before]:
                    j = alike_until(&flags[0], &starts[0], &values[0], &base[0], j, end, monotonic)
                    before = j - 1
    return result


# The end of the run from j on whose points have the flags and the start of the one before j, and do not fall if
# `monotonic`; the base of each is its neighbour.
cdef inline int64_t alike_until(
    const uint32_t *flags, const int64_t *starts, const uint64_t *values, int64_t *base, int64_t j, int64_t end, bint monotonic
) noexcept nogil:
    cdef uint32_t kind = flags[j - 1]
    cdef int64_t start = starts[j - 1]
    while j < end and flags[j] == kind and starts[j] == start:
        if monotonic and number_fell(values[j - 1], kind, values[j], kind):
            break
        base[j] = j - 1
        j += 1
    return j


cdef inline bint number_fell(uint64_t old, uint32_t old_flags, uint64_t new, uint32_t new_flags) noexcept nogil:
    if old_flags & new_flags & IS_INT:
        return <int64_t>new < <int64_t>old
    if not (old_flags | new_flags) & IS_INT:
        return as_double(new) < as_double(old)
    return exact(new, new_flags) < exact(old, old_flags)


# x86's long double has 64 bits of mantissa: it holds every int64 and every double, so that an int and
# a double compare as the numbers they are. Elsewhere it may be a double, and ints beyond 2^53 round.
cdef inline long double exact(uint64_t value, uint32_t flags) noexcept nogil:
    return <long double><int64_t>value if flags & IS_INT else <long double>as_double(value)


#: The base of points that have no part in an answer; see contributions.pxd.
SKIP = BASE_SKIP
