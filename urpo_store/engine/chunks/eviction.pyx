"""Giving chunks up; the contract is in chunks/eviction.pxd.

The oldest chunks over all series are found without a list of them: a histogram of bytes over time
gives the time up to which enough would go, and is refined within that bin a few times.
"""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.atomics cimport add_relaxed
from urpo_store.engine.chunks.chunk cimport chunk_about, chunk_ends_before, chunk_last, chunk_size
from urpo_store.engine.chunks.exemplars cimport exemplars_expire
from urpo_store.engine.chunks.full_tails cimport full_drop
from urpo_store.engine.chunks.rows cimport Rows, rows_behind, rows_drop
from urpo_store.engine.chunks.series_chunks cimport drop_chunks, tail_reset
from urpo_store.engine.chunks.types cimport LATE_OVERRIDE, ChunkStore, SeriesData

cdef enum:
    BINS = 64
    ROUNDS = 4
    OVERHEAD = 24               # what a chunk takes beside its own bytes: the pointer to it, the heap's


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
    # Late points that stand for ones in these chunks go too, else they would count for nothing. (No
    # memory to decode the last time: one not before it serves, at the worst with some points more.)
    if chunk_last(&store.clocks, store.bench.work, data.chunks[count - 1], &last) != 0:
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
        # Nothing of the series is young enough, not what is still open either.
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


cdef uint64_t chunks_evict(
    ChunkStore *store, SeriesData **all_data, size_t count, uint64_t bytes
) noexcept nogil:
    cdef uint64_t bins[BINS]
    cdef uint64_t needed = bytes, width, points = 0, freed = 0
    cdef int64_t low = INT64_MAX, high = INT64_MIN, time
    cdef SeriesData *data
    cdef size_t i
    cdef uint32_t n
    cdef int round, bin
    for i in range(count):
        data = all_data[i]
        if data == NULL or data.chunk_count == 0:
            continue
        time = chunk_about(&store.clocks, data.chunks[0])
        low = time if time < low else low
        time = chunk_about(&store.clocks, data.chunks[data.chunk_count - 1])
        high = time if time > high else high
    if low > high:
        return 0
    # Chunks before `low` go for sure; `needed` is what those from low to high have to give.
    for _ in range(ROUNDS):
        width = offset_of(high, low) // BINS + 1
        for bin in range(BINS):
            bins[bin] = 0
        for i in range(count):
            data = all_data[i]
            if data == NULL:
                continue
            for n in range(data.chunk_count):
                time = chunk_about(&store.clocks, data.chunks[n])
                if time > high:
                    break
                if time >= low:
                    bins[offset_of(time, low) // width] += chunk_size(data.chunks[n]) + OVERHEAD
        bin = 0
        while bin < BINS - 1 and bins[bin] < needed:
            needed -= bins[bin]
            bin += 1
        low = <int64_t>(<uint64_t>low + width * <uint64_t>bin)
        if offset_of(high, low) >= width:
            high = <int64_t>(<uint64_t>low + width - 1)
        if width == 1:
            break
    # First all series give what is before `low`, then one after the other up to `high`.
    for round in range(2):
        if freed >= bytes:
            break
        for i in range(count):
            data = all_data[i]
            if data == NULL:
                continue
            n = 0
            while n < data.chunk_count and freed < bytes:
                time = chunk_about(&store.clocks, data.chunks[n])
                if time > high or (round == 0 and time >= low):
                    break
                freed += chunk_size(data.chunks[n]) + OVERHEAD
                n += 1
            points += drop_oldest(store, data, n)
            if freed >= bytes:
                break
    add_relaxed(&store.evicted_points, points)
    return freed
