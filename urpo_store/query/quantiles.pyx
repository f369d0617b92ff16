# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Quantiles of the values of gauges and sums, by group and window: values are sorted by window, then each
window's are. The whole of what is asked for is in memory at once."""
from libc.math cimport INFINITY, NAN, floor, isnan
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort

from urpo_store.query.contributions cimport BASE_SKIP, IS_INT
from urpo_store.query.sums cimport as_double
from urpo_store.query.windows cimport Walk, most_rows, walk_begin, walk_to

import numpy as np


cdef int ascending(const void *a, const void *b) noexcept nogil:
    cdef double x = (<const double *>a)[0]
    cdef double y = (<const double *>b)[0]
    return (x > y) - (x < y)


cdef double quantile_of(double *values, int64_t count, double q) noexcept nogil:
    """The quantile of `count` values, which are sorted in place: linear between the two nearest ranks,
    as numpy.quantile and PromQL's quantile_over_time have it. NaN values are passed over."""
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


def quantile(values, double q):
    """The quantile of float64 values as the queries have it; the array is left as it is."""
    copy = np.array(values, np.float64)
    cdef double[::1] view = copy
    return quantile_of(&view[0], view.shape[0], q) if view.shape[0] else NAN


def quantiles(scanned, const int64_t[::1] bases, groups, windows, double q):
    """The quantile of all values in each window of each group: (rows, window, newest, values)."""
    cdef const int64_t[::1] offsets = scanned.offsets
    cdef const int64_t[::1] first = scanned.first
    cdef const int64_t[::1] times = scanned.times
    cdef const uint64_t[::1] values = scanned.values
    cdef const uint32_t[::1] flags = scanned.flags
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
    out_values = np.empty(capacity, np.float64)
    cdef int64_t[::1] row_view = rows
    cdef int64_t[::1] window_view = out_window
    cdef int64_t[::1] newest_view = out_newest
    cdef double[::1] values_view = out_values
    # Counting sort by window: `places` are first counts, then where each window's next value goes.
    cdef int64_t *places = <int64_t *>calloc(count, sizeof(int64_t))
    cdef int64_t *latest = <int64_t *>calloc(count, sizeof(int64_t))
    cdef double *sorted_values = <double *>malloc((values.shape[0] + 1) * sizeof(double))
    if places == NULL or latest == NULL or sorted_values == NULL:
        free(places)
        free(latest)
        free(sorted_values)
        raise MemoryError(f"no memory for {count} windows; ask for a longer step")
    cdef Walk walk
    cdef Py_ssize_t g, m
    cdef int64_t i, j, k, low, high, at, size
    cdef int64_t row = 0
    with nogil:
        for g in range(group_count):
            low = count
            high = -1
            for m in range(members[g], members[g + 1]):
                i = order[m]
                walk_begin(&walk, first_instant, step)
                for j in range(first[i], offsets[i + 1]):
                    if bases[j] != BASE_SKIP:
                        k = walk_to(&walk, times[j])
                        if k >= count:
                            break       # behind the range: a reader's mistake must not write outside
                        low = k if k < low else low
                        high = k if k > high else high
                        places[k] += 1
                        latest[k] = times[j] if times[j] > latest[k] else latest[k]
            at = 0
            for k in range(low, high + 1):
                size = places[k]
                places[k] = at
                at += size
            for m in range(members[g], members[g + 1]):
                i = order[m]
                walk_begin(&walk, first_instant, step)
                for j in range(first[i], offsets[i + 1]):
                    if bases[j] != BASE_SKIP:
                        k = walk_to(&walk, times[j])
                        if k >= count:
                            break       # behind the range: a reader's mistake must not write outside
                        sorted_values[places[k]] = (
                            <double><int64_t>values[j] if flags[j] & IS_INT else as_double(values[j])
                        )
                        places[k] += 1
            at = 0
            for k in range(low, high + 1):
                size = places[k] - at
                if size != 0:
                    window_view[row] = k
                    newest_view[row] = latest[k]
                    values_view[row] = quantile_of(sorted_values + at, size, q)
                    row += 1
                at = places[k]
            for k in range(low, high + 1):
                places[k] = 0
                latest[k] = 0
            row_view[g + 1] = row
    free(places)
    free(latest)
    free(sorted_values)
    return rows, out_window[:row], out_newest[:row], out_values[:row]
