# cython: cdivision=True, auto_pickle=False, autotestdict=False
"""Exponential buckets of one window, kept sparse; the contract is in sparse.pxd."""
from libc.math cimport INFINITY, NAN, isnan
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, realloc

from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.quantile cimport exponential_bound, fold_index
from urpo_store.engine.points.slots cimport ROW_EXPONENTIAL
from urpo_store.query.sums cimport as_double


# ---- one side

cdef int side_room(Side *side, size_t room) noexcept nogil:
    cdef void *grown
    if room <= side.room:
        return OK
    room += room // 2 + 16
    # Each is set as soon as it moved, so that a failure half way loses nothing.
    grown = realloc(side.index, room * sizeof(int32_t))
    if grown == NULL:
        return NO_MEMORY
    side.index = <int32_t *>grown
    grown = realloc(side.count, room * sizeof(uint64_t))
    if grown == NULL:
        return NO_MEMORY
    side.count = <uint64_t *>grown
    grown = realloc(side.spare_index, room * sizeof(int32_t))
    if grown == NULL:
        return NO_MEMORY
    side.spare_index = <int32_t *>grown
    grown = realloc(side.spare_count, room * sizeof(uint64_t))
    if grown == NULL:
        return NO_MEMORY
    side.spare_count = <uint64_t *>grown
    side.room = room
    return OK


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


cdef int side_add(
    Side *side, const uint64_t *counts, size_t size, int32_t offset, int64_t shift, bint less
) noexcept nogil:
    """Adds (`less`: subtracts) dense counts, made coarser by `shift`."""
    cdef size_t i = 0
    cdef size_t at = 0
    cdef size_t n = 0
    cdef int32_t index
    cdef uint64_t count
    if size == 0:
        return OK
    if side_room(side, side.used + size) != OK:
        return NO_MEMORY
    # Two ascending lists are merged into the spare arrays, which then change places with the
    # others.
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
    return OK


cdef bint side_negative(const Side *side) noexcept nogil:
    """Whether any count is below 0."""
    cdef size_t i
    for i in range(side.used):
        if <int64_t>side.count[i] < 0:
            return True
    return False


cdef int64_t side_width(const Side *side) noexcept nogil:
    """Indexes from the first to the last bucket."""
    return <int64_t>side.index[side.used - 1] - side.index[0] + 1 if side.used else 0


cdef uint64_t side_total(const Side *side) noexcept nogil:
    cdef uint64_t total = 0
    cdef size_t i
    for i in range(side.used):
        total += side.count[i]
    return total


cdef void side_count_zeros(Side *side, SparseBuckets *buckets) noexcept nogil:
    """Moves what lies below the zero threshold to the zeros, and drops empty buckets."""
    cdef size_t n = 0
    cdef size_t i
    cdef double upper
    for i in range(side.used):
        if side.count[i] == 0:
            continue
        if buckets.zero_threshold > 0 and (
            exponential_bound(buckets.scale, side.index[i]) < buckets.zero_threshold
        ):
            upper = exponential_bound(buckets.scale, <double>side.index[i] + 1)
            if upper > buckets.zero_threshold:
                buckets.zero_threshold = upper
            buckets.zero_count += side.count[i]
            continue
        side.index[n] = side.index[i]
        side.count[n] = side.count[i]
        n += 1
    side.used = n


# ---- both sides

cdef void sparse_free(SparseBuckets *buckets) noexcept nogil:
    side_free(&buckets.positive)
    side_free(&buckets.negative)


cdef void sparse_clear(SparseBuckets *buckets) noexcept nogil:
    buckets.positive.used = 0
    buckets.negative.used = 0
    buckets.zero_count = 0
    buckets.zero_threshold = 0
    buckets.touched = False
    buckets.filled = False


cdef void sparse_coarsen(SparseBuckets *buckets, int64_t shift) noexcept nogil:
    side_coarsen(&buckets.positive, shift)
    side_coarsen(&buckets.negative, shift)
    buckets.scale = <int32_t>(buckets.scale - shift)


cdef int sparse_add(
    SparseBuckets *buckets, const Shape *shape, const uint64_t *row, bint less
) noexcept nogil:
    """Adds (`less`: subtracts) the row of a point."""
    cdef int64_t shift = 0
    cdef double threshold = as_double(row[4])
    if not buckets.filled:
        buckets.filled = True
        buckets.scale = shape.scale
    elif shape.scale < buckets.scale:
        sparse_coarsen(buckets, <int64_t>buckets.scale - shape.scale)
    else:
        shift = <int64_t>shape.scale - buckets.scale
    if less:
        buckets.zero_count -= row[3]
    else:
        buckets.zero_count += row[3]
    if threshold > buckets.zero_threshold:
        buckets.zero_threshold = threshold
    row += ROW_EXPONENTIAL
    if side_add(
        &buckets.positive, row, shape.positive_size, shape.positive_offset, shift, less
    ) != OK:
        return NO_MEMORY
    row += shape.positive_size
    return side_add(
        &buckets.negative, row, shape.negative_size, shape.negative_offset, shift, less)


cdef void count_zeros(SparseBuckets *buckets) noexcept nogil:
    """The last step of a sum: applies the zero threshold, and drops empty buckets."""
    # Both sides have the same bounds. So a threshold that one side raised to an upper bound cuts no
    # bucket of the other that it did not cut before.
    side_count_zeros(&buckets.positive, buckets)
    side_count_zeros(&buckets.negative, buckets)


cdef bint sparse_negative(const SparseBuckets *buckets) noexcept nogil:
    """Whether any count is below 0. REQUIRES: count_zeros."""
    return (
        <int64_t>buckets.zero_count < 0
        or side_negative(&buckets.positive)
        or side_negative(&buckets.negative)
    )


cdef double sparse_quantile(const SparseBuckets *buckets, double q) noexcept nogil:
    """As engine/points/quantile.pxd has it. REQUIRES: count_zeros."""
    cdef uint64_t negatives = side_total(&buckets.negative)
    cdef uint64_t positives = side_total(&buckets.positive)
    cdef uint64_t total = negatives + buckets.zero_count + positives
    cdef uint64_t below = 0
    cdef uint64_t count
    cdef double rank, low, high
    cdef double last = 0
    cdef size_t i
    if total == 0 or isnan(q):
        return NAN
    if q < 0:
        return -INFINITY
    if q > 1:
        return INFINITY
    rank = q * <double>total
    # From the most negative value upwards: negative buckets stand last to first.
    i = buckets.negative.used
    while i > 0:
        i -= 1
        last = buckets.negative.index[i]
        count = buckets.negative.count[i]
        if <double>(below + count) >= rank:
            return -exponential_bound(
                buckets.scale, last + 1 - (rank - <double>below) / <double>count)
        below += count
    if buckets.zero_count != 0:
        if <double>(below + buckets.zero_count) >= rank:
            low = -buckets.zero_threshold if negatives != 0 else 0.0
            high = buckets.zero_threshold if positives != 0 or negatives == 0 else 0.0
            return low + (high - low) * ((rank - <double>below) / <double>buckets.zero_count)
        below += buckets.zero_count
    for i in range(buckets.positive.used):
        last = buckets.positive.index[i]
        count = buckets.positive.count[i]
        if <double>(below + count) >= rank:
            return exponential_bound(
                buckets.scale, last + (rank - <double>below) / <double>count)
        below += count
    return exponential_bound(buckets.scale, last + 1)
