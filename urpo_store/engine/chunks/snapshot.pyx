"""Reading a series; the contract is in chunks/snapshot.pxd.

A snapshot is one block of memory: this struct, then the pointers of its chunks and of the blocks of
their clocks, then the row of the tail's newest point. What it points to stays readable while the
reader is inside its epoch. Late points are copied, as they change in place.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_free
from urpo_store.engine.chunks.chunk cimport (
    Chunk, chunk_begins_before, chunk_begins_by, chunk_block_count, chunk_decode,
)
from urpo_store.engine.chunks.clock cimport Clock, TickBlock, block_number, clock_get, gather_times
from urpo_store.engine.chunks.full_tails cimport full_settle
from urpo_store.engine.chunks.merging cimport rows_sort
from urpo_store.engine.chunks.rows cimport (
    PointView, Rows, rows_behind, rows_drop, rows_find, rows_free, rows_init, rows_push, rows_view,
)
from urpo_store.engine.chunks.series_chunks cimport first_chunk_from
from urpo_store.engine.chunks.tail cimport Tail, TailView, tail_decode, tail_view
from urpo_store.engine.chunks.types cimport LATE_OVERRIDE, ChunkStore, SeriesData
from urpo_store.engine.chunks.work cimport work_new, work_span

cdef struct Snapshot:
    Account *account
    int64_t start, end
    bint predecessor
    uint32_t kind
    uint32_t chunk_count
    Chunk **chunks
    TickBlock **blocks          # of each chunk in turn, then of the tail
    TailView tail               # count 0: not needed
    uint64_t layout[2]          # of the tail, if it is an exponential histogram's
    Rows late


cdef int choose_chunks(
    ChunkStore *store, SeriesData *data, int64_t start, int64_t end, bint predecessor,
    uint32_t *first, uint32_t *last
) noexcept nogil:
    """chunks[first:last] hold the range, and the predecessor unless the tail does."""
    cdef int64_t at = first_chunk_from(store, data, start)
    cdef uint32_t i
    cdef int begun
    if at < 0:
        return -1
    i = <uint32_t>at
    first[0] = i
    while i < data.chunk_count:
        begun = chunk_begins_by(&store.clocks, store.bench.work, data.chunks[i], end)
        if begun < 0:
            return -1
        if not begun:
            break
        i += 1
    last[0] = i
    if not predecessor or first[0] == 0:
        return 0
    if first[0] < data.chunk_count:
        begun = chunk_begins_before(&store.clocks, store.bench.work, data.chunks[first[0]], start)
        if begun < 0:
            return -1
    else:
        begun = data.tail != NULL and data.tail.count and data.tail.first_time < start
    if not begun:
        first[0] -= 1
    elif last[0] == first[0] and first[0] < data.chunk_count:
        # The range is empty or lies within a chunk's gap, yet the chunk holds the predecessor.
        last[0] += 1
    return 0


cdef int copy_late(Snapshot *snapshot, const Rows *late) noexcept nogil:
    cdef PointView view
    cdef size_t i = rows_find(late, 0, late.count, snapshot.start)
    if snapshot.predecessor and i:
        i -= 1
    while i < late.count and late.times[i] <= snapshot.end:
        rows_view(late, i, &view)
        view.flags &= ~<uint32_t>LATE_OVERRIDE
        if rows_push(&snapshot.late, &view) != 0:
            return -1
        i += 1
    return 0


cdef inline TickBlock **blocks_from(const Clock *clock, uint32_t tick) noexcept nogil:
    return clock.blocks + (block_number(tick) - clock.first_block)


cdef void snapshot_free(Snapshot *snapshot) noexcept nogil:
    rows_free(&snapshot.late)
    mem_free(snapshot.account, snapshot)


cdef Snapshot *snapshot_take(
    ChunkStore *store, SeriesData *data, int64_t start, int64_t end, bint predecessor
) noexcept nogil:
    cdef Snapshot *snapshot
    cdef Tail *tail = data.tail
    cdef Chunk *chunk
    cdef Clock *clock
    cdef TickBlock **blocks
    cdef uint32_t first = 0, last = 0, i, n, words = 0
    cdef size_t block_count = 0, size
    cdef bint with_tail = (
        tail != NULL and tail.count != 0 and tail.first_time <= end and (tail.time >= start or predecessor)
    )
    if full_settle(store, data) != 0:
        return NULL
    if choose_chunks(store, data, start, end, predecessor, &first, &last) != 0:
        return NULL
    for i in range(first, last):
        block_count += chunk_block_count(data.chunks[i])
    if with_tail:
        if tail.clock != NULL:
            block_count += block_number(tail.tick) - block_number(tail.first_tick) + 1
        if tail.rows != NULL:
            words = tail.rows.row_words
    size = sizeof(Snapshot) + (last - first) * sizeof(Chunk *) + block_count * sizeof(TickBlock *) + 8 * words
    snapshot = <Snapshot *>mem_alloc(store.account, size)
    if snapshot == NULL:
        return NULL
    memset(snapshot, 0, sizeof(Snapshot))
    snapshot.account = store.account
    snapshot.start = start
    snapshot.end = end
    snapshot.predecessor = predecessor
    snapshot.kind = data.kind
    snapshot.chunk_count = last - first
    snapshot.chunks = <Chunk **>(snapshot + 1)
    snapshot.blocks = <TickBlock **>(snapshot.chunks + (last - first))
    rows_init(&snapshot.late, store.account)
    blocks = snapshot.blocks
    for i in range(first, last):
        chunk = data.chunks[i]
        snapshot.chunks[i - first] = chunk
        n = chunk_block_count(chunk)
        if n:
            clock = clock_get(&store.clocks, chunk.clock)
            memcpy(blocks, blocks_from(clock, chunk.tick), n * sizeof(TickBlock *))
            blocks += n
    if with_tail:
        if tail.clock != NULL:
            n = block_number(tail.tick) - block_number(tail.first_tick) + 1
            memcpy(blocks, blocks_from(tail.clock, tail.first_tick), n * sizeof(TickBlock *))
            blocks += n
        tail_view(tail, data.kind, snapshot.layout, &snapshot.tail)
        tail.shared = 1
        if words:
            memcpy(blocks, snapshot.tail.newest.row, 8 * words)
            snapshot.tail.newest.row = <uint64_t *>blocks
    if tail != NULL and tail.late != NULL and copy_late(snapshot, tail.late) != 0:
        snapshot_free(snapshot)
        return NULL
    return snapshot


cdef int decode_all(Snapshot *snapshot, Rows *rows) noexcept nogil:
    cdef TickBlock **blocks = snapshot.blocks
    cdef TailView *tail = &snapshot.tail
    cdef PointView view
    cdef size_t span, i
    for i in range(snapshot.chunk_count):
        if chunk_decode(rows.work, snapshot.kind, snapshot.chunks[i], blocks, rows) != 0:
            return -1
        blocks += chunk_block_count(snapshot.chunks[i])
    if tail.count:
        span = 0
        if not tail.own:
            span = <size_t>(tail.tick - tail.first_tick) + 1
            if (
                work_span(rows.work, span) != 0
                or gather_times(rows.work, blocks, tail.first_tick, span, rows.work.span) != 0
            ):
                return -1
        if tail_decode(tail, rows.work.span if span else NULL, rows) != 0:
            return -1
    for i in range(snapshot.late.count):
        rows_view(&snapshot.late, i, &view)
        if rows_push(rows, &view) != 0:
            return -1
    return 0


cdef int snapshot_decode(ChunkStore *store, Snapshot *snapshot, Rows *rows) noexcept nogil:
    cdef size_t base = rows.count, first, last
    cdef int failed = -1
    rows.kind = snapshot.kind
    if rows.work == NULL:
        rows.work = work_new(rows.account)
    if rows.work != NULL:
        failed = decode_all(snapshot, rows)
    if failed:
        rows.count = base
    else:
        if snapshot.late.count:
            # What came late came after: of equal times it is kept.
            rows_sort(rows, base, 0)
        last = rows_behind(rows, base, rows.count, snapshot.end)
        rows_drop(rows, last, rows.count)
        first = rows_find(rows, base, rows.count, snapshot.start)
        if snapshot.predecessor and first > base:
            first -= 1
        rows_drop(rows, base, first)
    snapshot_free(snapshot)
    return failed
