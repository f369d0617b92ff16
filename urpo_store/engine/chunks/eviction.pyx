"""Giving chunks up; the contract is in chunks/eviction.pxd.

The oldest chunks of all series are found without a list of them. A histogram of bytes over time
tells in which bin of time enough have gone; that bin is cut into bins in turn, a few times.
"""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.atomics cimport add_relaxed
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.chunks.chunk cimport chunk_about, chunk_ends_before, chunk_last, chunk_size
from urpo_store.engine.chunks.exemplars cimport exemplars_expire
from urpo_store.engine.chunks.full_tails cimport full_drop
from urpo_store.engine.chunks.rows cimport rows_behind, rows_drop
from urpo_store.engine.chunks.series_chunks cimport drop_chunks, tail_reset
from urpo_store.engine.chunks.types cimport LATE_OVERRIDE, ChunkStore, Rows, SeriesData

cdef enum:
    BINS = 64
    ROUNDS = 4
    OVERHEAD = 24               # of a chunk, beside its bytes: the pointer to it, the heap's own


cdef uint32_t drop_late(SeriesData *data, int64_t last) noexcept nogil:
    """Drops late points not behind `last`. Returns how many were points of their own."""
    cdef Rows *late
    cdef size_t n, i
    cdef uint32_t points = 0
    if data.tail == NULL or data.tail.late == NULL:
        return 0
    late = data.tail.late
    n = rows_behind(late, 0, late.count, last)
    for i in range(n):
        points += not late.flags[i] & <uint32_t>LATE_OVERRIDE
    rows_drop(late, 0, n)
    return points


cdef uint64_t drop_oldest(ChunkStore *store, SeriesData *data, uint32_t count) noexcept nogil:
    """Drops the first `count` chunks and the late points up to their end. Returns the points."""
    cdef uint64_t points
    cdef int64_t last
    if count == 0:
        return 0
    # Late points that override ones in these chunks go too: what they override is gone. If the last
    # time cannot be decoded for want of memory, one not before it serves, with some more late
    # points.
    if chunk_last(&store.clocks, store.bench.work, data.chunks[count - 1], &last) != OK:
        last = chunk_about(&store.clocks, data.chunks[count - 1])
        if count < data.chunk_count or (data.tail != NULL and data.tail.cursor.count):
            return 0
    points = drop_chunks(store, data, count)
    points += drop_late(data, last)
    data.given_up = max(data.given_up, last)
    data.points -= points
    store.points -= points
    return points


cdef uint64_t chunks_expire(ChunkStore *store, SeriesData *data, int64_t before) noexcept nogil:
    cdef uint32_t n = 0
    cdef uint64_t points, rest
    while n < data.chunk_count and chunk_ends_before(
        &store.clocks, store.bench.work, data.chunks[n], before
    ) == 1:
        n += 1
    points = drop_oldest(store, data, n)
    exemplars_expire(data, before)
    if data.chunk_count == 0 and data.tail != NULL and data.last_time < before:
        # Nothing of the series is young enough, what is open neither.
        full_drop(store, data)
        tail_reset(store, data)
        drop_late(data, INT64_MAX)
        data.given_up = data.last_time
        rest = data.points
        data.points = 0
        store.points -= rest
        points += rest
    add_relaxed(&store.expired_points, points)
    return points


cdef inline uint64_t offset_of(int64_t time, int64_t low) noexcept nogil:
    return <uint64_t>time - <uint64_t>low


# Chunks that end (about) before `low` go for sure; `needed` bytes are to come from those low..high.
cdef struct Cut:
    int64_t low, high
    uint64_t needed


cdef bint whole_time(
    ChunkStore *store, SeriesData **all_data, size_t count, Cut *cut
) noexcept nogil:
    """Sets the cut to the time from the oldest chunk to the newest. False: there are no chunks."""
    cdef SeriesData *data
    cdef size_t i
    cut.low = INT64_MAX
    cut.high = INT64_MIN
    for i in range(count):
        data = all_data[i]
        if data == NULL or data.chunk_count == 0:
            continue
        cut.low = min(cut.low, chunk_about(&store.clocks, data.chunks[0]))
        cut.high = max(cut.high, chunk_about(&store.clocks, data.chunks[data.chunk_count - 1]))
    return cut.low <= cut.high


cdef void fill_bins(
    ChunkStore *store, SeriesData **all_data, size_t count, const Cut *cut, uint64_t width,
    uint64_t *bins
) noexcept nogil:
    """Bytes of the chunks low..high, by bins of time of this width."""
    cdef SeriesData *data
    cdef int64_t time
    cdef size_t i
    cdef uint32_t n
    memset(bins, 0, BINS * sizeof(uint64_t))
    for i in range(count):
        data = all_data[i]
        if data == NULL:
            continue
        for n in range(data.chunk_count):
            time = chunk_about(&store.clocks, data.chunks[n])
            if time > cut.high:
                break
            if time >= cut.low:
                bins[offset_of(time, cut.low) // width] += chunk_size(data.chunks[n]) + OVERHEAD


cdef void narrow(ChunkStore *store, SeriesData **all_data, size_t count, Cut *cut) noexcept nogil:
    """Narrows the cut to the time in which enough have gone."""
    cdef uint64_t bins[BINS]
    cdef uint64_t width
    cdef int bin, _
    for _ in range(ROUNDS):
        width = offset_of(cut.high, cut.low) // BINS + 1
        fill_bins(store, all_data, count, cut, width, bins)
        bin = 0
        while bin < BINS - 1 and bins[bin] < cut.needed:
            cut.needed -= bins[bin]
            bin += 1
        cut.low = <int64_t>(<uint64_t>cut.low + width * <uint64_t>bin)
        if offset_of(cut.high, cut.low) >= width:
            cut.high = <int64_t>(<uint64_t>cut.low + width - 1)
        if width == 1:
            break


cdef uint64_t drop_until(
    ChunkStore *store, SeriesData *data, int64_t end, uint64_t bytes, uint64_t *points
) noexcept nogil:
    """Drops chunks that end (about) by `end`, until `bytes` are free. Returns the bytes freed."""
    cdef uint64_t freed = 0
    cdef uint32_t n = 0
    while n < data.chunk_count and freed < bytes:
        if chunk_about(&store.clocks, data.chunks[n]) > end:
            break
        freed += chunk_size(data.chunks[n]) + OVERHEAD
        n += 1
    points[0] += drop_oldest(store, data, n)
    return freed


cdef uint64_t chunks_evict(
    ChunkStore *store, SeriesData **all_data, size_t count, uint64_t bytes
) noexcept nogil:
    cdef Cut cut
    cdef uint64_t points = 0, freed = 0
    cdef int64_t end
    cdef size_t i
    cdef int round
    if not whole_time(store, all_data, count, &cut):
        return 0
    cut.needed = bytes
    narrow(store, all_data, count, &cut)
    # First all series give what is before the cut, then one after the other what is in it.
    for round in range(2):
        if round == 0 and cut.low == INT64_MIN:
            continue
        end = cut.low - 1 if round == 0 else cut.high
        for i in range(count):
            if freed >= bytes:
                break
            if all_data[i] != NULL:
                freed += drop_until(store, all_data[i], end, bytes - freed, &points)
    add_relaxed(&store.evicted_points, points)
    return freed
