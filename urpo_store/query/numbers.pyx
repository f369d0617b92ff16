# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Sums, extremes and counts of gauges and sums, by group and window.

Groups are done one after the other over one row of tallies, a tally for each window. Series come a
batch at a time. So the memory is that of the windows and of one batch, not of all that was asked
for. Only tallies that were touched are read and cleared.
"""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from urpo_store.query.arrays cimport doubles, int64s, uint8s
from urpo_store.query.increases cimport add_increases
from urpo_store.query.scanned cimport Points, points_of
from urpo_store.query.tallies cimport (
    OP_AVG, OP_COUNT, OP_MAX, OP_MIN, OP_NEWEST, OP_SUM, Tally, TallyRow, add_sum, add_whole,
    better, count_points, keep_best, row_of,
)
from urpo_store.query.windows cimport Walk, next_point, walk_begin, walk_series, walk_touched

import numpy as np

_OPERATIONS = {
    "sum": OP_SUM, "avg": OP_AVG, "min": OP_MIN, "max": OP_MAX, "count": OP_COUNT,
    "newest": OP_NEWEST,
}


cdef void add_values(Tally *tallies, Walk *group, const Points *points) noexcept nogil:
    """Adds the points of the series at which `group` stands, for SUM.

    What falls into one window is summed up aside first: a tally in registers, where one in memory
    would be loaded and stored for every point."""
    cdef Walk walk = group[0]
    cdef Tally part
    cdef int64_t window = -1
    memset(&part, 0, sizeof(Tally))
    while next_point(&walk):
        if walk.window != window:
            if window >= 0:
                add_sum(&tallies[window], &part)
                memset(&part, 0, sizeof(Tally))
            window = walk.window
        add_whole(&part, points.values[walk.point], points.flags[walk.point])
        count_points(&part, walk.times[walk.point], 1)
    if window >= 0:
        add_sum(&tallies[window], &part)
    walk_touched(group, &walk)


cdef void compare_values(Tally *tallies, Walk *group, const Points *points, int op) noexcept nogil:
    """As `add_values`, for what is no sum alone: AVG, MIN, MAX, COUNT, the newest."""
    cdef Walk walk = group[0]
    cdef Tally *tally
    cdef uint64_t value
    cdef int64_t j
    while next_point(&walk):
        j = walk.point
        value = points.values[j]
        tally = &tallies[walk.window]
        if op == OP_AVG:
            add_whole(tally, value, points.flags[j])
        elif op == OP_NEWEST:
            if tally.count == 0 or walk.times[j] >= tally.newest:
                keep_best(tally, value, points.flags[j])
        elif op != OP_COUNT:
            if tally.count == 0 or better(tally, value, points.flags[j], op == OP_MIN):
                keep_best(tally, value, points.flags[j])
        count_points(tally, walk.times[j], 1)
    walk_touched(group, &walk)


@cython.final
cdef class Reduction:
    """TallyRows of groups, from points that come a batch of series at a time, group after group.

    `windows` is a times.Windows. The operations:

    sum     sum of the points that count, or of what the series rose; an int if all are, and fits
    avg     mean of the points
    min, max  least and greatest; NaN only if there is nothing else
    count   points, an int
    newest  the value of the latest point; of equally late ones that of the series that came last

    Raises MemoryError if there is no room for so many windows.
    """

    cdef int op
    cdef Walk walk              # low..high: what the group under way has touched
    cdef Tally *tallies         # one for each window

    def __cinit__(self, windows, str operation):
        self.op = _OPERATIONS[operation]
        walk_begin(&self.walk, windows.first, windows.step, windows.count)
        self.tallies = <Tally *>calloc(self.walk.count, sizeof(Tally))
        if self.tallies == NULL:
            raise MemoryError(f"no memory for {self.walk.count} windows; ask for a longer step")

    def __dealloc__(self):
        free(self.tallies)

    def add(self, scanned, const int64_t[::1] bases, const uint8_t[::1] ends):
        """Adds series; where ends[i] is set, series i is the last one of its group.

        `bases` (bases.pxd) says which points count. Returns, of the groups that ended, (rows
        int64[groups]: how many each has, window int64[n], newest int64[n]: time of the latest
        point, values float64[n], int_values int64[n], is_int bool[n], overflowed bool[groups]); a
        row is a window that has a point.
        """
        cdef Points points
        cdef Py_ssize_t i
        points_of(&points, scanned)
        self.walk.times = points.times
        self.walk.bases = &bases[0]
        cdef TallyRows rows = self.rows_for(&points, ends)
        with nogil:
            for i in range(points.series):
                walk_series(&self.walk, points.first[i], points.offsets[i + 1])
                if self.op == OP_SUM:
                    add_values(self.tallies, &self.walk, &points)
                else:
                    compare_values(self.tallies, &self.walk, &points, self.op)
                if ends[i]:
                    self.end_group(rows)
        return rows.written()

    def add_increases(self, scanned, bint monotonic, const uint8_t[::1] ends):
        """As `add`, for sums of how much each series of a cumulative sum rose.

        Each point is measured against the one before it. A value that falls follows a reset if the
        sum is `monotonic`.
        """
        cdef Points points
        cdef Py_ssize_t i
        if self.op != OP_SUM:
            raise ValueError("only a sum adds up increases; make the Reduction with 'sum'")
        points_of(&points, scanned)
        cdef TallyRows rows = self.rows_for(&points, ends)
        with nogil:
            for i in range(points.series):
                walk_series(&self.walk, points.first[i], points.offsets[i + 1])
                add_increases(self.tallies, &self.walk, &points, monotonic, points.offsets[i])
                if ends[i]:
                    self.end_group(rows)
        return rows.written()

    cdef TallyRows rows_for(self, const Points *points, const uint8_t[::1] ends):
        """Room for the rows of the groups that end within the points."""
        cdef Py_ssize_t capacity = 0, groups = 0, i
        # A group has at most one row for each window, and one for each point. Of the group under
        # way the windows stand for the points that came before.
        cdef int64_t most = self.walk.high - self.walk.low + 1
        if most < 0:
            most = 0
        for i in range(points.series):
            most += points.offsets[i + 1] - points.first[i]
            if ends[i]:
                capacity += most if most < self.walk.count else self.walk.count
                groups += 1
                most = 0
        return TallyRows(capacity, groups)

    cdef void end_group(self, TallyRows rows) noexcept nogil:
        """Writes the rows of the group under way, and clears its tallies."""
        cdef int64_t k
        for k in range(self.walk.low, self.walk.high + 1):
            if self.tallies[k].count != 0:
                rows.push(k, self.tallies[k].newest, row_of(&self.tallies[k], self.op))
                memset(&self.tallies[k], 0, sizeof(Tally))
        rows.group += 1
        self.walk.low = self.walk.count
        self.walk.high = -1


@cython.final
cdef class TallyRows:
    """The columns of rows that are written one after the other, group after group."""

    cdef tuple columns          # arrays: counts, window, newest, values, ints, is_int, overflowed
    cdef int64_t *counts        # by group, as `overflowed`; the others by row
    cdef int64_t *window
    cdef int64_t *newest
    cdef double *values
    cdef int64_t *ints
    cdef uint8_t *is_int
    cdef uint8_t *overflowed
    cdef Py_ssize_t group, used

    def __cinit__(self, Py_ssize_t capacity, Py_ssize_t groups):
        counts = np.zeros(groups, np.int64)
        window = np.empty(capacity, np.int64)
        newest = np.empty(capacity, np.int64)
        values = np.empty(capacity, np.float64)
        ints = np.empty(capacity, np.int64)
        is_int = np.empty(capacity, np.uint8)
        overflowed = np.zeros(groups, np.uint8)
        self.counts = int64s(counts)
        self.window = int64s(window)
        self.newest = int64s(newest)
        self.values = doubles(values)
        self.ints = int64s(ints)
        self.is_int = uint8s(is_int)
        self.overflowed = uint8s(overflowed)
        self.columns = (counts, window, newest, values, ints, is_int, overflowed)

    cdef void push(self, int64_t window, int64_t newest, TallyRow row) noexcept nogil:
        self.window[self.used] = window
        self.newest[self.used] = newest
        self.values[self.used] = row.value
        self.ints[self.used] = row.int_value
        self.is_int[self.used] = row.is_int
        self.overflowed[self.group] |= row.overflowed
        self.counts[self.group] += 1
        self.used += 1

    cdef tuple written(self):
        """As Reduction.add returns them."""
        counts, window, newest, values, ints, is_int, overflowed = self.columns
        n = self.used
        return (
            counts, window[:n], newest[:n], values[:n], ints[:n], is_int[:n].view(np.bool_),
            overflowed.view(np.bool_),
        )
