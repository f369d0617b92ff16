"""Quantiles and merges of bucket vectors, called with Python's lists: for tests."""
from libc.math cimport NAN
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc

from urpo_store.engine.points.quantile cimport (
    ExponentialCounts, common_bounds, fold_explicit, quantile_explicit, quantile_exponential,
)


cdef class _Counts:
    """A C copy of a sequence of counts or bounds."""
    cdef uint64_t *counts
    cdef double *bounds
    cdef size_t size

    def __cinit__(self, values, bint integers):
        cdef size_t i
        self.size = len(values)
        self.counts = <uint64_t *>malloc(8 * (self.size + 1))
        if self.counts == NULL:
            raise MemoryError
        self.bounds = <double *>self.counts
        for i in range(self.size):
            if integers:
                self.counts[i] = values[i]
            else:
                self.bounds[i] = values[i]

    def __dealloc__(self):
        free(self.counts)


def explicit_quantile(q, bounds, counts, maximum=None):
    """Quantile q of explicit buckets; `counts` has one element more than `bounds`."""
    cdef _Counts b = _Counts(bounds, False)
    cdef _Counts c = _Counts(counts, True)
    if c.size != b.size + 1:
        raise ValueError(f"{c.size} counts do not fit {b.size} bounds; give {b.size + 1} counts")
    return quantile_explicit(q, b.bounds, b.size, c.counts, NAN if maximum is None else maximum)


def exponential_quantile(q, scale, zero_count, zero_threshold, positive_offset, positive_counts,
                         negative_offset=0, negative_counts=()):
    """Quantile q of exponential buckets."""
    cdef _Counts p = _Counts(positive_counts, True)
    cdef _Counts n = _Counts(negative_counts, True)
    cdef ExponentialCounts buckets
    buckets.scale = scale
    buckets.zero_count = zero_count
    buckets.zero_threshold = zero_threshold
    buckets.positive_offset = positive_offset
    buckets.positive = p.counts
    buckets.positive_size = p.size
    buckets.negative_offset = negative_offset
    buckets.negative = n.counts
    buckets.negative_size = n.size
    return quantile_exponential(q, &buckets)


def merge_explicit(first_bounds, first_counts, second_bounds, second_counts):
    """Two vectors added at the bounds they share: (bounds, counts)."""
    cdef _Counts a = _Counts(first_bounds, False)
    cdef _Counts b = _Counts(second_bounds, False)
    cdef _Counts x = _Counts(first_counts, True)
    cdef _Counts y = _Counts(second_counts, True)
    cdef _Counts kept = _Counts([0.0] * min(a.size, b.size), False)
    cdef _Counts out = _Counts([0] * (min(a.size, b.size) + 1), True)
    cdef size_t n = common_bounds(a.bounds, a.size, b.bounds, b.size, kept.bounds)
    cdef size_t k
    fold_explicit(a.bounds, a.size, x.counts, kept.bounds, n, out.counts)
    fold_explicit(b.bounds, b.size, y.counts, kept.bounds, n, out.counts)
    bounds = []
    counts = []
    for k in range(n):
        bounds.append(kept.bounds[k])
    for k in range(n + 1):
        counts.append(out.counts[k])
    return bounds, counts
