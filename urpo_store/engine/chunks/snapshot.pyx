"""Reading a series; the contract is in chunks/snapshot.pxd.

A snapshot is one block of memory:

    Snapshot | a Sealed a chunk | a TickSpan a block of ticks | the row of the tail's newest point

What it points to stays readable while the reader is inside its epoch. Late points are copied, as
they change in place.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.chunks.chunk cimport (
    chunk_begins_before, chunk_begins_by, chunk_last_tick, chunk_layout,
)
from urpo_store.engine.chunks.clock cimport clock_get, clock_spans, span_count
from urpo_store.engine.chunks.decode cimport chunk_decode
from urpo_store.engine.chunks.full_tails cimport full_settle
from urpo_store.engine.chunks.layout cimport layout_get
from urpo_store.engine.chunks.merging cimport rows_sort
from urpo_store.engine.chunks.rows cimport (
    rows_behind, rows_drop, rows_find, rows_free, rows_init, rows_push, rows_view,
)
from urpo_store.engine.chunks.series_chunks cimport first_chunk_from
from urpo_store.engine.chunks.tail cimport tail_view
from urpo_store.engine.chunks.tail_stream cimport tail_decode
from urpo_store.engine.chunks.ticks cimport TickSpan, gather_times
from urpo_store.engine.chunks.types cimport (
    LATE_OVERRIDE, Chunk, ChunkStore, PointView, Rows, SeriesData, Tail, TailView,
)
from urpo_store.engine.chunks.work cimport work_new, work_span

cdef int choose_chunks(
    ChunkStore *store, SeriesData *data, int64_t start, int64_t end, bint predecessor,
    uint32_t *first, uint32_t *last
) noexcept nogil:
    """Finds the chunks[first:last] that hold the range, and the predecessor unless the tail does.

    OK, NO_MEMORY or BAD_BYTES.
    """
    cdef uint32_t i
    cdef int begun
    cdef int status = first_chunk_from(store, data, start, first)
    if status != OK:
        return status
    i = first[0]
    while i < data.chunk_count:
        begun = chunk_begins_by(&store.clocks, store.bench.work, data.chunks[i], end)
        if begun < 0:
            return begun
        if not begun:
            break
        i += 1
    last[0] = i
    if not predecessor or first[0] == 0:
        return OK
    if first[0] < data.chunk_count:
        begun = chunk_begins_before(&store.clocks, store.bench.work, data.chunks[first[0]], start)
        if begun < 0:
            return begun
    else:
        begun = data.tail != NULL and data.tail.cursor.count and data.tail.first_time < start
    if not begun:
        first[0] -= 1
    elif last[0] == first[0] and first[0] < data.chunk_count:
        # The range is empty or lies within a chunk's gap, yet the chunk holds the predecessor.
        last[0] += 1
    return OK


cdef int copy_late(Snapshot *snapshot, const Rows *late) noexcept nogil:
    cdef PointView view
    cdef size_t i = rows_find(late, 0, late.count, snapshot.start)
    if snapshot.predecessor and i:
        i -= 1
    while i < late.count and late.times[i] <= snapshot.end:
        rows_view(late, i, &view)
        view.flags &= ~<uint32_t>LATE_OVERRIDE
        if rows_push(&snapshot.late, &view) != OK:
            return NO_MEMORY
        i += 1
    return OK


cdef void snapshot_free(Snapshot *snapshot) noexcept nogil:
    rows_free(&snapshot.late)
    mem_free(snapshot.account, snapshot)


cdef bint tail_needed(
    const Tail *tail, int64_t start, int64_t end, bint predecessor
) noexcept nogil:
    return (
        tail != NULL and tail.cursor.count != 0 and tail.first_time <= end
        and (tail.newest.time >= start or predecessor)
    )


cdef Snapshot *snapshot_new(
    ChunkStore *store, const SeriesData *data, uint32_t first, uint32_t last, const Tail *tail
) noexcept nogil:
    """Room for chunks[first:last] and, unless it is NULL, the tail. NULL: no memory."""
    cdef Snapshot *snapshot
    cdef const Chunk *chunk
    cdef size_t spans = 0, words = 0
    cdef uint32_t i
    for i in range(first, last):
        chunk = data.chunks[i]
        if chunk.clock:
            spans += span_count(chunk.tick, chunk_last_tick(chunk))
    if tail != NULL:
        if tail.clock != NULL:
            spans += span_count(tail.first_tick, tail.newest.tick)
        if tail.rows != NULL:
            words = tail.rows.row_words
    snapshot = <Snapshot *>mem_alloc(
        store.account,
        sizeof(Snapshot) + (last - first) * sizeof(Sealed) + spans * sizeof(TickSpan) + 8 * words)
    if snapshot == NULL:
        return NULL
    memset(snapshot, 0, sizeof(Snapshot))
    snapshot.account = store.account
    snapshot.kind = data.kind
    snapshot.chunks = <Sealed *>(snapshot + 1)
    snapshot.chunk_count = last - first
    snapshot.spans = <TickSpan *>(snapshot.chunks + snapshot.chunk_count)
    rows_init(&snapshot.late, store.account)
    return snapshot


cdef TickSpan *note_chunk(
    ChunkStore *store, const Chunk *chunk, Sealed *sealed, TickSpan *spans
) noexcept nogil:
    """Notes a chunk, and its ticks from `spans` on; the first span behind them."""
    sealed.chunk = chunk
    sealed.layout = layout_get(&store.layouts, chunk_layout(chunk))
    sealed.span_count = 0
    if chunk.clock:
        sealed.span_count = clock_spans(
            clock_get(&store.clocks, chunk.clock), chunk.tick, chunk_last_tick(chunk), spans)
    return spans + sealed.span_count


cdef void note_tail(Snapshot *snapshot, Tail *tail, TickSpan *spans) noexcept nogil:
    cdef uint64_t *row
    if tail.clock != NULL:
        snapshot.tail_span_count = clock_spans(
            tail.clock, tail.first_tick, tail.newest.tick, spans)
    tail_view(tail, snapshot.kind, snapshot.layout, &snapshot.tail)
    tail.shared = 1
    if tail.rows != NULL and tail.rows.row_words:
        row = <uint64_t *>(spans + snapshot.tail_span_count)
        memcpy(row, snapshot.tail.newest.row, 8 * tail.rows.row_words)
        snapshot.tail.newest.row = row


cdef int snapshot_take(
    ChunkStore *store, SeriesData *data, int64_t start, int64_t end, bint predecessor,
    Snapshot **snapshot
) noexcept nogil:
    cdef Snapshot *taken
    cdef Tail *tail
    cdef TickSpan *spans
    cdef uint32_t first = 0, last = 0, i
    cdef int status = full_settle(store, data)
    if status == OK:
        status = choose_chunks(store, data, start, end, predecessor, &first, &last)
    if status != OK:
        return status
    tail = data.tail if tail_needed(data.tail, start, end, predecessor) else NULL
    taken = snapshot_new(store, data, first, last, tail)
    if taken == NULL:
        return NO_MEMORY
    taken.start = start
    taken.end = end
    taken.predecessor = predecessor
    spans = taken.spans
    for i in range(first, last):
        spans = note_chunk(store, data.chunks[i], &taken.chunks[i - first], spans)
    if tail != NULL:
        note_tail(taken, tail, spans)
    if data.tail != NULL and data.tail.late != NULL and copy_late(taken, data.tail.late) != OK:
        snapshot_free(taken)
        return NO_MEMORY
    snapshot[0] = taken
    return OK


cdef int decode_tail(Snapshot *snapshot, const TickSpan *spans, Rows *rows) noexcept nogil:
    cdef const TailView *tail = &snapshot.tail
    cdef size_t ticks
    cdef int status
    if tail.own:
        return tail_decode(tail, NULL, rows)
    ticks = <size_t>(tail.tick - tail.first_tick) + 1
    if work_span(rows.work, ticks) != OK:
        return NO_MEMORY
    status = gather_times(
        rows.work, spans, snapshot.tail_span_count, tail.first_tick, ticks, rows.work.span)
    return tail_decode(tail, rows.work.span, rows) if status == OK else status


cdef int decode_all(Snapshot *snapshot, Rows *rows) noexcept nogil:
    """Appends the points of chunks, tail and late points, in this order."""
    cdef const TickSpan *spans = snapshot.spans
    cdef const Sealed *sealed
    cdef PointView view
    cdef size_t i
    cdef int status
    for i in range(snapshot.chunk_count):
        sealed = &snapshot.chunks[i]
        status = chunk_decode(
            rows.work, snapshot.kind, sealed.chunk, spans, sealed.span_count, sealed.layout, rows)
        if status != OK:
            return status
        spans += sealed.span_count
    if snapshot.tail.count:
        status = decode_tail(snapshot, spans, rows)
        if status != OK:
            return status
    for i in range(snapshot.late.count):
        rows_view(&snapshot.late, i, &view)
        if rows_push(rows, &view) != OK:
            return NO_MEMORY
    return OK


cdef void keep_range(const Snapshot *snapshot, Rows *rows, size_t base) noexcept nogil:
    """Drops what is outside the range from rows[base:]."""
    cdef size_t first, last
    last = rows_behind(rows, base, rows.count, snapshot.end)
    rows_drop(rows, last, rows.count)
    first = rows_find(rows, base, rows.count, snapshot.start)
    if snapshot.predecessor and first > base:
        first -= 1
    rows_drop(rows, base, first)


cdef int snapshot_decode(Snapshot *snapshot, Rows *rows) noexcept nogil:
    cdef size_t base = rows.count
    cdef int status = NO_MEMORY
    rows.kind = snapshot.kind
    if rows.work == NULL:
        rows.work = work_new(rows.account)
    if rows.work != NULL:
        status = decode_all(snapshot, rows)
    if status != OK:
        rows.count = base
    else:
        if snapshot.late.count:
            # Late points came later: of equal times they are kept.
            rows_sort(rows, base, 0)
        keep_range(snapshot, rows, base)
    snapshot_free(snapshot)
    return status
