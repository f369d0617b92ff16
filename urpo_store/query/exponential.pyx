# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Exponential buckets: increases, merges at the smallest scale, quantiles.

Buckets are kept sparse, as ascending (index, count): two sources may lie a billion indexes apart at
a fine scale, and merging is still exact at that scale. Bucket i of scale s covers
(2**(i * 2**-s), 2**((i + 1) * 2**-s)]; coarser by d it is bucket i >> d.

Zero thresholds merge to the greatest; buckets below it are counted as zeros, and one that it cuts
raises it to that bucket's upper bound (OpenTelemetry metrics data model, "Exponential histogram").
Counts are differences that may wrap on the way; see explicit.pyx.
"""
cimport cython
from libc.math cimport INFINITY, NAN, isnan
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc

from urpo_store.engine.points.quantile cimport exponential_bound, fold_index
from urpo_store.query.contributions cimport (
    BASE_NONE, BASE_SKIP, BASE_ZERO, STALE, known_start, started_again,
)
from urpo_store.query.sums cimport as_double
from urpo_store.query.windows cimport Walk, walk_begin, walk_to

import numpy as np

from urpo_store.query.layouts import distinct_layouts

cdef enum:
    HEAD = 5            # sum, min, max, zero_count, zero_threshold
    WIDEST = 4096       # buckets a side of a row that is handed out; coarser until it fits

cdef struct Side:
    int32_t *index      # ascending
    uint64_t *count
    int32_t *spare_index
    uint64_t *spare_count
    size_t used, room

cdef struct Cell:
    Side positive, negative
    int32_t scale
    uint64_t zero_count
    double zero_threshold
    bint touched        # a point of the window was seen
    bint filled         # something was added

cdef struct Shape:
    int32_t scale, positive_offset, negative_offset
    uint32_t positive_size, negative_size


cdef int side_room(Side *side, size_t room) noexcept nogil:
    cdef void *grown
    if room <= side.room:
        return 0
    room += room // 2 + 16
    # Each is set as soon as it moved, so that a failure half way loses nothing.
    grown = realloc(side.index, room * sizeof(int32_t))
    if grown == NULL:
        return -1
    side.index = <int32_t *>grown
    grown = realloc(side.count, room * sizeof(uint64_t))
    if grown == NULL:
        return -1
    side.count = <uint64_t *>grown
    grown = realloc(side.spare_index, room * sizeof(int32_t))
    if grown == NULL:
        return -1
    side.spare_index = <int32_t *>grown
    grown = realloc(side.spare_count, room * sizeof(uint64_t))
    if grown == NULL:
        return -1
    side.spare_count = <uint64_t *>grown
    side.room = room
    return 0


cdef void side_free(Side *side) noexcept nogil:
    free(side.index)
    free(side.count)
    free(side.spare_index)
    free(side.spare_count)


cdef void side_coarsen(Side *side, int64_t shift) noexcept nogil:
    cdef size_t n = 0
    cdef size_t i
    cdef int32_t index
    for i in range(side.used):
        index = fold_index(side.index[i], shift)
        if n and side.index[n - 1] == index:
            side.count[n - 1] += side.count[i]
        else:
            side.index[n] = index
            side.count[n] = side.count[i]
            n += 1
    side.used = n


cdef int side_add(Side *side, const uint64_t *counts, size_t size, int32_t offset, int64_t shift, bint less) noexcept nogil:
    """Adds (`less`: subtracts) dense counts, made coarser by `shift`; -1: no memory."""
    cdef size_t i = 0
    cdef size_t at = 0
    cdef size_t n = 0
    cdef int32_t index
    cdef uint64_t count
    if size == 0:
        return 0
    if side_room(side, side.used + size) < 0:
        return -1
    # A merge of two ascending lists into the spare room, which then changes places with the other.
    while i < size:
        if counts[i] == 0:
            i += 1
            continue
        index = fold_index(<int32_t>(<int64_t>offset + <int64_t>i), shift)
        count = 0
        while i < size and fold_index(<int32_t>(<int64_t>offset + <int64_t>i), shift) == index:
            count += counts[i]
            i += 1
        if less:
            count = 0 - count
        while at < side.used and side.index[at] < index:
            side.spare_index[n] = side.index[at]
            side.spare_count[n] = side.count[at]
            n += 1
            at += 1
        if at < side.used and side.index[at] == index:
            count += side.count[at]
            at += 1
        side.spare_index[n] = index
        side.spare_count[n] = count
        n += 1
    while at < side.used:
        side.spare_index[n] = side.index[at]
        side.spare_count[n] = side.count[at]
        n += 1
        at += 1
    side.index, side.spare_index = side.spare_index, side.index
    side.count, side.spare_count = side.spare_count, side.count
    side.used = n
    return 0


cdef void cell_clear(Cell *cell) noexcept nogil:
    cell.positive.used = 0
    cell.negative.used = 0
    cell.zero_count = 0
    cell.zero_threshold = 0
    cell.touched = False
    cell.filled = False


cdef int cell_add(Cell *cell, const Shape *shape, const uint64_t *row, bint less) noexcept nogil:
    cdef int64_t shift = 0
    cdef double threshold = as_double(row[4])
    if not cell.filled:
        cell.filled = True
        cell.scale = shape.scale
    elif shape.scale < cell.scale:
        side_coarsen(&cell.positive, <int64_t>cell.scale - shape.scale)
        side_coarsen(&cell.negative, <int64_t>cell.scale - shape.scale)
        cell.scale = shape.scale
    else:
        shift = <int64_t>shape.scale - cell.scale
    if less:
        cell.zero_count -= row[3]
    else:
        cell.zero_count += row[3]
    if threshold > cell.zero_threshold:
        cell.zero_threshold = threshold
    row += HEAD
    if side_add(&cell.positive, row, shape.positive_size, shape.positive_offset, shift, less) < 0:
        return -1
    row += shape.positive_size
    return side_add(&cell.negative, row, shape.negative_size, shape.negative_offset, shift, less)


cdef void side_settle(Side *side, Cell *cell) noexcept nogil:
    """Moves what lies below the zero threshold to the zeros, and drops empty buckets."""
    cdef size_t n = 0
    cdef size_t i
    cdef double upper
    for i in range(side.used):
        if side.count[i] == 0:
            continue
        if cell.zero_threshold > 0 and exponential_bound(cell.scale, side.index[i]) < cell.zero_threshold:
            upper = exponential_bound(cell.scale, <double>side.index[i] + 1)
            if upper > cell.zero_threshold:
                cell.zero_threshold = upper
            cell.zero_count += side.count[i]
            continue
        side.index[n] = side.index[i]
        side.count[n] = side.count[i]
        n += 1
    side.used = n


cdef void cell_settle(Cell *cell) noexcept nogil:
    # Both sides have the same bounds, so a threshold raised for the one to an upper bound cuts no
    # bucket of the other that it did not cut before.
    side_settle(&cell.positive, cell)
    side_settle(&cell.negative, cell)


cdef bint side_negative(const Side *side) noexcept nogil:
    cdef size_t i
    for i in range(side.used):
        if <int64_t>side.count[i] < 0:
            return True
    return False


cdef double cell_quantile(const Cell *cell, double q) noexcept nogil:
    """As engine/points/quantile.pxd has it, over sparse buckets; the cell is settled."""
    cdef uint64_t negatives = 0
    cdef uint64_t positives = 0
    cdef uint64_t below = 0
    cdef uint64_t total
    cdef double rank, low, high
    cdef double last = 0
    cdef size_t i
    for i in range(cell.negative.used):
        negatives += cell.negative.count[i]
    for i in range(cell.positive.used):
        positives += cell.positive.count[i]
    total = negatives + cell.zero_count + positives
    if total == 0 or isnan(q):
        return NAN
    if q < 0:
        return -INFINITY
    if q > 1:
        return INFINITY
    rank = q * <double>total
    # From the most negative value upwards: negative buckets stand last to first.
    i = cell.negative.used
    while i > 0:
        i -= 1
        last = cell.negative.index[i]
        if <double>(below + cell.negative.count[i]) >= rank:
            return -exponential_bound(
                cell.scale, last + 1 - (rank - <double>below) / <double>cell.negative.count[i])
        below += cell.negative.count[i]
    if cell.zero_count != 0:
        if <double>(below + cell.zero_count) >= rank:
            low = -cell.zero_threshold if negatives != 0 else 0.0
            high = cell.zero_threshold if positives != 0 or negatives == 0 else 0.0
            return low + (high - low) * ((rank - <double>below) / <double>cell.zero_count)
        below += cell.zero_count
    for i in range(cell.positive.used):
        last = cell.positive.index[i]
        if <double>(below + cell.positive.count[i]) >= rank:
            return exponential_bound(
                cell.scale, last + (rank - <double>below) / <double>cell.positive.count[i])
        below += cell.positive.count[i]
    return exponential_bound(cell.scale, last + 1)


cdef inline int64_t side_width(const Side *side) noexcept nogil:
    return <int64_t>side.index[side.used - 1] - side.index[0] + 1 if side.used else 0


@cython.final
cdef class Exponential:
    """The exponential points of one scan."""

    cdef const int64_t[::1] offsets, first, times, starts, layout
    cdef const uint64_t[::1] values, row, words
    cdef const uint32_t[::1] flags
    cdef Shape *shapes
    cdef Cell scratch

    def __cinit__(self, scanned):
        empty = np.zeros(1, np.uint64)
        self.offsets = scanned.offsets
        self.first = scanned.first
        self.times = scanned.times
        self.starts = scanned.starts
        self.values = scanned.values
        self.flags = scanned.flags
        self.row = empty if scanned.row is None else scanned.row
        self.words = empty if scanned.words is None else scanned.words
        numbers, layouts = distinct_layouts(scanned)
        self.layout = numbers
        self.shapes = <Shape *>calloc(len(layouts) + 1, sizeof(Shape))
        if self.shapes == NULL:
            raise MemoryError("no memory for the shapes of exponential histograms")
        cdef Py_ssize_t i
        cdef uint64_t first, second
        for i in range(len(layouts)):
            if len(layouts[i].words) < 2:
                continue        # the layout of stale marks, which have no buckets
            first, second = int(layouts[i].words[0]), int(layouts[i].words[1])
            self.shapes[i].scale = <int32_t><uint32_t>first
            self.shapes[i].positive_size = first >> 32
            self.shapes[i].negative_size = layouts[i].row_words - HEAD - (first >> 32)
            self.shapes[i].positive_offset = <int32_t><uint32_t>second
            self.shapes[i].negative_offset = <int32_t><uint32_t>(second >> 32)

    def __dealloc__(self):
        free(self.shapes)
        side_free(&self.scratch.positive)
        side_free(&self.scratch.negative)

    cdef int add(self, Cell *cell, int64_t j, bint less) noexcept nogil:
        return cell_add(cell, &self.shapes[self.layout[j]], &self.words[self.row[j]], less)

    cdef int fell(self, int64_t before, int64_t j) noexcept nogil:
        """Whether the count or any bucket of j is below that of `before`; -1: no memory."""
        if self.values[j] < self.values[before]:
            return 1
        cell_clear(&self.scratch)
        if self.add(&self.scratch, j, False) < 0 or self.add(&self.scratch, before, True) < 0:
            return -1
        cell_settle(&self.scratch)
        return (
            <int64_t>self.scratch.zero_count < 0
            or side_negative(&self.scratch.positive)
            or side_negative(&self.scratch.negative)
        )

    def increases(self):
        """The bases (contributions.pxd) of cumulative points: each against the one before it."""
        result = np.full(self.times.shape[0], BASE_SKIP, np.int64)
        cdef int64_t[::1] base = result
        cdef Py_ssize_t i
        cdef int64_t j, before
        cdef int fell = 0
        with nogil:
            for i in range(self.first.shape[0]):
                before = -1
                for j in range(self.offsets[i], self.offsets[i + 1]):
                    if self.flags[j] & STALE:
                        continue
                    if j < self.first[i]:
                        pass
                    elif before < 0:
                        base[j] = BASE_ZERO if known_start(self.starts[j], self.times[j]) else BASE_NONE
                    elif started_again(self.starts[j], self.times[j], self.starts[before], self.times[before]):
                        base[j] = BASE_ZERO
                    else:
                        fell = self.fell(before, j)
                        if fell < 0:
                            break
                        base[j] = BASE_ZERO if fell else before
                    before = j
                if fell < 0:
                    break
        if fell < 0:
            raise MemoryError("no memory for the buckets of exponential histograms")
        return result

    def quantiles(self, const int64_t[::1] bases, groups, windows, double q, Py_ssize_t row_count):
        """float64[row_count]: the quantile of each row of histograms.totals."""
        result = np.empty(row_count, np.float64)
        self.sum_up(bases, groups, windows, q, result, None)
        return result

    def columns(self, const int64_t[::1] bases, groups, windows):
        """For each row of histograms.totals (scale, zero_count, zero_threshold, positive offset,
        positive counts uint64[k], negative offset, negative counts).

        A row whose buckets would span more than 4,096 indexes is made coarser until it fits.
        """
        found = []
        self.sum_up(bases, groups, windows, 0, None, found)
        return found

    cdef int sum_up(self, const int64_t[::1] bases, groups, windows, double q, double[::1] values,
                    list found) except -1:
        cdef const int64_t[::1] order = groups.order
        cdef const int64_t[::1] members = groups.offsets
        cdef int64_t first_instant = windows.first
        cdef int64_t step = windows.step
        cdef int64_t count = windows.count
        cdef Cell *cells = <Cell *>calloc(count, sizeof(Cell))
        cdef Cell *cell
        cdef Walk walk
        cdef Py_ssize_t g, m
        cdef int64_t i, j, k, low, high
        cdef int64_t row = 0
        cdef bint failed = cells == NULL
        try:
            for g in range(members.shape[0] - 1):
                with nogil:
                    low = count
                    high = -1
                    for m in range(members[g], members[g + 1]):
                        if failed:
                            break
                        i = order[m]
                        walk_begin(&walk, first_instant, step)
                        for j in range(self.first[i], self.offsets[i + 1]):
                            if bases[j] == BASE_SKIP:
                                continue
                            k = walk_to(&walk, self.times[j])
                            if k >= count:
                                break       # behind the range: a reader's mistake must not write outside
                            low = k if k < low else low
                            high = k if k > high else high
                            cell = &cells[k]
                            cell.touched = True
                            if bases[j] == BASE_NONE:
                                continue
                            if self.add(cell, j, False) < 0 or (
                                bases[j] >= 0 and self.add(cell, bases[j], True) < 0
                            ):
                                failed = True
                                break
                if failed:
                    raise MemoryError(f"no memory for the buckets of {count} windows; ask for a longer step")
                if found is None:
                    with nogil:
                        for k in range(low, high + 1):
                            cell = &cells[k]
                            if cell.touched:
                                cell_settle(cell)
                                values[row] = cell_quantile(cell, q)
                                row += 1
                                cell_clear(cell)
                    continue
                for k in range(low, high + 1):
                    cell = &cells[k]
                    if cell.touched:
                        cell_settle(cell)
                        found.append(columns_of(cell))
                        cell_clear(cell)
        finally:
            if cells != NULL:
                for k in range(count):
                    side_free(&cells[k].positive)
                    side_free(&cells[k].negative)
                free(cells)
        return 0


cdef tuple columns_of(Cell *cell):
    cdef int32_t scale = cell.scale if cell.filled else 0
    while side_width(&cell.positive) > WIDEST or side_width(&cell.negative) > WIDEST:
        side_coarsen(&cell.positive, 1)
        side_coarsen(&cell.negative, 1)
        scale -= 1
    return (
        scale, cell.zero_count, cell.zero_threshold,
        cell.positive.index[0] if cell.positive.used else 0, dense(&cell.positive),
        cell.negative.index[0] if cell.negative.used else 0, dense(&cell.negative),
    )


cdef object dense(const Side *side):
    counts = np.zeros(side_width(side), np.uint64)
    cdef uint64_t[::1] view = counts
    cdef size_t i
    for i in range(side.used):
        view[<int64_t>side.index[i] - side.index[0]] = side.count[i]
    return counts
