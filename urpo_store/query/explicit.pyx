# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Buckets at explicit bounds: increases, merges at the bounds that points share, quantiles.

A histogram without buckets has no bounds and one bucket, its count.

A window's buckets are sums of unsigned differences. They may wrap on the way but not in the end: a
point whose buckets are not all at least its base's follows a reset, so it has no such base.
"""
cimport cython
from libc.math cimport NAN
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.quantile cimport fold_explicit, quantile_explicit
from urpo_store.engine.points.slots cimport ROW_HISTOGRAM
from urpo_store.query.arrays cimport doubles
from urpo_store.query.bases cimport BASE_NONE, BASE_SKIP, BASE_ZERO, Pairs, next_pair, pairs_begin
from urpo_store.query.bounds cimport (
    BoundSets, Bounds, bound_sets_add, bound_sets_free, shared_bounds,
)
from urpo_store.query.scanned cimport Points, points_of
from urpo_store.query.windows cimport Walk, each_window, walk_group, walk_over, walk_touched

import numpy as np

from urpo_store.query.layouts import distinct_layouts, flat_bounds

cdef enum:
    NO_BOUNDS = -1

# The buckets of one window.
cdef struct Buckets:
    uint64_t *counts    # room for the widest set; kept from group to group
    int64_t bounds      # number of the set; NO_BOUNDS: nothing was added
    bint touched        # a point of the window was seen


@cython.final
cdef class Explicit:
    """The explicit-bucket points of one scan, to be added up in `windows` (a times.Windows)."""

    cdef object scanned             # keeps `points` alive
    cdef Points points
    cdef const int64_t[::1] layout  # by point: its layout, which is also its set of bounds
    cdef BoundSets known
    cdef uint8_t *bare              # by layout: its rows have no buckets
    cdef size_t widest              # buckets
    cdef uint64_t *scratch          # twice the widest
    cdef object windows
    cdef Buckets *sums              # by window
    cdef int64_t window_count

    def __cinit__(self, scanned, windows):
        self.scanned = scanned
        points_of(&self.points, scanned)
        self.layout, layouts = distinct_layouts(scanned)
        self.add_layouts(layouts)
        self.windows = windows
        self.window_count = windows.count
        self.sums = <Buckets *>calloc(self.window_count, sizeof(Buckets))
        if self.sums == NULL:
            raise self.no_room()

    def __dealloc__(self):
        cdef int64_t k
        if self.sums != NULL:
            for k in range(self.window_count):
                free(self.sums[k].counts)
        free(self.sums)
        bound_sets_free(&self.known)
        free(self.scratch)
        free(self.bare)

    cdef int add_layouts(self, layouts) except -1:
        flat, flat_offsets = flat_bounds(layouts)
        cdef double[::1] bounds = np.array(flat)
        cdef const int64_t[::1] begins = flat_offsets
        cdef Py_ssize_t i
        cdef size_t n
        self.widest = 1
        self.bare = <uint8_t *>calloc(len(layouts) + 1, 1)
        if self.bare == NULL:
            raise no_bounds()
        for i in range(len(layouts)):
            n = begins[i + 1] - begins[i]
            self.bare[i] = layouts[i].row_words <= ROW_HISTOGRAM
            if self.bare[i]:
                n = 0
            self.widest = max(self.widest, n + 1)
            if bound_sets_add(&self.known, &bounds[begins[i]] if n else NULL, n) < 0:
                raise no_bounds()
        self.scratch = <uint64_t *>malloc(2 * self.widest * sizeof(uint64_t))
        if self.scratch == NULL:
            raise no_bounds()
        return 0

    cdef object no_room(self):
        return MemoryError(
            f"no memory for the buckets of {self.window_count} windows; ask for a longer step")

    # ---- one point

    cdef const uint64_t *buckets(self, int64_t j) noexcept nogil:
        if self.bare[self.layout[j]]:
            return &self.points.values[j]
        return &self.points.words[self.points.row[j] + ROW_HISTOGRAM]

    cdef void narrow(
        self, int64_t own, const uint64_t *counts, int64_t to, uint64_t *out
    ) noexcept nogil:
        """Buckets at set `own`, brought to set `to`, whose bounds are among its own."""
        cdef const Bounds *bounds = &self.known.sets[own]
        cdef const Bounds *kept = &self.known.sets[to]
        memset(out, 0, (kept.count + 1) * sizeof(uint64_t))
        fold_explicit(bounds.at, bounds.count, counts, kept.at, kept.count, out)

    cdef const uint64_t *buckets_at(self, int64_t j, int64_t to, uint64_t *out) noexcept nogil:
        """The buckets of point j at set `to`; in `out` if they are not its own."""
        if self.layout[j] == to:
            return self.buckets(j)
        self.narrow(self.layout[j], self.buckets(j), to, out)
        return out

    # ---- increases

    cdef int fell(self, int64_t before, int64_t j) noexcept nogil:
        """Whether the count or any bucket of j is below that of `before`: 1, 0 or NO_MEMORY."""
        cdef const uint64_t *old
        cdef const uint64_t *new
        cdef int64_t shared
        cdef size_t i
        if self.points.values[j] < self.points.values[before]:
            return 1
        shared = shared_bounds(&self.known, self.layout[before], self.layout[j])
        if shared < 0:
            return NO_MEMORY
        old = self.buckets_at(before, shared, self.scratch)
        new = self.buckets_at(j, shared, self.scratch + self.widest)
        for i in range(self.known.sets[shared].count + 1):
            if new[i] < old[i]:
                return 1
        return 0

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
            raise no_bounds()
        return result

    # ---- sums of windows

    cdef int add(self, Buckets *sum, int64_t j, int64_t base) noexcept nogil:
        """Adds point j less its base: OK or NO_MEMORY."""
        cdef int64_t shared = self.layout[j]
        cdef const uint64_t *counts
        cdef size_t i, n
        if base >= 0:
            shared = shared_bounds(&self.known, shared, self.layout[base])
        if sum.bounds >= 0 and shared >= 0:
            shared = shared_bounds(&self.known, sum.bounds, shared)
        if shared < 0:
            return NO_MEMORY
        n = self.known.sets[shared].count + 1
        if sum.counts == NULL:
            sum.counts = <uint64_t *>malloc(self.widest * sizeof(uint64_t))
            if sum.counts == NULL:
                return NO_MEMORY
        if sum.bounds < 0:
            memset(sum.counts, 0, n * sizeof(uint64_t))
            sum.bounds = shared
        self.narrow_sum(sum, shared)
        counts = self.buckets_at(j, shared, self.scratch)
        for i in range(n):
            sum.counts[i] += counts[i]
        if base >= 0:
            counts = self.buckets_at(base, shared, self.scratch)
            for i in range(n):
                sum.counts[i] -= counts[i]
        return OK

    cdef void narrow_sum(self, Buckets *sum, int64_t to) noexcept nogil:
        """Brings the buckets of a window in place to set `to`, whose bounds are among its own."""
        if sum.bounds != to:
            self.narrow(sum.bounds, sum.counts, to, self.scratch)
            memcpy(sum.counts, self.scratch, (self.known.sets[to].count + 1) * sizeof(uint64_t))
            sum.bounds = to

    cdef int add_group(self, Walk *group, Py_ssize_t g, int64_t *fallback) noexcept nogil:
        """Adds up the points of a group: OK or NO_MEMORY.

        `fallback` becomes the set of its last mere baseline, NO_BOUNDS if it has none."""
        cdef Walk walk = group[0]
        cdef Buckets *sum
        cdef int64_t base
        fallback[0] = NO_BOUNDS
        walk_group(&walk, g)
        while each_window(&walk):
            sum = &self.sums[walk.window]
            if not sum.touched:
                sum.touched = True
                sum.bounds = NO_BOUNDS
            base = walk.bases[walk.point]
            if base == BASE_NONE:
                fallback[0] = self.layout[walk.point]
            elif self.add(sum, walk.point, base) != OK:
                return NO_MEMORY
        walk_touched(group, &walk)
        return OK

    def quantiles(self, const int64_t[::1] bases, groups, double q, maximum):
        """float64[n]: the quantile of each row of histograms.totals.

        `maximum` is each row's greatest value, NaN where it is not known.
        """
        result = np.empty(len(maximum), np.float64)
        cdef double *values = doubles(result)
        cdef const double[::1] most = maximum
        cdef Walk walk
        cdef Buckets *sum
        cdef const Bounds *bounds
        cdef Py_ssize_t g
        cdef int64_t k, unused
        cdef int64_t row = 0
        cdef int status = OK
        walk_over(&walk, &self.points, &bases[0], groups, self.windows)
        with nogil:
            for g in range(walk.groups):
                status = self.add_group(&walk, g, &unused)
                if status != OK:
                    break
                for k in range(walk.low, walk.high + 1):
                    sum = &self.sums[k]
                    if not sum.touched:
                        continue
                    sum.touched = False
                    if sum.bounds < 0:
                        values[row] = NAN
                    else:
                        bounds = &self.known.sets[sum.bounds]
                        values[row] = quantile_explicit(
                            q, bounds.at, bounds.count, sum.counts, most[row])
                    row += 1
        if status != OK:
            raise self.no_room()
        return result

    def columns(self, const int64_t[::1] bases, groups, const int64_t[::1] rows):
        """For each group (bounds float64[k - 1], counts uint64[n, k]), at the bounds its rows
        share.

        `rows` as histograms.totals returns them.
        """
        cdef Walk walk
        cdef Py_ssize_t g
        cdef int64_t kept
        cdef int status
        walk_over(&walk, &self.points, &bases[0], groups, self.windows)
        found = []
        for g in range(walk.groups):
            with nogil:
                status = self.add_group(&walk, g, &kept)
                if status == OK:
                    status = self.shared_by_rows(&walk, &kept)
            if status != OK:
                raise self.no_room()
            found.append(self.group_columns(&walk, kept, rows[g + 1] - rows[g]))
        return found

    cdef int shared_by_rows(self, const Walk *group, int64_t *kept) noexcept nogil:
        """Sets `kept` to the set that all rows of a group share: OK or NO_MEMORY.

        It stays as it is if nothing was added to any row."""
        cdef const Buckets *sum
        cdef int64_t shared = NO_BOUNDS
        cdef int64_t k
        for k in range(group.low, group.high + 1):
            sum = &self.sums[k]
            if sum.touched and sum.bounds >= 0:
                if shared < 0:
                    shared = sum.bounds
                else:
                    shared = shared_bounds(&self.known, shared, sum.bounds)
                    if shared < 0:
                        return NO_MEMORY
        if shared >= 0:
            kept[0] = shared
        return OK

    cdef tuple group_columns(self, const Walk *group, int64_t kept, Py_ssize_t rows):
        """(bounds, counts) of a group at the set `kept`; clears its windows."""
        cdef size_t count = self.known.sets[kept].count if kept >= 0 else 0
        bounds = np.empty(count, np.float64)
        counts = np.zeros((rows, count + 1), np.uint64)
        cdef double[::1] bounds_view = bounds
        cdef uint64_t[:, ::1] counts_view = counts
        cdef Buckets *sum
        cdef Py_ssize_t row = 0
        cdef size_t b
        cdef int64_t k
        for b in range(count):
            bounds_view[b] = self.known.sets[kept].at[b]
        with nogil:
            for k in range(group.low, group.high + 1):
                sum = &self.sums[k]
                if not sum.touched:
                    continue
                sum.touched = False
                if sum.bounds >= 0:
                    self.narrow_sum(sum, kept)
                    memcpy(&counts_view[row, 0], sum.counts, (count + 1) * sizeof(uint64_t))
                row += 1
        return bounds, counts


cdef object no_bounds():
    return MemoryError("no memory for the bounds of histograms")
