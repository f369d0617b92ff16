# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Exponential buckets: increases, merges at the smallest scale, quantiles; see sparse.pxd."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport ROW_EXPONENTIAL
from urpo_store.query.arrays cimport doubles
from urpo_store.query.bases cimport BASE_NONE, BASE_SKIP, BASE_ZERO, Pairs, next_pair, pairs_begin
from urpo_store.query.scanned cimport Points, points_of
from urpo_store.query.sparse cimport (
    Shape, Side, SparseBuckets, count_zeros, side_width, sparse_add, sparse_clear, sparse_coarsen,
    sparse_free, sparse_negative, sparse_quantile,
)
from urpo_store.query.windows cimport Walk, each_window, walk_group, walk_over, walk_touched

import numpy as np

from urpo_store.query.layouts import distinct_layouts

cdef enum:
    WIDEST = 4096       # buckets a side of a row that is handed out; coarser until it fits


@cython.final
cdef class Exponential:
    """The exponential points of one scan, to be added up in `windows` (a times.Windows)."""

    cdef object scanned             # keeps `points` alive
    cdef Points points
    cdef const int64_t[::1] layout  # by point: the index of its shape
    cdef Shape *shapes
    cdef SparseBuckets scratch
    cdef object windows
    cdef SparseBuckets *sums        # by window
    cdef int64_t window_count

    def __cinit__(self, scanned, windows):
        self.scanned = scanned
        points_of(&self.points, scanned)
        self.layout, layouts = distinct_layouts(scanned)
        self.shapes = <Shape *>calloc(len(layouts) + 1, sizeof(Shape))
        if self.shapes == NULL:
            raise MemoryError("no memory for the shapes of exponential histograms")
        cdef Py_ssize_t i
        for i in range(len(layouts)):
            read_shape(&self.shapes[i], layouts[i])
        self.windows = windows
        self.window_count = windows.count
        self.sums = <SparseBuckets *>calloc(self.window_count, sizeof(SparseBuckets))
        if self.sums == NULL:
            raise self.no_room()

    def __dealloc__(self):
        cdef int64_t k
        if self.sums != NULL:
            for k in range(self.window_count):
                sparse_free(&self.sums[k])
        free(self.sums)
        free(self.shapes)
        sparse_free(&self.scratch)

    cdef object no_room(self):
        return MemoryError(
            f"no memory for the buckets of {self.window_count} windows; ask for a longer step")

    cdef int add(self, SparseBuckets *sum, int64_t j, bint less) noexcept nogil:
        """Adds (`less`: subtracts) point j: OK or NO_MEMORY."""
        return sparse_add(
            sum, &self.shapes[self.layout[j]], &self.points.words[self.points.row[j]], less)

    # ---- increases

    cdef int fell(self, int64_t before, int64_t j) noexcept nogil:
        """Whether the count or any bucket of j is below that of `before`: 1, 0 or NO_MEMORY."""
        if self.points.values[j] < self.points.values[before]:
            return 1
        sparse_clear(&self.scratch)
        if self.add(&self.scratch, j, False) != OK or self.add(&self.scratch, before, True) != OK:
            return NO_MEMORY
        count_zeros(&self.scratch)
        return sparse_negative(&self.scratch)

    def increases(self):
        """The bases (bases.pxd) of cumulative points: each against the one before it."""
        result = np.full(self.points.count, BASE_SKIP, np.int64)
        cdef int64_t[::1] base = result
        cdef Pairs pairs
        cdef int fell = 0
        with nogil:
            pairs_begin(&pairs, &self.points, &base[0])
            while fell >= 0 and next_pair(&pairs):
                fell = self.fell(pairs.before, pairs.point)
                if fell > 0:
                    base[pairs.point] = BASE_ZERO
        if fell < 0:
            raise MemoryError("no memory for the buckets of exponential histograms")
        return result

    # ---- sums of windows

    cdef int add_group(self, Walk *group, Py_ssize_t g) noexcept nogil:
        """Adds up the points of a group: OK or NO_MEMORY."""
        cdef Walk walk = group[0]
        cdef SparseBuckets *sum
        cdef int64_t base, k
        walk_group(&walk, g)
        while each_window(&walk):
            sum = &self.sums[walk.window]
            sum.touched = True
            base = walk.bases[walk.point]
            if base == BASE_NONE:
                continue
            if self.add(sum, walk.point, False) != OK:
                return NO_MEMORY
            if base >= 0 and self.add(sum, base, True) != OK:
                return NO_MEMORY
        for k in range(walk.low, walk.high + 1):
            if self.sums[k].touched:
                count_zeros(&self.sums[k])
        walk_touched(group, &walk)
        return OK

    def quantiles(self, const int64_t[::1] bases, groups, double q, Py_ssize_t row_count):
        """float64[row_count]: the quantile of each row of histograms.totals."""
        result = np.empty(row_count, np.float64)
        cdef double *values = doubles(result)
        cdef Walk walk
        cdef Py_ssize_t g
        cdef int64_t k
        cdef int64_t row = 0
        cdef int status = OK
        walk_over(&walk, &self.points, &bases[0], groups, self.windows)
        with nogil:
            for g in range(walk.groups):
                status = self.add_group(&walk, g)
                if status != OK:
                    break
                for k in range(walk.low, walk.high + 1):
                    if self.sums[k].touched:
                        values[row] = sparse_quantile(&self.sums[k], q)
                        row += 1
                        sparse_clear(&self.sums[k])
        if status != OK:
            raise self.no_room()
        return result

    def columns(self, const int64_t[::1] bases, groups):
        """For each row of histograms.totals (scale, zero_count, zero_threshold, positive offset,
        positive counts uint64[k], negative offset, negative counts).

        A row whose buckets would span more than 4,096 indexes is made coarser until it fits.
        """
        cdef Walk walk
        cdef Py_ssize_t g
        cdef int64_t k
        cdef int status
        walk_over(&walk, &self.points, &bases[0], groups, self.windows)
        found = []
        for g in range(walk.groups):
            with nogil:
                status = self.add_group(&walk, g)
            if status != OK:
                raise self.no_room()
            for k in range(walk.low, walk.high + 1):
                if self.sums[k].touched:
                    found.append(columns_of(&self.sums[k]))
                    sparse_clear(&self.sums[k])
        return found


cdef int read_shape(Shape *shape, layout) except -1:
    """Reads a source.RowLayout; that of stale marks has no words, and no buckets."""
    cdef uint64_t first, second
    if len(layout.words) < 2:
        return 0
    first, second = int(layout.words[0]), int(layout.words[1])
    shape.scale = <int32_t><uint32_t>first
    shape.positive_size = first >> 32
    shape.negative_size = layout.row_words - ROW_EXPONENTIAL - (first >> 32)
    shape.positive_offset = <int32_t><uint32_t>second
    shape.negative_offset = <int32_t><uint32_t>(second >> 32)
    return 0


cdef tuple columns_of(SparseBuckets *sum):
    cdef int32_t scale
    while side_width(&sum.positive) > WIDEST or side_width(&sum.negative) > WIDEST:
        sparse_coarsen(sum, 1)
    scale = sum.scale if sum.filled else 0
    return (
        scale, sum.zero_count, sum.zero_threshold,
        sum.positive.index[0] if sum.positive.used else 0, dense(&sum.positive),
        sum.negative.index[0] if sum.negative.used else 0, dense(&sum.negative),
    )


cdef object dense(const Side *side):
    counts = np.zeros(side_width(side), np.uint64)
    cdef uint64_t[::1] view = counts
    cdef size_t i
    for i in range(side.used):
        view[<int64_t>side.index[i] - side.index[0]] = side.count[i]
    return counts
