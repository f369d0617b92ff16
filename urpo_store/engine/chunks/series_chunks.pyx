"""A series' chunks and tail under the lock; the contract is in chunks/series_chunks.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memmove

from urpo_store.engine.memory.alloc cimport mem_realloc
from urpo_store.engine.memory.atomics cimport add_relaxed
from urpo_store.engine.memory.epoch cimport mem_retire
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.codec.columns cimport CHUNK_POINTS
from urpo_store.engine.chunks.chunk cimport (
    CHUNK_SPANS, Chunk, chunk_begins_by, chunk_ends_before, chunk_last_tick, chunk_layout,
    chunk_size,
)
from urpo_store.engine.chunks.clock cimport clock_gather, clock_get, clock_release, clock_spans
from urpo_store.engine.chunks.decode cimport chunk_decode
from urpo_store.engine.chunks.layout cimport layout_get, layout_release
from urpo_store.engine.chunks.rows cimport PointView, Rows, rows_clear, rows_find, rows_view
from urpo_store.engine.chunks.tail cimport (
    Tail, TailView, tail_decode, tail_free_stream, tail_last_row, tail_view,
)
from urpo_store.engine.chunks.ticks cimport TickSpan
from urpo_store.engine.chunks.types cimport Bench, ChunkStore, SeriesData
from urpo_store.engine.chunks.work cimport work_span

cdef void unlink_chunk(ChunkStore *store, Chunk *chunk) noexcept nogil:
    cdef Bench *bench = &store.bench
    if bench.found_in == chunk:
        bench.found_in = NULL
    add_relaxed(&store.chunk_count, <uint64_t>0 - 1)
    add_relaxed(&store.chunk_bytes, <uint64_t>0 - chunk_size(chunk))
    layout_release(&store.layouts, layout_get(&store.layouts, chunk_layout(chunk)))
    if chunk.clock:
        clock_release(
            &store.clocks, clock_get(&store.clocks, chunk.clock), chunk.tick, chunk_last_tick(chunk)
        )
    mem_retire(store.epochs, store.account, chunk)


cdef uint32_t drop_chunks(ChunkStore *store, SeriesData *data, uint32_t count) noexcept nogil:
    cdef uint32_t points = 0, i
    if count == 0:
        return 0
    for i in range(count):
        points += data.chunks[i].count
        unlink_chunk(store, data.chunks[i])
    data.chunk_count -= count
    memmove(data.chunks, data.chunks + count, data.chunk_count * sizeof(Chunk *))
    return points


cdef int64_t first_chunk_from(ChunkStore *store, const SeriesData *data, int64_t time) noexcept nogil:
    cdef uint32_t first = 0, end = data.chunk_count, middle
    cdef int earlier
    while first < end:
        middle = (first + end) // 2
        earlier = chunk_ends_before(&store.clocks, store.bench.work, data.chunks[middle], time)
        if earlier < 0:
            return earlier
        if earlier:
            first = middle + 1
        else:
            end = middle
    return first


cdef int room_for_chunks(ChunkStore *store, SeriesData *data, size_t needed) noexcept nogil:
    cdef size_t capacity = data.chunk_capacity
    cdef void *moved
    if needed <= capacity:
        return 0
    # Exact for the first: most series of a store with many have one chunk.
    capacity = 1 if needed == 1 else needed + needed // 2
    moved = mem_realloc(store.account, data.chunks, capacity * sizeof(Chunk *))
    if moved == NULL:
        return -1
    data.chunks = <Chunk **>moved
    data.chunk_capacity = <uint32_t>capacity
    return 0


cdef void tail_reset(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef Bench *bench = &store.bench
    cdef Tail *tail = data.tail
    cdef uint32_t j
    if bench.found_in == tail:
        bench.found_in = NULL
    if tail.count == 0:
        return
    if tail.clock != NULL:
        clock_release(&store.clocks, tail.clock, tail.first_tick, tail.tick)
        tail.clock = NULL
    tail_free_stream(store.account, store.epochs, tail)
    # The next stream begins with half of what this one took: then one more step is mostly enough.
    tail.reserve = tail.length // 2 + 16
    tail.length = tail.capacity = 0
    tail.count = 0
    tail.limit = CHUNK_POINTS
    tail.flipped = 0
    tail.last_tick = tail.last_flags = 0
    tail.last_time = tail.last_delta = tail.last_start = 0
    tail.last_value = 0
    if tail.rows != NULL:
        for j in range(tail.rows.row_words):
            tail_last_row(tail.rows)[j] = 0
        tail.rows.written.positive = tail.rows.written.negative = 0
        tail.rows.written.positive_count = tail.rows.written.negative_count = 0


# ---- reading under the lock ---------------------------------------------------------------------------

cdef int decode_chunk(ChunkStore *store, uint32_t kind, const Chunk *chunk, Rows *rows) noexcept nogil:
    cdef TickSpan[CHUNK_SPANS] spans
    cdef uint32_t span_count = 0
    if chunk.clock:
        span_count = clock_spans(
            clock_get(&store.clocks, chunk.clock), chunk.tick, chunk_last_tick(chunk), spans)
    return chunk_decode(
        store.bench.work, kind, chunk, spans, span_count,
        layout_get(&store.layouts, chunk_layout(chunk)), rows)


cdef int decode_tail(ChunkStore *store, const SeriesData *data, Rows *rows) noexcept nogil:
    cdef Bench *bench = &store.bench
    cdef Tail *tail = data.tail
    cdef TailView view
    cdef uint64_t layout[2]
    cdef const int64_t *times = NULL
    cdef size_t span
    cdef int status
    tail_view(tail, data.kind, layout, &view)
    if tail.clock != NULL and tail.count:
        span = <size_t>(tail.tick - tail.first_tick) + 1
        if work_span(bench.work, span) != OK:
            return NO_MEMORY
        status = clock_gather(bench.work, tail.clock, tail.first_tick, span, bench.work.span)
        if status != OK:
            return status
        times = bench.work.span
    return tail_decode(&view, times, rows)


cdef int find_point(ChunkStore *store, SeriesData *data, int64_t time, PointView *view) noexcept nogil:
    cdef Bench *bench = &store.bench
    cdef Tail *tail = data.tail
    cdef TailView newest
    cdef const void *place
    cdef uint32_t length = 0
    cdef int64_t i = 0
    cdef int inside
    cdef size_t at
    if tail != NULL and tail.count and time >= tail.first_time:
        if time == tail.time:
            tail_view(tail, data.kind, bench.newest_layout, &newest)
            view[0] = newest.newest
            return 1
        if tail.count == 1 or time > tail.last_time:
            return 0
        place = tail
        length = tail.length
    else:
        i = first_chunk_from(store, data, time)
        if i < 0:
            return <int>i
        if i == data.chunk_count:
            return 0
        inside = chunk_begins_by(&store.clocks, bench.work, data.chunks[i], time)
        if inside <= 0:
            return inside
        place = data.chunks[i]
    # Points that come again mostly come many together: what was decoded for the last one is kept.
    if bench.found_in != place or bench.found_length != length:
        bench.found_in = NULL
        rows_clear(&bench.found)
        if place == <const void *>tail:
            inside = decode_tail(store, data, &bench.found)
        else:
            inside = decode_chunk(store, data.kind, data.chunks[i], &bench.found)
        if inside != OK:
            return inside
        bench.found_in = place
        bench.found_length = length
    at = rows_find(&bench.found, 0, bench.found.count, time)
    if at == bench.found.count or bench.found.times[at] != time:
        return 0
    rows_view(&bench.found, at, view)
    return 1
