"""The header of a chunk, and its first and last time; the contract is in chunks/chunk.pxd."""
from libc.stdint cimport INT64_MAX, UINT32_MAX, int64_t, uint32_t
from libc.string cimport memcpy

from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.points.slots cimport KIND_EXPONENTIAL, KIND_HISTOGRAM
from urpo_store.engine.codec.columns cimport CHUNK_POINTS
from urpo_store.engine.chunks.clock cimport clock_block, clock_get, clock_time
from urpo_store.engine.chunks.ticks cimport block_number
from urpo_store.engine.chunks.types cimport ClockTable, TickBlock, Work


cdef bint flags_sound(uint32_t flags, uint32_t kind) noexcept nogil:
    cdef bint counts = kind == KIND_HISTOGRAM or kind == KIND_EXPONENTIAL
    if flags >= CHUNK_FLAGS_END or flags & TIMES > TIMES_OWN or flags & STARTS > STARTS_GAPS:
        return False
    if kind < KIND_HISTOGRAM:
        return not flags & (ROWED | COUNT_IS_SUM)
    return flags & ROWED and not flags & VALUES and (counts or not flags & COUNT_IS_SUM)


cdef bint chunk_sound(const Chunk *chunk, size_t room, uint32_t kind) noexcept nogil:
    cdef uint32_t times, fixed, span
    if room < sizeof(Chunk) or room - sizeof(Chunk) < chunk.length:
        return False
    if chunk.count == 0 or chunk.count > CHUNK_POINTS or not flags_sound(chunk.flags, kind):
        return False
    times = chunk.flags & TIMES
    if (times == TIMES_OWN) != (chunk.clock == 0):
        return False
    fixed = <uint32_t>(chunk_times(chunk) - chunk_bytes(chunk))
    fixed += 16 if times == TIMES_OWN else 2 if times == TIMES_BITMAP else 0
    if chunk.length < fixed:
        return False
    if times == TIMES_OWN:
        return True
    span = chunk_span(chunk)
    if times == TIMES_BITMAP:
        if span < chunk.count or span > <uint32_t>SPARSE * chunk.count:
            return False
        if chunk.length < fixed + (span + 7) // 8:
            return False
    return chunk.tick <= UINT32_MAX - span


cdef inline int64_t own_first(const Chunk *chunk) noexcept nogil:
    cdef int64_t time
    memcpy(&time, chunk_times(chunk), 8)
    return time


cdef inline int64_t own_last(const Chunk *chunk) noexcept nogil:
    cdef int64_t time
    memcpy(&time, chunk_times(chunk) + 8, 8)
    return time


cdef int chunk_first(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t *time
) noexcept nogil:
    if chunk.clock == 0:
        time[0] = own_first(chunk)
        return OK
    return clock_time(work, clock_get(clocks, chunk.clock), chunk.tick, time)


cdef int chunk_last(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t *time
) noexcept nogil:
    if chunk.clock == 0:
        time[0] = own_last(chunk)
        return OK
    return clock_time(work, clock_get(clocks, chunk.clock), chunk_last_tick(chunk), time)


cdef inline const TickBlock *block_of(
    const ClockTable *clocks, const Chunk *chunk, uint32_t tick
) noexcept nogil:
    return clock_block(clock_get(clocks, chunk.clock), block_number(tick))


cdef int tick_before(
    const ClockTable *clocks, Work *work, const Chunk *chunk, uint32_t tick, int64_t time
) noexcept nogil:
    """Whether the tick is before `time`: 1, 0, or a status."""
    cdef const TickBlock *block = block_of(clocks, chunk, tick)
    cdef int64_t found
    cdef int status
    if block.last < time:
        return 1
    if block.first >= time:
        return 0
    status = clock_time(work, clock_get(clocks, chunk.clock), tick, &found)
    return status if status != OK else found < time


cdef int chunk_ends_before(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time
) noexcept nogil:
    if chunk.clock == 0:
        return own_last(chunk) < time
    return tick_before(clocks, work, chunk, chunk_last_tick(chunk), time)


cdef int chunk_begins_before(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time
) noexcept nogil:
    if chunk.clock == 0:
        return own_first(chunk) < time
    return tick_before(clocks, work, chunk, chunk.tick, time)


cdef int chunk_begins_by(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time
) noexcept nogil:
    return chunk_begins_before(clocks, work, chunk, time + 1) if time < INT64_MAX else 1


cdef int64_t chunk_about(const ClockTable *clocks, const Chunk *chunk) noexcept nogil:
    if chunk.clock == 0:
        return own_last(chunk)
    return block_of(clocks, chunk, chunk_last_tick(chunk)).last
