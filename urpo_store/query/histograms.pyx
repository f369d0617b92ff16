# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Count, sum and extremes of histograms, explicit and exponential, by group and window.

Both kinds begin their rows with sum, min and max, so that one pass serves them. What stands in the
buckets is in explicit.pyx and points/ranges.pyx, whose rows are the same ones in the same order.
"""
from libc.math cimport NAN
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from urpo_store.query.contributions cimport BASE_NONE, BASE_SKIP, HAS_MAX, HAS_MIN, HAS_SUM
from urpo_store.query.sums cimport Sum, as_double, sum_add, sum_of
from urpo_store.query.windows cimport Walk, most_rows, walk_begin, walk_to

import numpy as np

cdef extern from *:
    """
    typedef unsigned __int128 urpo_uint128;
    """
    ctypedef unsigned long long uint128 "urpo_uint128"

cdef struct Cell:
    uint128 count
    Sum sum
    double least, greatest      # of the points that carry them
    int64_t newest
    int64_t points              # 0: the cell is untouched
    int64_t added               # points that are no mere baselines
    int64_t with_sum, with_min, with_max


def totals(scanned, const int64_t[::1] bases, groups, windows):
    """One row per group and window that has a point.

    `bases` as in contributions.pxd, `groups` a select.Groups, `windows` a times.Windows. Returns (rows
    int64[groups + 1]: group g has rows[g]..rows[g + 1], window int64[n], newest int64[n]: time of the
    latest point, columns), columns a dict of arrays: count uint64 (2^64 - 1 where it is more),
    count_float float64, count_fits bool (an int64), sum, min, max float64 (NaN where unknown), has_sum
    (every point has one), has_min, has_max (some point has one), max_known (every point has one).
    """
    cdef const int64_t[::1] offsets = scanned.offsets
    cdef const int64_t[::1] first = scanned.first
    cdef const int64_t[::1] times = scanned.times
    cdef const uint64_t[::1] values = scanned.values
    cdef const uint32_t[::1] flags = scanned.flags
    # A scan without any point has no rows either.
    empty = np.zeros(1, np.uint64)
    cdef const uint64_t[::1] row = empty if scanned.row is None else scanned.row
    cdef const uint64_t[::1] words = empty if scanned.words is None else scanned.words
    cdef const int64_t[::1] order = groups.order
    cdef const int64_t[::1] members = groups.offsets
    cdef int64_t first_instant = windows.first
    cdef int64_t step = windows.step
    cdef int64_t count = windows.count
    cdef Py_ssize_t group_count = members.shape[0] - 1
    cdef Py_ssize_t capacity = most_rows(&offsets[0], &first[0], &order[0], &members[0], members.shape[0] - 1, count)
    rows = np.zeros(group_count + 1, np.int64)
    out_window = np.empty(capacity, np.int64)
    out_newest = np.empty(capacity, np.int64)
    out_count = np.empty(capacity, np.uint64)
    out_float = np.empty((4, capacity), np.float64)
    out_has = np.empty((5, capacity), np.uint8)
    cdef int64_t[::1] rows_view = rows
    cdef int64_t[::1] window_view = out_window
    cdef int64_t[::1] newest_view = out_newest
    cdef uint64_t[::1] count_view = out_count
    cdef double[:, ::1] float_view = out_float
    cdef uint8_t[:, ::1] has_view = out_has
    cdef Cell *cells = <Cell *>calloc(count, sizeof(Cell))
    if cells == NULL:
        raise MemoryError(f"no memory for {count} windows; ask for a longer step")
    cdef Cell *cell
    cdef Walk walk
    cdef Py_ssize_t g, m
    cdef int64_t i, j, k, low, high, base
    cdef int64_t n = 0
    with nogil:
        for g in range(group_count):
            low = count
            high = -1
            for m in range(members[g], members[g + 1]):
                i = order[m]
                walk_begin(&walk, first_instant, step)
                for j in range(first[i], offsets[i + 1]):
                    base = bases[j]
                    if base == BASE_SKIP:
                        continue
                    k = walk_to(&walk, times[j])
                    if k >= count:
                        break       # behind the range: a reader's mistake must not write outside
                    low = k if k < low else low
                    high = k if k > high else high
                    cell = &cells[k]
                    cell.points += 1
                    cell.newest = times[j] if times[j] > cell.newest else cell.newest
                    if base == BASE_NONE:
                        continue
                    cell.added += 1
                    cell.count += values[j]
                    if flags[j] & HAS_SUM:
                        cell.with_sum += 1
                        if base < 0:
                            sum_add(&cell.sum, as_double(words[row[j]]))
                    if base >= 0:
                        cell.count -= values[base]
                        if not flags[base] & HAS_SUM:
                            cell.with_sum = -INT64_MAX      # unknown, whatever else is added
                        elif flags[j] & HAS_SUM:
                            sum_add(&cell.sum, as_double(words[row[j]]) - as_double(words[row[base]]))
                    if flags[j] & HAS_MIN:
                        cell.least = lesser(cell.least, as_double(words[row[j] + 1]), cell.with_min == 0)
                        cell.with_min += 1
                    if flags[j] & HAS_MAX:
                        cell.greatest = -lesser(-cell.greatest, -as_double(words[row[j] + 2]), cell.with_max == 0)
                        cell.with_max += 1
            for k in range(low, high + 1):
                cell = &cells[k]
                if cell.points == 0:
                    continue
                window_view[n] = k
                newest_view[n] = cell.newest
                has_view[0, n] = cell.count <= INT64_MAX
                has_view[1, n] = cell.with_sum == cell.added
                has_view[2, n] = cell.with_min != 0
                has_view[3, n] = cell.with_max != 0
                has_view[4, n] = cell.with_max == cell.added and cell.added != 0
                count_view[n] = <uint64_t>cell.count if cell.count >> 64 == 0 else <uint64_t>-1
                float_view[0, n] = <double>cell.count
                float_view[1, n] = sum_of(&cell.sum) if has_view[1, n] else NAN
                float_view[2, n] = cell.least if has_view[2, n] else NAN
                float_view[3, n] = cell.greatest if has_view[3, n] else NAN
                n += 1
                memset(cell, 0, sizeof(Cell))
            rows_view[g + 1] = n
    free(cells)
    has = out_has[:, :n].view(np.bool_)
    columns = {
        "count": out_count[:n],
        "count_float": out_float[0, :n],
        "count_fits": has[0],
        "sum": out_float[1, :n],
        "min": out_float[2, :n],
        "max": out_float[3, :n],
        "has_sum": has[1],
        "has_min": has[2],
        "has_max": has[3],
        "max_known": has[4],
    }
    return rows, out_window[:n], out_newest[:n], columns


cdef inline double lesser(double old, double new, bint first) noexcept nogil:
    """The lesser one; a number rather than NaN."""
    return new if first or new < old or old != old else old
