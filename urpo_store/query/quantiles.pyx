# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Quantiles of the values of gauges and sums, by group and window.

The values of a group are sorted by window, then those of each window by size. Everything that is
asked for is in memory at once.
"""
from libc.math cimport INFINITY, NAN, floor, isnan
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc, qsort

from urpo_store.engine.points.slots cimport FLAG_INT
from urpo_store.query.arrays cimport doubles, int64s
from urpo_store.query.scanned cimport Points, points_of
from urpo_store.query.sums cimport as_double
from urpo_store.query.windows cimport (
    Walk, each_window, most_rows, walk_again, walk_group, walk_over, walk_touched,
)

import numpy as np


cdef int ascending(const void *a, const void *b) noexcept nogil:
    cdef double x = (<const double *>a)[0]
    cdef double y = (<const double *>b)[0]
    return (x > y) - (x < y)


cdef double quantile_of(double *values, int64_t count, double q) noexcept nogil:
    """The quantile of `count` values, which are sorted in place; NaN values are passed over.

    Linear between the two nearest ranks, as numpy.quantile and PromQL's quantile_over_time."""
    cdef int64_t n = 0
    cdef int64_t i, below
    cdef double place
    for i in range(count):
        if not isnan(values[i]):
            values[n] = values[i]
            n += 1
    if n == 0 or isnan(q):
        return NAN
    if q < 0:
        return -INFINITY
    if q > 1:
        return INFINITY
    qsort(values, n, sizeof(double), ascending)
    place = q * <double>(n - 1)
    below = <int64_t>floor(place)
    place -= <double>below
    # Without these, an infinite neighbour would make NaN of a place that is exactly here.
    if place == 0 or below + 1 >= n or values[below] == values[below + 1]:
        return values[below]
    return values[below] * (1 - place) + values[below + 1] * place


cdef inline double number(const Points *points, int64_t j) noexcept nogil:
    if points.flags[j] & FLAG_INT:
        return <double><int64_t>points.values[j]
    return as_double(points.values[j])


def quantile(values, double q):
    """The quantile of float64 values as queries compute it; the array stays as it is."""
    copy = np.array(values, np.float64)
    cdef double[::1] view = copy
    return quantile_of(&view[0], view.shape[0], q) if view.shape[0] else NAN


# Room for the values of one group, sorted by window. `places` are at first counts of values, then
# where each window's next value goes.
cdef struct Sorting:
    int64_t *places             # by window
    int64_t *latest             # by window: time of the latest point
    double *values


# Where the rows are written: a column each.
cdef struct QuantileRows:
    int64_t *window
    int64_t *newest
    double *values


cdef void sort_by_window(
    Sorting *sorting, Walk *group, const Points *points, Py_ssize_t g
) noexcept nogil:
    """A counting sort; places[k] becomes the end of window k's values."""
    cdef Walk walk = group[0]
    cdef int64_t *places = sorting.places
    cdef int64_t *latest = sorting.latest
    cdef double *values = sorting.values
    cdef int64_t k, size, time
    cdef int64_t at = 0
    walk_group(&walk, g)
    while each_window(&walk):
        k = walk.window
        time = walk.times[walk.point]
        places[k] += 1
        latest[k] = time if time > latest[k] else latest[k]
    for k in range(walk.low, walk.high + 1):
        size = places[k]
        places[k] = at
        at += size
    walk_again(&walk, g)
    while each_window(&walk):
        k = walk.window
        values[places[k]] = number(points, walk.point)
        places[k] += 1
    walk_touched(group, &walk)


cdef int64_t write_rows(
    Sorting *sorting, const Walk *group, const QuantileRows *out, int64_t row, double q
) noexcept nogil:
    """Writes the rows of a group from `row` on, and clears what was used; the row behind them."""
    cdef int64_t k, size
    cdef int64_t at = 0
    for k in range(group.low, group.high + 1):
        size = sorting.places[k] - at
        if size != 0:
            out.window[row] = k
            out.newest[row] = sorting.latest[k]
            out.values[row] = quantile_of(sorting.values + at, size, q)
            row += 1
        at = sorting.places[k]
        sorting.latest[k] = 0
    for k in range(group.low, group.high + 1):
        sorting.places[k] = 0
    return row


def quantiles(scanned, const int64_t[::1] bases, groups, windows, double q):
    """The quantile of all values in each window of each group: (rows, window, newest, values)."""
    cdef Points points
    cdef Walk walk
    cdef QuantileRows out
    cdef Sorting sorting
    points_of(&points, scanned)
    walk_over(&walk, &points, &bases[0], groups, windows)
    cdef Py_ssize_t capacity = most_rows(&walk)
    rows = np.zeros(walk.groups + 1, np.int64)
    window = np.empty(capacity, np.int64)
    newest = np.empty(capacity, np.int64)
    values = np.empty(capacity, np.float64)
    cdef int64_t *rows_p = int64s(rows)
    out.window = int64s(window)
    out.newest = int64s(newest)
    out.values = doubles(values)
    sorting.places = <int64_t *>calloc(walk.count, sizeof(int64_t))
    sorting.latest = <int64_t *>calloc(walk.count, sizeof(int64_t))
    sorting.values = <double *>malloc((points.count + 1) * sizeof(double))
    cdef bint failed = (
        sorting.places == NULL or sorting.latest == NULL or sorting.values == NULL)
    cdef int64_t row = 0
    cdef Py_ssize_t g
    if not failed:
        with nogil:
            for g in range(walk.groups):
                sort_by_window(&sorting, &walk, &points, g)
                row = write_rows(&sorting, &walk, &out, row, q)
                rows_p[g + 1] = row
    free(sorting.places)
    free(sorting.latest)
    free(sorting.values)
    if failed:
        raise MemoryError(f"no memory for {walk.count} windows; ask for a longer step")
    return rows, window[:row], newest[:row], values[:row]
