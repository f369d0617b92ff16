"""A series' chunks and tail under the lock; the contract is in chunks/series_chunks.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memmove

from urpo_store.engine.memory.alloc cimport mem_free, mem_realloc
from urpo_store.engine.memory.atomics cimport add_relaxed
from urpo_store.engine.memory.epoch cimport mem_retire
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.chunks.chunk cimport (
    CHUNK_SPANS, chunk_begins_by, chunk_ends_before, chunk_last_tick, chunk_layout, chunk_size,
)
from urpo_store.engine.chunks.clock cimport clock_gather, clock_get, clock_release, clock_spans
from urpo_store.engine.chunks.decode cimport chunk_decode
from urpo_store.engine.chunks.layout cimport layout_get, layout_release
from urpo_store.engine.chunks.rows cimport rows_clear, rows_find, rows_free, rows_view
from urpo_store.engine.chunks.tail cimport tail_clear, tail_view
from urpo_store.engine.chunks.tail_stream cimport tail_decode
from urpo_store.engine.chunks.ticks cimport TickSpan
from urpo_store.engine.chunks.types cimport (
    Bench, Chunk, ChunkStore, PointView, Rows, SeriesData, Tail, TailView,
)
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


cdef int first_chunk_from(
    ChunkStore *store, const SeriesData *data, int64_t time, uint32_t *first
) noexcept nogil:
    cdef uint32_t begin = 0, end = data.chunk_count, middle
    cdef int earlier
    while begin < end:
        middle = (begin + end) // 2
        earlier = chunk_ends_before(&store.clocks, store.bench.work, data.chunks[middle], time)
        if earlier < 0:
            return earlier
        if earlier:
            begin = middle + 1
        else:
            end = middle
    first[0] = begin
    return OK


cdef int room_for_chunks(ChunkStore *store, SeriesData *data, size_t needed) noexcept nogil:
    cdef size_t capacity = data.chunk_capacity
    cdef void *moved
    if needed <= capacity:
        return OK
    # Exact for the first: most series of a store with many have one chunk.
    capacity = 1 if needed == 1 else needed + needed // 2
    moved = mem_realloc(store.account, data.chunks, capacity * sizeof(Chunk *))
    if moved == NULL:
        return NO_MEMORY
    data.chunks = <Chunk **>moved
    data.chunk_capacity = <uint32_t>capacity
    return OK


cdef void tail_reset(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef Tail *tail = data.tail
    if store.bench.found_in == tail:
        store.bench.found_in = NULL
    if tail.cursor.count == 0:
        return
    if tail.clock != NULL:
        clock_release(&store.clocks, tail.clock, tail.first_tick, tail.newest.tick)
        tail.clock = NULL
    tail_clear(store.account, store.epochs, tail)


cdef void tail_free_rows(ChunkStore *store, Tail *tail) noexcept nogil:
    if tail.rows != NULL:
        layout_release(&store.layouts, tail.rows.layout)
        mem_free(store.account, tail.rows)
        tail.rows = NULL


cdef void tail_free(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef Tail *tail = data.tail
    if tail == NULL:
        return
    tail_reset(store, data)
    tail_free_rows(store, tail)
    if tail.late != NULL:
        rows_free(tail.late)
        mem_free(store.account, tail.late)
    mem_free(store.account, tail)
    data.tail = NULL


# Reading under the lock

cdef int decode_chunk(
    ChunkStore *store, uint32_t kind, const Chunk *chunk, Rows *rows
) noexcept nogil:
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
    if tail.clock != NULL and tail.cursor.count:
        span = <size_t>(tail.newest.tick - tail.first_tick) + 1
        if work_span(bench.work, span) != OK:
            return NO_MEMORY
        status = clock_gather(bench.work, tail.clock, tail.first_tick, span, bench.work.span)
        if status != OK:
            return status
        times = bench.work.span
    return tail_decode(&view, times, rows)


cdef int decode_for_search(
    ChunkStore *store, const SeriesData *data, const Chunk *chunk, const Rows **found
) noexcept nogil:
    """The points of a chunk or, for NULL, of the tail. Points that come again mostly come many
    together: what was decoded for the last one is kept."""
    cdef Bench *bench = &store.bench
    cdef const void *place = data.tail
    cdef uint32_t length = 0
    cdef int status
    if chunk != NULL:
        place = chunk
    else:
        length = data.tail.cursor.length
    found[0] = &bench.found
    if bench.found_in == place and bench.found_length == length:
        return OK
    bench.found_in = NULL
    rows_clear(&bench.found)
    if chunk != NULL:
        status = decode_chunk(store, data.kind, chunk, &bench.found)
    else:
        status = decode_tail(store, data, &bench.found)
    if status == OK:
        bench.found_in = place
        bench.found_length = length
    return status


cdef int find_point(
    ChunkStore *store, SeriesData *data, int64_t time, PointView *view, bint *there
) noexcept nogil:
    cdef Tail *tail = data.tail
    cdef Chunk *chunk = NULL
    cdef const Rows *found
    cdef TailView newest
    cdef uint32_t first
    cdef int inside, status
    cdef size_t at
    there[0] = False
    if tail != NULL and tail.cursor.count and time >= tail.first_time:
        if time == tail.newest.time:
            tail_view(tail, data.kind, store.bench.newest_layout, &newest)
            view[0] = newest.newest
            there[0] = True
            return OK
        if tail.cursor.count == 1 or time > tail.cursor.last.time:
            return OK
    else:
        status = first_chunk_from(store, data, time, &first)
        if status != OK or first == data.chunk_count:
            return status
        chunk = data.chunks[first]
        inside = chunk_begins_by(&store.clocks, store.bench.work, chunk, time)
        if inside <= 0:
            return inside if inside < 0 else OK
    status = decode_for_search(store, data, chunk, &found)
    if status != OK:
        return status
    at = rows_find(found, 0, found.count, time)
    if at < found.count and found.times[at] == time:
        rows_view(found, at, view)
        there[0] = True
    return OK
