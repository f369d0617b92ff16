# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Count, sum and extremes of histograms, explicit and exponential, by group and window.

Rows of both kinds begin with sum, min and max, so one pass serves both. Their buckets are added up
by explicit.pyx and exponential.pyx, whose rows are the same ones in the same order.
"""
from libc.math cimport NAN
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from urpo_store.engine.points.slots cimport FLAG_MAX, FLAG_MIN, FLAG_SUM
from urpo_store.query.arrays cimport doubles, int64s, uint64s, uint8s
from urpo_store.query.bases cimport BASE_NONE
from urpo_store.query.scanned cimport Points, points_of
from urpo_store.query.sums cimport Sum, as_double, sum_add, sum_of
from urpo_store.query.windows cimport Walk, each_window, most_rows, walk_group, walk_over

import numpy as np

cdef extern from *:
    """
    typedef unsigned __int128 urpo_uint128;
    """
    ctypedef unsigned long long uint128 "urpo_uint128"

# What the histograms of one window add up to, but for their buckets.
cdef struct Total:
    uint128 count
    Sum sum
    double least, greatest      # of the points that carry them
    int64_t newest
    int64_t points              # 0: the window is untouched
    int64_t added               # points that are no mere baselines
    int64_t with_sum, with_min, with_max

# Where the rows are written: a column each.
cdef struct TotalRows:
    int64_t *window
    int64_t *newest
    uint64_t *count
    double *count_float
    double *sum
    double *least
    double *greatest
    uint8_t *count_fits
    uint8_t *has_sum
    uint8_t *has_min
    uint8_t *has_max
    uint8_t *max_known


cdef inline double lesser(double old, double new, bint first) noexcept nogil:
    """The lesser one; a number rather than NaN."""
    return new if first or new < old or old != old else old


cdef inline void add_point(
    Total *total, const Points *points, int64_t j, int64_t base
) noexcept nogil:
    """Adds point j less its base."""
    cdef const uint64_t *head = &points.words[points.row[j]]       # sum, min, max
    total.added += 1
    total.count += points.values[j]
    if points.flags[j] & FLAG_SUM:
        total.with_sum += 1
        if base < 0:
            sum_add(&total.sum, as_double(head[0]))
    if base >= 0:
        total.count -= points.values[base]
        if not points.flags[base] & FLAG_SUM:
            total.with_sum = -INT64_MAX         # unknown, whatever else is added
        elif points.flags[j] & FLAG_SUM:
            sum_add(&total.sum, as_double(head[0]) - as_double(points.words[points.row[base]]))
    if points.flags[j] & FLAG_MIN:
        total.least = lesser(total.least, as_double(head[1]), total.with_min == 0)
        total.with_min += 1
    if points.flags[j] & FLAG_MAX:
        total.greatest = -lesser(-total.greatest, -as_double(head[2]), total.with_max == 0)
        total.with_max += 1


cdef inline void write_row(
    const TotalRows *out, int64_t n, int64_t window, const Total *total
) noexcept nogil:
    out.window[n] = window
    out.newest[n] = total.newest
    out.count[n] = <uint64_t>total.count if total.count >> 64 == 0 else <uint64_t>-1
    out.count_float[n] = <double>total.count
    out.count_fits[n] = total.count <= INT64_MAX
    out.has_sum[n] = total.with_sum == total.added
    out.has_min[n] = total.with_min != 0
    out.has_max[n] = total.with_max != 0
    out.max_known[n] = total.with_max == total.added and total.added != 0
    out.sum[n] = sum_of(&total.sum) if out.has_sum[n] else NAN
    out.least[n] = total.least if out.has_min[n] else NAN
    out.greatest[n] = total.greatest if out.has_max[n] else NAN


cdef int64_t add_up(
    Total *totals, const Walk *asked, const Points *points, const TotalRows *out, int64_t *rows
) noexcept nogil:
    """Writes the rows of all groups; rows[g + 1]: how many there are up to group g. Their
    number."""
    cdef Walk walk = asked[0]
    cdef Total *total
    cdef Py_ssize_t g
    cdef int64_t k, time
    cdef int64_t n = 0
    for g in range(walk.groups):
        walk_group(&walk, g)
        while each_window(&walk):
            total = &totals[walk.window]
            total.points += 1
            time = walk.times[walk.point]
            total.newest = time if time > total.newest else total.newest
            if walk.bases[walk.point] != BASE_NONE:
                add_point(total, points, walk.point, walk.bases[walk.point])
        for k in range(walk.low, walk.high + 1):
            if totals[k].points != 0:
                write_row(out, n, k, &totals[k])
                n += 1
                memset(&totals[k], 0, sizeof(Total))
        rows[g + 1] = n
    return n


def totals(scanned, const int64_t[::1] bases, groups, windows):
    """One row per group and window that has a point.

    `bases` as in bases.pxd, `groups` a select.Groups, `windows` a times.Windows. Returns (rows
    int64[groups + 1]: group g has rows[g]..rows[g + 1], window int64[n], newest int64[n]: time of
    the latest point, columns), columns a dict of arrays:

    count         uint64, 2^64 - 1 where it is more
    count_float   float64
    count_fits    bool: it is an int64
    sum, min, max float64, NaN where unknown
    has_sum       bool: every point has one
    has_min, has_max  bool: some point has one
    max_known     bool: every point has one
    """
    cdef Points points
    cdef Walk walk
    cdef TotalRows out
    points_of(&points, scanned)
    walk_over(&walk, &points, &bases[0], groups, windows)
    cdef Py_ssize_t capacity = most_rows(&walk)
    rows = np.zeros(walk.groups + 1, np.int64)
    window = np.empty(capacity, np.int64)
    newest = np.empty(capacity, np.int64)
    count = np.empty(capacity, np.uint64)
    numbers = np.empty((4, capacity), np.float64)
    marks = np.empty((5, capacity), np.uint8)
    out.window = int64s(window)
    out.newest = int64s(newest)
    out.count = uint64s(count)
    out.count_float, out.sum, out.least, out.greatest = (
        doubles(numbers[0]), doubles(numbers[1]), doubles(numbers[2]), doubles(numbers[3]))
    out.count_fits, out.has_sum, out.has_min, out.has_max, out.max_known = (
        uint8s(marks[0]), uint8s(marks[1]), uint8s(marks[2]), uint8s(marks[3]), uint8s(marks[4]))
    cdef int64_t *rows_p = int64s(rows)
    cdef Total *sums = <Total *>calloc(walk.count, sizeof(Total))
    if sums == NULL:
        raise MemoryError(f"no memory for {walk.count} windows; ask for a longer step")
    cdef int64_t n
    with nogil:
        n = add_up(sums, &walk, &points, &out, rows_p)
    free(sums)
    marks = marks[:, :n].view(np.bool_)
    columns = {
        "count": count[:n],
        "count_float": numbers[0, :n],
        "count_fits": marks[0],
        "sum": numbers[1, :n],
        "min": numbers[2, :n],
        "max": numbers[3, :n],
        "has_sum": marks[1],
        "has_min": marks[2],
        "has_max": marks[3],
        "max_known": marks[4],
    }
    return rows, window[:n], newest[:n], columns
