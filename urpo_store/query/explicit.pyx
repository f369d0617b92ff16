# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
"""Buckets at explicit bounds: increases, merges at common bounds, quantiles.

Every set of bounds has a number in a table; the bounds that two sets share become a set of their own
when first asked for. A histogram without buckets has no bounds and one bucket, its count.

A window's buckets are sums of unsigned differences that may wrap on the way and cannot in the end:
a point whose buckets are not all at least its base's has been found to follow a reset.
"""
cimport cython
from libc.math cimport NAN
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from urpo_store.engine.points.quantile cimport common_bounds, fold_explicit, quantile_explicit
from urpo_store.query.contributions cimport (
    BASE_NONE, BASE_SKIP, BASE_ZERO, STALE, known_start, started_again,
)
from urpo_store.query.windows cimport Walk, walk_begin, walk_to

import numpy as np

from urpo_store.query.layouts import distinct_layouts, flat_bounds

cdef enum:
    HEAD = 3            # words in front of a row's buckets: sum, min, max

cdef struct Bounds:
    double *at
    uint32_t count

cdef struct Shared:
    int64_t a, b, common

cdef struct Cell:
    uint64_t *counts    # room for the widest set; kept from group to group
    int64_t bounds      # number of the set; -1: nothing added
    double greatest
    bint max_known
    bint touched


@cython.final
cdef class Explicit:
    """The explicit-bucket points of one scan."""

    cdef const int64_t[::1] offsets, first, times, starts, layout
    cdef const uint64_t[::1] values, row, words
    cdef const uint32_t[::1] flags
    cdef Bounds *sets
    cdef size_t set_count, set_room
    cdef Shared *shared
    cdef size_t shared_count, shared_room
    cdef size_t widest              # buckets
    cdef uint64_t *scratch          # twice the widest
    cdef uint8_t *bare              # by layout: rows have no buckets

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
        flat, flat_offsets = flat_bounds(layouts)
        cdef double[::1] bounds = np.array(flat)
        cdef const int64_t[::1] begins = flat_offsets
        cdef Py_ssize_t i
        cdef size_t n
        self.widest = 1
        self.bare = <uint8_t *>calloc(len(layouts) + 1, 1)
        if self.bare == NULL:
            raise MemoryError("no memory for the bounds of histograms")
        for i in range(len(layouts)):
            n = begins[i + 1] - begins[i]
            self.bare[i] = layouts[i].row_words <= HEAD
            if self.bare[i]:
                n = 0
            self.widest = max(self.widest, n + 1)
            if self.add_set(&bounds[begins[i]] if n else NULL, n) < 0:
                raise MemoryError("no memory for the bounds of histograms")
        self.scratch = <uint64_t *>malloc(2 * self.widest * sizeof(uint64_t))
        if self.scratch == NULL:
            raise MemoryError("no memory for the bounds of histograms")

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.set_count):
            free(self.sets[i].at)
        free(self.sets)
        free(self.shared)
        free(self.scratch)
        free(self.bare)

    cdef int64_t add_set(self, const double *bounds, size_t count) noexcept nogil:
        """The number of a new set; -1 if there is no memory."""
        cdef void *grown
        if self.set_count == self.set_room:
            grown = realloc(self.sets, (2 * self.set_room + 8) * sizeof(Bounds))
            if grown == NULL:
                return -1
            self.sets = <Bounds *>grown
            self.set_room = 2 * self.set_room + 8
        cdef double *copy = <double *>malloc((count + 1) * sizeof(double))
        if copy == NULL:
            return -1
        if count:
            memcpy(copy, bounds, count * sizeof(double))
        self.sets[self.set_count].at = copy
        self.sets[self.set_count].count = count
        self.set_count += 1
        return self.set_count - 1

    cdef int64_t common(self, int64_t a, int64_t b) noexcept nogil:
        """The number of the set of bounds that a and b share; -1 if there is no memory."""
        cdef size_t i, n
        cdef void *grown
        cdef double *out
        cdef int64_t found
        if a == b:
            return a
        if a > b:
            a, b = b, a
        # Newest first: neighbouring points ask for the same pair.
        i = self.shared_count
        while i > 0:
            i -= 1
            if self.shared[i].a == a and self.shared[i].b == b:
                return self.shared[i].common
        if self.shared_count == self.shared_room:
            grown = realloc(self.shared, (2 * self.shared_room + 8) * sizeof(Shared))
            if grown == NULL:
                return -1
            self.shared = <Shared *>grown
            self.shared_room = 2 * self.shared_room + 8
        out = <double *>malloc((self.sets[a].count + 1) * sizeof(double))
        if out == NULL:
            return -1
        n = common_bounds(self.sets[a].at, self.sets[a].count, self.sets[b].at, self.sets[b].count, out)
        if n == self.sets[a].count:
            found = a
        elif n == self.sets[b].count:
            found = b
        else:
            found = self.add_set(out, n)
        free(out)
        if found >= 0:
            self.shared[self.shared_count].a = a
            self.shared[self.shared_count].b = b
            self.shared[self.shared_count].common = found
            self.shared_count += 1
        return found

    cdef const uint64_t *buckets(self, int64_t j) noexcept nogil:
        if self.bare[self.layout[j]]:
            return &self.values[j]
        return &self.words[self.row[j] + HEAD]

    cdef void folded(self, int64_t j, int64_t to, uint64_t *out) noexcept nogil:
        """The buckets of point j at the bounds of set `to`, which are among its own."""
        cdef Bounds *own = &self.sets[self.layout[j]]
        cdef Bounds *kept = &self.sets[to]
        memset(out, 0, (kept.count + 1) * sizeof(uint64_t))
        fold_explicit(own.at, own.count, self.buckets(j), kept.at, kept.count, out)

    cdef int fell(self, int64_t before, int64_t j) noexcept nogil:
        """Whether the count or any bucket of j is below that of `before`; -1: no memory."""
        cdef const uint64_t *old
        cdef const uint64_t *new
        cdef int64_t common
        cdef size_t i, n
        if self.values[j] < self.values[before]:
            return 1
        common = self.common(self.layout[before], self.layout[j])
        if common < 0:
            return -1
        n = self.sets[common].count + 1
        if self.layout[before] == self.layout[j]:
            old = self.buckets(before)
            new = self.buckets(j)
        else:
            self.folded(before, common, self.scratch)
            self.folded(j, common, self.scratch + self.widest)
            old = self.scratch
            new = self.scratch + self.widest
        for i in range(n):
            if new[i] < old[i]:
                return 1
        return 0

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
            raise MemoryError("no memory for the bounds of histograms")
        return result

    cdef int add(self, Cell *cell, int64_t j, int64_t base) noexcept nogil:
        """Adds point j less its base to the cell; -1: no memory."""
        cdef int64_t common = self.layout[j]
        cdef const uint64_t *counts
        cdef size_t i
        if base >= 0:
            common = self.common(common, self.layout[base])
        if cell.bounds >= 0 and common >= 0:
            common = self.common(cell.bounds, common)
        if common < 0:
            return -1
        cdef Bounds *kept = &self.sets[common]
        if cell.counts == NULL:
            cell.counts = <uint64_t *>malloc(self.widest * sizeof(uint64_t))
            if cell.counts == NULL:
                return -1
        if cell.bounds < 0:
            memset(cell.counts, 0, (kept.count + 1) * sizeof(uint64_t))
        elif cell.bounds != common:
            self.narrow(cell.counts, cell.bounds, common)
        cell.bounds = common
        if self.layout[j] == common:
            counts = self.buckets(j)
        else:
            self.folded(j, common, self.scratch)
            counts = self.scratch
        for i in range(kept.count + 1):
            cell.counts[i] += counts[i]
        if base >= 0:
            if self.layout[base] == common:
                counts = self.buckets(base)
            else:
                self.folded(base, common, self.scratch)
                counts = self.scratch
            for i in range(kept.count + 1):
                cell.counts[i] -= counts[i]
        return 0

    cdef void narrow(self, uint64_t *counts, int64_t bounds, int64_t to) noexcept nogil:
        """Folds buckets at set `bounds` in place to set `to`, which is part of it."""
        cdef Bounds *own = &self.sets[bounds]
        cdef Bounds *kept = &self.sets[to]
        memset(self.scratch, 0, (kept.count + 1) * sizeof(uint64_t))
        fold_explicit(own.at, own.count, counts, kept.at, kept.count, self.scratch)
        memcpy(counts, self.scratch, (kept.count + 1) * sizeof(uint64_t))

    def quantiles(self, const int64_t[::1] bases, groups, windows, double q,
                  const int64_t[::1] rows, const double[::1] maximum):
        """float64[n]: the quantile of each row of histograms.totals, to which `rows` belong.

        `maximum` is each row's greatest value, NaN where it is not known.
        """
        result = np.empty(maximum.shape[0], np.float64)
        self.sum_up(bases, groups, windows, rows, q, maximum, result, None)
        return result

    def columns(self, const int64_t[::1] bases, groups, windows, const int64_t[::1] rows):
        """For each group (bounds float64[k - 1], counts uint64[n, k]), at the bounds all its rows share."""
        found = []
        self.sum_up(bases, groups, windows, rows, 0, None, None, found)
        return found

    cdef int sum_up(self, const int64_t[::1] bases, groups, windows, const int64_t[::1] rows, double q,
                    const double[::1] maximum, double[::1] values, list found) except -1:
        cdef const int64_t[::1] order = groups.order
        cdef const int64_t[::1] members = groups.offsets
        cdef int64_t first_instant = windows.first
        cdef int64_t step = windows.step
        cdef int64_t count = windows.count
        cdef Cell *cells = <Cell *>calloc(count, sizeof(Cell))
        cdef Cell *cell
        cdef Bounds *bounds
        cdef Walk walk
        cdef Py_ssize_t g, m
        cdef int64_t i, j, k, low, high, kept, fallback
        cdef int64_t row = 0
        cdef int failed = cells == NULL
        cdef uint64_t[:, ::1] counts_view
        cdef double[::1] bounds_view
        cdef size_t b
        try:
            for g in range(members.shape[0] - 1):
                if failed:
                    raise MemoryError(f"no memory for the buckets of {count} windows; ask for a longer step")
                kept = -1
                fallback = -1
                with nogil:
                    low = count
                    high = -1
                    for m in range(members[g], members[g + 1]):
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
                            if not cell.touched:
                                cell.touched = True
                                cell.bounds = -1
                            if bases[j] == BASE_NONE:
                                fallback = self.layout[j]
                            elif self.add(cell, j, bases[j]) < 0:
                                failed = True
                                break
                        if failed:
                            break
                if failed:
                    continue
                if found is not None:
                    for k in range(low, high + 1):
                        if cells[k].touched and cells[k].bounds >= 0:
                            kept = cells[k].bounds if kept < 0 else self.common(kept, cells[k].bounds)
                            if kept < 0:
                                failed = True
                                break
                    if failed:
                        continue
                    kept = fallback if kept < 0 else kept
                    bounds = &self.sets[kept] if kept >= 0 else NULL
                    group_bounds = np.empty(bounds.count if bounds != NULL else 0, np.float64)
                    bounds_view = group_bounds
                    for b in range(bounds.count if bounds != NULL else 0):
                        bounds_view[b] = bounds.at[b]
                    group_counts = np.zeros((rows[g + 1] - rows[g], group_bounds.shape[0] + 1), np.uint64)
                    counts_view = group_counts
                    found.append((group_bounds, group_counts))
                with nogil:
                    for k in range(low, high + 1):
                        cell = &cells[k]
                        if not cell.touched:
                            continue
                        cell.touched = False
                        if found is None:
                            if cell.bounds < 0:
                                values[row] = NAN
                            else:
                                bounds = &self.sets[cell.bounds]
                                values[row] = quantile_explicit(
                                    q, bounds.at, bounds.count, cell.counts, maximum[row])
                        elif cell.bounds >= 0:
                            if cell.bounds != kept:
                                self.narrow(cell.counts, cell.bounds, kept)
                            memcpy(&counts_view[row - rows[g], 0], cell.counts,
                                   (self.sets[kept].count + 1) * sizeof(uint64_t))
                        row += 1
            if failed:
                raise MemoryError(f"no memory for the buckets of {count} windows; ask for a longer step")
        finally:
            if cells != NULL:
                for k in range(count):
                    free(cells[k].counts)
                free(cells)
        return 0
