# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Sums, extremes and counts of gauges and sums, by group and window.

Groups are done one after the other over one row of cells, a cell a window, so that the room is that
of the windows and not of windows times groups; and series come a batch at a time, so that it is that
of a batch and not of all that was asked for. Only cells that were touched are read and cleared.
Integers are summed in 128 bits: 2^63 points of 64 bits fit, so the sum is exact, and whether it fits
an int64 is asked once, at the end.
"""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from urpo_store.query.contributions cimport (
    BASE_NONE, BASE_SKIP, BASE_ZERO, IS_INT, STALE, known_start, started_again,
)
from urpo_store.query.sums cimport Sum, as_double, sum_add, sum_of
from urpo_store.query.windows cimport Walk, walk_begin, walk_to

import numpy as np

cdef extern from *:
    """
    typedef __int128 urpo_int128;
    """
    ctypedef long long int128 "urpo_int128"

cdef enum Operation:
    OP_SUM
    OP_AVG
    OP_MIN
    OP_MAX
    OP_COUNT
    OP_NEWEST

_OPERATIONS = {
    "sum": OP_SUM, "avg": OP_AVG, "min": OP_MIN, "max": OP_MAX, "count": OP_COUNT, "newest": OP_NEWEST,
}

cdef struct Cell:
    int128 integers             # the exact sum of the integers
    Sum floats                  # the sum of everything that is or was measured against a double
    int64_t count               # points; 0: the cell is untouched
    int64_t newest              # time of the latest point
    uint64_t best               # bits of the least, greatest or newest value
    uint8_t best_int
    uint8_t has_float


cdef inline long double exact(uint64_t value, uint32_t flags) noexcept nogil:
    # Exact for ints and doubles alike where long double has 64 bits of mantissa (x86).
    return <long double><int64_t>value if flags & IS_INT else <long double>as_double(value)


cdef inline bint better(Cell *cell, uint64_t value, uint32_t flags, bint least) noexcept nogil:
    """Whether the value replaces the best; a number always replaces NaN."""
    cdef long double new = exact(value, flags)
    cdef long double old = exact(cell.best, IS_INT if cell.best_int else 0)
    if old != old:
        return True
    return new < old if least else new > old


# The columns of a scan, and how they are added up.
cdef struct Points:
    const int64_t *times
    const int64_t *starts
    const uint64_t *values
    const uint32_t *flags
    const int64_t *bases        # which points count (whole), and which do not; not looked at for increases
    bint increases              # each is measured against the one before it, as of a cumulative sum
    bint monotonic              # what falls was reset; of increases


cdef inline void count_point(Cell *cell, int64_t time, int64_t points) noexcept nogil:
    if time > cell.newest or cell.count == 0:
        cell.newest = time
    cell.count += points


cdef inline void add_whole(Cell *cell, uint64_t value, uint32_t flags) noexcept nogil:
    if flags & IS_INT:
        cell.integers += <int64_t>value
    else:
        sum_add(&cell.floats, as_double(value))
        cell.has_float = 1


cdef inline void add_difference(Cell *cell, const Points *points, int64_t base, int64_t j) noexcept nogil:
    cdef uint64_t old = points.values[base], new = points.values[j]
    cdef uint32_t old_flags = points.flags[base], new_flags = points.flags[j]
    if old_flags & new_flags & IS_INT:
        cell.integers += <int128><int64_t>new - <int64_t>old
        return
    if not (old_flags | new_flags) & IS_INT:
        sum_add(&cell.floats, as_double(new) - as_double(old))
    else:
        sum_add(&cell.floats, <double>(exact(new, new_flags) - exact(old, old_flags)))
    cell.has_float = 1


cdef inline void merge(Cell *cell, const Cell *part) noexcept nogil:
    """Adds a sum to a sum."""
    cell.integers += part.integers
    if part.has_float:
        sum_add(&cell.floats, part.floats.total)
        cell.floats.lost += part.floats.lost
        cell.has_float = 1
    if part.newest > cell.newest:
        cell.newest = part.newest
    cell.count += part.count


cdef inline bint finite(uint64_t value) noexcept nogil:
    return (value >> 52) & 0x7FF != 0x7FF


cdef void sum_series(Cell *cells, int64_t count, Walk *walk, const Points *points, int64_t j, int64_t end, int64_t *low, int64_t *high) noexcept nogil:
    """Adds the points j..end of one series. What falls into one window is summed up aside first: a
    cell in registers, where a cell in memory would be loaded and stored for every point."""
    cdef Cell part
    cdef int64_t k
    cdef int64_t window = -1
    memset(&part, 0, sizeof(Cell))
    while j < end:
        if points.bases[j] != BASE_SKIP:
            k = walk_to(walk, points.times[j])
            if k >= count:
                break       # behind the range: a reader's mistake must not write outside
            if k != window:
                if window >= 0:
                    merge(&cells[window], &part)
                    memset(&part, 0, sizeof(Cell))
                elif k < low[0]:
                    low[0] = k
                window = k
            add_whole(&part, points.values[j], points.flags[j])
            count_point(&part, points.times[j], 1)
        j += 1
    if window >= 0:
        merge(&cells[window], &part)
        if window > high[0]:
            high[0] = window


# ---- increases ------------------------------------------------------------------------------------

cdef inline bint number_fell(uint64_t old, uint32_t old_flags, uint64_t new, uint32_t new_flags) noexcept nogil:
    if old_flags & new_flags & IS_INT:
        return <int64_t>new < <int64_t>old
    if not (old_flags | new_flags) & IS_INT:
        return as_double(new) < as_double(old)
    return exact(new, new_flags) < exact(old, old_flags)


cdef inline int64_t base_of(const Points *points, int64_t before, int64_t j) noexcept nogil:
    """The base of point j, of which `before` is the value before it; -1 if there is none."""
    if before < 0:
        return BASE_ZERO if known_start(points.starts[j], points.times[j]) else BASE_NONE
    if started_again(points.starts[j], points.times[j], points.starts[before], points.times[before]):
        return BASE_ZERO
    if points.monotonic and number_fell(points.values[before], points.flags[before], points.values[j], points.flags[j]):
        return BASE_ZERO
    return before


cdef inline int64_t run_end(const Points *points, int64_t j, int64_t end) noexcept nogil:
    """The end of the run that begins with j, or j: each is measured against its neighbour, and if the ends
    of a part of it are finite numbers, then so are all between them.

    Such are points of one type and one start that do not fall, or, where they may, that are finite. One
    start cannot show a reset once a point stands at it or behind it."""
    cdef const int64_t *starts = points.starts
    cdef const uint64_t *values = points.values
    cdef const uint32_t *flags = points.flags
    cdef uint32_t kind = flags[j - 1]
    cdef int64_t start = starts[j - 1]
    if start > points.times[j - 1]:
        return j
    if not points.monotonic:
        while j < end and flags[j] == kind and starts[j] == start and (kind & IS_INT or finite(values[j])):
            j += 1
    elif kind & IS_INT:
        while j < end and flags[j] == kind and starts[j] == start and <int64_t>values[j] >= <int64_t>values[j - 1]:
            j += 1
    else:
        while j < end and flags[j] == kind and starts[j] == start and as_double(values[j]) >= as_double(values[j - 1]):
            j += 1
    return j


cdef inline int64_t end_of_window(const int64_t *times, int64_t j, int64_t end, int64_t edge, int64_t guess) noexcept nogil:
    """The end of those of the points j..end, which ascend and of which j is one, that do not lie behind
    the edge. `guess` is how many the window before had."""
    cdef int64_t k = j + guess
    if k > end or times[k - 1] > edge:
        k = j + 1
    while k < end and times[k] <= edge:
        k += 1
    return k


cdef inline void add_run(Cell *cell, const Points *points, int64_t j, int64_t end) noexcept nogil:
    """Adds a part of a run, whose differences add up to that of its ends: one subtraction, and exact
    for ints."""
    cdef const uint64_t *values = points.values
    if points.flags[j] & IS_INT or finite(values[j - 1]) and finite(values[end - 1]):
        add_difference(cell, points, j - 1, end - 1)
    else:
        for j in range(j, end):
            add_difference(cell, points, j - 1, j)


cdef void sum_increases(Cell *cells, int64_t count, Walk *walk, const Points *points, int64_t j, int64_t first, int64_t end, int64_t *low, int64_t *high) noexcept nogil:
    """Adds the increases of one series: of the points from `first` on, which those from j on lead."""
    cdef int64_t k, run, behind
    cdef int64_t before = -1, length = 1, base = BASE_NONE
    cdef bint in_run
    while j < end:
        if points.flags[j] & STALE:
            j += 1
            continue
        if j < first:
            before = j
            j += 1
            continue
        # One that is no part of a run is added by itself.
        run = run_end(points, j, end) if before >= 0 and before == j - 1 else j
        in_run = run > j
        if not in_run:
            base = base_of(points, before, j)
            run = j + 1
        while j < run:
            k = walk_to(walk, points.times[j])
            if k >= count:
                return      # behind the range: a reader's mistake must not write outside
            if k < low[0]:
                low[0] = k
            if k > high[0]:
                high[0] = k
            behind = end_of_window(points.times, j, run, walk.edge, length)
            if in_run:
                length = behind - j
                add_run(&cells[k], points, j, behind)
            elif base == BASE_ZERO:
                add_whole(&cells[k], points.values[j], points.flags[j])
            elif base == BASE_NONE:
                # Adds nothing, but a sum of doubles is a double.
                cells[k].has_float |= not points.flags[j] & IS_INT
            else:
                add_difference(&cells[k], points, base, j)
            count_point(&cells[k], points.times[behind - 1], behind - j)
            j = behind
        before = j - 1


cdef inline void take(Cell *cell, uint64_t value, uint32_t flags) noexcept nogil:
    cell.best = value
    cell.best_int = (flags & IS_INT) != 0


cdef void points_of(Points *points, scanned):
    """The columns of a scan; they must outlive the points."""
    cdef const int64_t[::1] times = scanned.times
    cdef const int64_t[::1] starts = scanned.starts
    cdef const uint64_t[::1] values = scanned.values
    cdef const uint32_t[::1] flags = scanned.flags
    memset(points, 0, sizeof(Points))
    if times.shape[0]:
        points.times = &times[0]
        points.starts = &starts[0]
        points.values = &values[0]
        points.flags = &flags[0]


@cython.final
cdef class Reduction:
    """Rows of groups, from points that come a batch of series at a time, group after group.

    `windows` is a times.Windows. The operations:

    sum     sum of the points that count, or of what the series rose; an int if all are, and fits
    avg     mean of the points
    min, max  least and greatest; NaN only if there is nothing else
    count   points, an int
    newest  the value of the latest point; of equally late ones that of the series that came last

    Raises MemoryError if there is no room for so many windows.
    """

    cdef int op
    cdef int64_t first_instant, step, count
    cdef int64_t low, high      # windows of the group under way that were touched; low > high: none
    cdef Cell *cells            # a cell a window

    def __cinit__(self, windows, str operation):
        self.op = _OPERATIONS[operation]
        self.first_instant = windows.first
        self.step = windows.step
        self.count = windows.count
        self.low = self.count
        self.high = -1
        self.cells = <Cell *>calloc(self.count, sizeof(Cell))
        if self.cells == NULL:
            raise MemoryError(f"no memory for {self.count} windows; ask for a longer step")

    def __dealloc__(self):
        free(self.cells)

    def add(self, scanned, const int64_t[::1] bases, const uint8_t[::1] ends):
        """Adds series; where ends[i] is set, series i is the last one of its group.

        `bases` (contributions.pxd) says which points count. Returns, of the groups that ended, (rows
        int64[groups]: how many each has, window int64[n], newest int64[n]: time of the latest point,
        values float64[n], int_values int64[n], is_int bool[n], overflowed bool[groups]); a row is a
        window that has a point.
        """
        cdef Points points
        points_of(&points, scanned)
        points.bases = &bases[0] if bases.shape[0] else NULL
        return self.add_points(scanned, &points, ends)

    def add_increases(self, scanned, bint monotonic, const uint8_t[::1] ends):
        """As `add`, for sums of how much each series of a cumulative sum rose: each point is measured
        against the one before it, and a value that falls was reset if the sum is `monotonic`."""
        cdef Points points
        if self.op != OP_SUM:
            raise ValueError("only a sum adds up increases; make the Reduction with 'sum'")
        points_of(&points, scanned)
        points.increases = True
        points.monotonic = monotonic
        return self.add_points(scanned, &points, ends)

    cdef tuple add_points(self, scanned, const Points *points, const uint8_t[::1] ends):
        cdef const int64_t[::1] offsets = scanned.offsets
        cdef const int64_t[::1] first = scanned.first
        cdef Py_ssize_t series, group_count = 0
        for series in range(ends.shape[0]):
            group_count += ends[series]
        cdef Py_ssize_t capacity = self.row_capacity(offsets, first, ends)
        rows = np.zeros(group_count, np.int64)
        out_window = np.empty(capacity, np.int64)
        out_newest = np.empty(capacity, np.int64)
        out_values = np.empty(capacity, np.float64)
        out_ints = np.zeros(capacity, np.int64)
        out_is_int = np.zeros(capacity, np.uint8)
        out_overflow = np.zeros(group_count, np.uint8)
        cdef int64_t[::1] row_view = rows
        cdef int64_t[::1] window_view = out_window
        cdef int64_t[::1] newest_view = out_newest
        cdef double[::1] values_view = out_values
        cdef int64_t[::1] ints_view = out_ints
        cdef uint8_t[::1] is_int_view = out_is_int
        cdef uint8_t[::1] overflow_view = out_overflow
        cdef Row row
        cdef Py_ssize_t group = 0, used = 0
        cdef int64_t k
        with nogil:
            for series in range(ends.shape[0]):
                self.add_series(points, offsets[series], first[series], offsets[series + 1])
                if not ends[series]:
                    continue
                for k in range(self.low, self.high + 1):
                    if self.cells[k].count == 0:
                        continue
                    row = row_of(&self.cells[k], self.op)
                    window_view[used] = k
                    newest_view[used] = self.cells[k].newest
                    values_view[used] = row.value
                    ints_view[used] = row.int_value
                    is_int_view[used] = row.is_int
                    overflow_view[group] |= row.overflowed
                    row_view[group] += 1
                    used += 1
                    memset(&self.cells[k], 0, sizeof(Cell))
                self.low = self.count
                self.high = -1
                group += 1
        return (
            rows, out_window[:used], out_newest[:used], out_values[:used], out_ints[:used],
            out_is_int[:used].view(np.bool_), out_overflow.view(np.bool_),
        )

    cdef Py_ssize_t row_capacity(
        self, const int64_t[::1] offsets, const int64_t[::1] first, const uint8_t[::1] ends
    ) noexcept nogil:
        """At most a row a window, and at most a row a point, in each group that ends."""
        cdef Py_ssize_t total = 0, i
        cdef int64_t points = self.high - self.low + 1 if self.high >= self.low else 0
        for i in range(ends.shape[0]):
            points += offsets[i + 1] - first[i]
            if ends[i]:
                total += points if points < self.count else self.count
                points = 0
        return total

    cdef void add_series(self, const Points *points, int64_t begin, int64_t j, int64_t end) noexcept nogil:
        cdef Walk walk
        cdef Cell *cell
        cdef int64_t k
        walk_begin(&walk, self.first_instant, self.step)
        if points.increases:
            sum_increases(self.cells, self.count, &walk, points, begin, j, end, &self.low, &self.high)
            return
        if self.op == OP_SUM:
            sum_series(self.cells, self.count, &walk, points, j, end, &self.low, &self.high)
            return
        while j < end:
            if points.bases[j] != BASE_SKIP:
                k = walk_to(&walk, points.times[j])
                if k >= self.count:
                    return      # behind the range: a reader's mistake must not write outside
                if k < self.low:
                    self.low = k
                if k > self.high:
                    self.high = k
                cell = &self.cells[k]
                if self.op == OP_AVG:
                    add_whole(cell, points.values[j], points.flags[j])
                elif self.op == OP_NEWEST:
                    if cell.count == 0 or points.times[j] >= cell.newest:
                        take(cell, points.values[j], points.flags[j])
                elif self.op != OP_COUNT:
                    if cell.count == 0 or better(
                        cell, points.values[j], points.flags[j], self.op == OP_MIN
                    ):
                        take(cell, points.values[j], points.flags[j])
                count_point(cell, points.times[j], 1)
            j += 1


cdef struct Row:
    double value
    int64_t int_value
    uint8_t is_int
    uint8_t overflowed


cdef Row row_of(const Cell *cell, int op) noexcept nogil:
    cdef Row row
    row.int_value = 0
    row.is_int = row.overflowed = 0
    if op == OP_SUM:
        row.value = <double>cell.integers
        if cell.has_float:
            row.value += sum_of(&cell.floats)
        elif INT64_MIN <= cell.integers <= INT64_MAX:
            row.is_int = 1
            row.int_value = <int64_t>cell.integers
        else:
            row.overflowed = 1
    elif op == OP_AVG:
        row.value = (<double>cell.integers + sum_of(&cell.floats)) / <double>cell.count
    elif op == OP_COUNT:
        row.is_int = 1
        row.int_value = cell.count
        row.value = <double>cell.count
    else:
        row.is_int = cell.best_int
        row.int_value = <int64_t>cell.best if cell.best_int else 0
        row.value = <double><int64_t>cell.best if cell.best_int else as_double(cell.best)
    return row
