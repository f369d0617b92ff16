# cython: cdivision=True
# Sets of bucket bounds, each known by a number, and the set that two of them share.
#
# What two sets share becomes a set of its own when it is first asked for. Pairs that were asked for
# are kept. Numbers are indexes into `sets`. Owned by one thread. Functions return the number of a
# set, or NO_MEMORY.
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from urpo_store.engine.memory.status cimport NO_MEMORY
from urpo_store.engine.points.quantile cimport common_bounds

# `count` bounds, ascending; a histogram at them has count + 1 buckets.
cdef struct Bounds:
    double *at
    size_t count

cdef struct SharedBounds:
    int64_t a, b                # a < b
    int64_t shared

cdef struct BoundSets:
    Bounds *sets
    size_t count, room
    SharedBounds *pairs
    size_t pair_count, pair_room


cdef inline void bound_sets_free(BoundSets *known) noexcept nogil:
    cdef size_t i
    for i in range(known.count):
        free(known.sets[i].at)
    free(known.sets)
    free(known.pairs)


cdef inline int64_t bound_sets_add(
    BoundSets *known, const double *bounds, size_t count
) noexcept nogil:
    cdef void *grown
    cdef double *copy
    if known.count == known.room:
        grown = realloc(known.sets, (2 * known.room + 8) * sizeof(Bounds))
        if grown == NULL:
            return NO_MEMORY
        known.sets = <Bounds *>grown
        known.room = 2 * known.room + 8
    copy = <double *>malloc((count + 1) * sizeof(double))
    if copy == NULL:
        return NO_MEMORY
    if count:
        memcpy(copy, bounds, count * sizeof(double))
    known.sets[known.count].at = copy
    known.sets[known.count].count = count
    known.count += 1
    return known.count - 1


cdef inline int64_t intersection(BoundSets *known, int64_t a, int64_t b) noexcept nogil:
    """The set of the bounds that a and b share, found or made."""
    cdef const Bounds *one = &known.sets[a]
    cdef const Bounds *other = &known.sets[b]
    cdef double *out = <double *>malloc((one.count + 1) * sizeof(double))
    cdef int64_t found
    cdef size_t n
    if out == NULL:
        return NO_MEMORY
    n = common_bounds(one.at, one.count, other.at, other.count, out)
    if n == one.count:
        found = a
    elif n == other.count:
        found = b
    else:
        found = bound_sets_add(known, out, n)
    free(out)
    return found


cdef inline int64_t shared_bounds(BoundSets *known, int64_t a, int64_t b) noexcept nogil:
    """The set of the bounds that a and b share."""
    cdef void *grown
    cdef int64_t found
    cdef size_t i
    if a == b:
        return a
    if a > b:
        a, b = b, a
    # Newest first: neighbouring points ask for the same pair.
    i = known.pair_count
    while i > 0:
        i -= 1
        if known.pairs[i].a == a and known.pairs[i].b == b:
            return known.pairs[i].shared
    if known.pair_count == known.pair_room:
        grown = realloc(known.pairs, (2 * known.pair_room + 8) * sizeof(SharedBounds))
        if grown == NULL:
            return NO_MEMORY
        known.pairs = <SharedBounds *>grown
        known.pair_room = 2 * known.pair_room + 8
    found = intersection(known, a, b)
    if found >= 0:
        known.pairs[known.pair_count].a = a
        known.pairs[known.pair_count].b = b
        known.pairs[known.pair_count].shared = found
        known.pair_count += 1
    return found
