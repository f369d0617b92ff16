# Adding two points of one series: deltas of collapsed sources that fall on the same time.
#
#   number       the sum; of two integers an integer, unless it overflows
#   histogram    counts are added; sum, min and max where both points have them; buckets where the
#                bounds are equal, else they are dropped (count and sum stay exact)
#   exponential  the same at the smaller of the two scales, over the union of the ranges
#   summary      cannot be added: the later one
#
# A stale mark gives way to a value. The start is the earlier known one.
from libc.stdint cimport uint32_t

from urpo_store.engine.chunks.types cimport PointView, Rows

# Replaces point `into` of rows by its sum with `view`, which may be a view of `rows`. OK, or
# NO_MEMORY: nothing changed.
cdef int rows_add(Rows *rows, size_t into, const PointView *view, uint32_t kind) noexcept nogil
