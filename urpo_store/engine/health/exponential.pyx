"""Exponential buckets for health; the contract is in health/exponential.pxd."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.points.quantile cimport fold_exponential, fold_index
from urpo_store.engine.points.slots cimport ROW_EXPONENTIAL, payload_layout_words, payload_row_words
from urpo_store.engine.health.types cimport BUCKETS, HealthSeries


# ---- ranges of buckets ---------------------------------------------------------------------------

cdef inline int32_t last_index(int32_t offset, uint32_t size) noexcept nogil:
    return <int32_t>(offset + <int64_t>size - 1)


cdef inline uint32_t width(int32_t first, int32_t last) noexcept nogil:
    return <uint32_t>(<int64_t>last - first + 1)


cdef void range_cover(BucketRange *held, int32_t scale, int32_t offset,
                      uint32_t size) noexcept nogil:
    cdef int32_t first = offset, last = last_index(offset, size), target = scale
    if size == 0:
        return
    if held.any:
        target = min(scale, held.scale)
        first = min(fold_index(first, <int64_t>scale - target),
                    fold_index(held.first, <int64_t>held.scale - target))
        last = max(fold_index(last, <int64_t>scale - target),
                   fold_index(held.last, <int64_t>held.scale - target))
    while <int64_t>last - first >= BUCKETS:
        first = first >> 1
        last = last >> 1
        target -= 1
    held.scale = target
    held.first = first
    held.last = last
    held.any = True


# ---- from a payload ------------------------------------------------------------------------------

cdef void read_exponential(const uint64_t *payload, Exponential *out) noexcept nogil:
    cdef const uint64_t *layout = payload + 1
    cdef uint32_t row_words = payload_row_words(payload[0])
    cdef const uint64_t *row = layout + payload_layout_words(payload[0])
    cdef uint32_t positive = <uint32_t>(layout[0] >> 32)
    cdef BucketRange kept
    cdef uint32_t i
    out.scale = <int32_t>layout[0]
    out.offset = <int32_t>layout[1]
    out.zero = row[3]
    out.size = positive
    out.counts = row + ROW_EXPONENTIAL
    for i in range(ROW_EXPONENTIAL + positive, row_words):
        out.zero += row[i]
    if positive > BUCKETS:
        kept.any = False
        range_cover(&kept, out.scale, out.offset, positive)
        fold_into(out.counts, positive, out.offset, <int64_t>out.scale - kept.scale, out)


cdef void fold_into(const uint64_t *counts, uint32_t size, int32_t offset, int64_t shift,
                    Exponential *out) noexcept nogil:
    """Folds buckets that are `shift` scales finer into `out.room`; sets all of `out` but zero."""
    cdef int32_t first = fold_index(offset, shift)
    out.scale -= <int32_t>shift
    out.offset = first
    out.size = width(first, fold_index(last_index(offset, size), shift))
    memset(out.room, 0, 8 * <size_t>out.size)
    fold_exponential(counts, size, offset, shift, out.room, first)
    out.counts = out.room


# ---- differences ---------------------------------------------------------------------------------

cdef bint subtract_exponential(const HealthSeries *last, const Exponential *sent,
                               Exponential *out) noexcept nogil:
    if sent.zero < last.zero:
        return False
    out.zero = sent.zero - last.zero
    out.scale = sent.scale
    out.offset = sent.offset
    out.size = sent.size
    out.counts = out.room
    if sent.size == 0:
        return last.size == 0 or not any_count(last)
    if last.size == 0 or last.scale >= sent.scale:
        memcpy(out.room, sent.counts, 8 * <size_t>sent.size)
    else:
        # The stream gained scale without a new start; it is compared at the old one.
        fold_into(sent.counts, sent.size, sent.offset, <int64_t>sent.scale - last.scale, out)
    if last.size == 0:
        return True
    if not take_away(last, out):
        return False
    cut_zeros(out)
    return True


cdef bint any_count(const HealthSeries *last) noexcept nogil:
    cdef uint32_t i
    for i in range(last.size):
        if last.counts[i] != 0:
            return True
    return False


cdef bint take_away(const HealthSeries *last, Exponential *out) noexcept nogil:
    """Subtracts what the series had last (as fine as `out.room`, or finer). False: some fell."""
    cdef Exponential folded
    cdef const uint64_t *old = last.counts
    cdef int32_t old_offset = last.offset
    cdef uint32_t old_size = last.size, fell = 0, i
    cdef uint64_t *room
    if last.scale > out.scale:
        folded.scale = last.scale
        fold_into(last.counts, last.size, last.offset, <int64_t>last.scale - out.scale, &folded)
        old = folded.counts
        old_offset = folded.offset
        old_size = folded.size
    while old_size != 0 and old[old_size - 1] == 0:
        old_size -= 1
    while old_size != 0 and old[0] == 0:
        old += 1
        old_offset += 1
        old_size -= 1
    if old_size == 0:
        return True
    # If the old counts reach further than the new ones, something fell.
    if old_offset < out.offset or <int64_t>old_offset + old_size > <int64_t>out.offset + out.size:
        return False
    room = out.room + (<int64_t>old_offset - out.offset)
    for i in range(old_size):
        fell |= room[i] < old[i]
        room[i] -= old[i]
    return fell == 0


cdef void cut_zeros(Exponential *out) noexcept nogil:
    """Cuts off what did not grow, at both ends, so that a slot is only as wide as what happened."""
    cdef uint32_t i = 0
    while out.size != 0 and out.room[out.size - 1] == 0:
        out.size -= 1
    while i < out.size and out.room[i] == 0:
        i += 1
    out.counts = out.room + i
    out.offset += <int32_t>i
    out.size -= i
