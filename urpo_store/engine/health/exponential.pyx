"""Exponential buckets for health; the contract is in health/exponential.pxd."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.points.quantile cimport fold_exponential, fold_index
from urpo_store.engine.points.slots cimport ROW_EXPONENTIAL, payload_layout_words, payload_row_words
from urpo_store.engine.health.types cimport BUCKETS, HealthSeries


cdef void read_exponential(const uint64_t *payload, Exponential *out) noexcept nogil:
    cdef const uint64_t *layout = payload + 1
    cdef uint32_t row_words = payload_row_words(payload[0])
    cdef const uint64_t *row = layout + payload_layout_words(payload[0])
    cdef uint32_t positive = <uint32_t>(layout[0] >> 32)
    cdef uint32_t i
    cdef int64_t shift = 0
    cdef int32_t first, last
    out.scale = <int32_t>layout[0]
    out.offset = <int32_t>layout[1]
    out.zero = row[3]
    out.size = 0
    for i in range(ROW_EXPONENTIAL + positive, row_words):
        out.zero += row[i]
    out.counts = row + ROW_EXPONENTIAL
    if positive <= BUCKETS:
        out.size = positive
        return
    first = out.offset
    last = <int32_t>(out.offset + <int64_t>positive - 1)
    while <int64_t>last - first >= BUCKETS:
        first = first >> 1
        last = last >> 1
        shift += 1
    out.size = <uint32_t>(<int64_t>last - first + 1)
    memset(out.room, 0, 8 * <size_t>out.size)
    fold_exponential(out.counts, positive, out.offset, shift, out.room, first)
    out.counts = out.room
    out.scale -= <int32_t>shift
    out.offset = first


cdef bint any_count(const HealthSeries *last) noexcept nogil:
    cdef uint32_t i
    for i in range(last.size):
        if last.counts[i] != 0:
            return True
    return False


cdef bint subtract_exponential(const HealthSeries *last, const Exponential *sent, Exponential *out) noexcept nogil:
    cdef uint64_t folded[BUCKETS]
    cdef const uint64_t *old = last.counts
    cdef int32_t old_offset = last.offset
    cdef uint32_t old_size = last.size
    cdef uint64_t *room = out.room
    cdef uint32_t fell = 0
    cdef int32_t index
    cdef int64_t shift
    cdef uint32_t i
    if sent.zero < last.zero:
        return False
    out.zero = sent.zero - last.zero
    out.scale = sent.scale
    out.offset = sent.offset
    out.size = sent.size
    out.counts = room
    if old_size == 0:
        memcpy(room, sent.counts, 8 * <size_t>sent.size)
        return True
    if sent.size == 0:
        return not any_count(last)
    if last.scale >= sent.scale:
        memcpy(room, sent.counts, 8 * <size_t>sent.size)
    else:
        # Such a stream gained scale without a new start; it is compared at the old one.
        shift = <int64_t>sent.scale - last.scale
        out.scale = last.scale
        out.offset = fold_index(sent.offset, shift)
        index = fold_index(<int32_t>(sent.offset + <int64_t>sent.size - 1), shift)
        out.size = <uint32_t>(<int64_t>index - out.offset + 1)
        memset(room, 0, 8 * <size_t>out.size)
        fold_exponential(sent.counts, sent.size, sent.offset, shift, room, out.offset)
    if last.scale > out.scale:
        shift = <int64_t>last.scale - out.scale
        old_offset = fold_index(last.offset, shift)
        index = fold_index(<int32_t>(last.offset + <int64_t>last.size - 1), shift)
        old_size = <uint32_t>(<int64_t>index - old_offset + 1)
        memset(folded, 0, 8 * <size_t>old_size)
        fold_exponential(last.counts, last.size, last.offset, shift, folded, old_offset)
        old = folded
    # Where the old counts reach further than the new ones, something fell.
    while old_size != 0 and old[old_size - 1] == 0:
        old_size -= 1
    while old_size != 0 and old[0] == 0:
        old += 1
        old_offset += 1
        old_size -= 1
    if old_size == 0:
        old_offset = out.offset
    if old_offset < out.offset or <int64_t>old_offset + old_size > <int64_t>out.offset + out.size:
        return False
    room += <int64_t>old_offset - out.offset
    for i in range(old_size):
        fell |= room[i] < old[i]
        room[i] -= old[i]
    if fell:
        return False
    # What did not grow is cut off at both ends, so that a slot is only as wide as what happened in it.
    while out.size != 0 and out.room[out.size - 1] == 0:
        out.size -= 1
    i = 0
    while i < out.size and out.room[i] == 0:
        i += 1
    out.counts = out.room + i
    out.offset += <int32_t>i
    out.size -= i
    return True
