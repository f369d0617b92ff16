"""Folding late points and the tail into chunks; the contract is in chunks/folding.pxd."""
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memmove

from urpo_store.engine.memory.alloc cimport mem_free
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.chunks.chunk cimport chunk_first, chunk_last
from urpo_store.engine.chunks.clock cimport clock_get, clock_of_group
from urpo_store.engine.chunks.full_tails cimport full_settle
from urpo_store.engine.chunks.merging cimport rows_sort
from urpo_store.engine.chunks.rows cimport (
    rows_behind, rows_clear, rows_drop, rows_find, rows_free, rows_push, rows_view,
)
from urpo_store.engine.chunks.sealing cimport add_made, chunk_limit, make_chunks
from urpo_store.engine.chunks.series_chunks cimport (
    decode_chunk, decode_tail, first_chunk_from, room_for_chunks, tail_free, tail_reset,
    unlink_chunk,
)
from urpo_store.engine.chunks.types cimport (
    LATE_OVERRIDE, Bench, Chunk, ChunkStore, Clock, PointView, Rows, SeriesData, Tail,
)

# What a fold takes, and what it puts bench.made in the place of.
cdef struct Fold:
    bint tail                   # the tail is sealed too
    size_t end                  # late[:end] are folded
    size_t done                 # late[:done] stand in bench.made
    Chunk *small                # the last chunk, which the tail is sealed together with; NULL: none
    uint32_t first, behind      # chunks[first:behind] are replaced by bench.made


# What there is to fold

cdef bint shares_chunk(
    const SeriesData *data, const Chunk *last, size_t late
) noexcept nogil:
    """Whether the last chunk was sealed so small that the tail, and late points, go into it too."""
    cdef const Tail *tail = data.tail
    cdef uint32_t words = tail.rows.row_words if tail.rows != NULL else 0
    return (
        last.clock == (tail.clock.id if tail.clock != NULL else 0)
        and last.count + tail.cursor.count + late <= chunk_limit(words)
    )


cdef int plan(
    ChunkStore *store, const SeriesData *data, bint everything, Fold *fold
) noexcept nogil:
    cdef const Tail *tail = data.tail
    cdef const Rows *late = tail.late
    cdef int status
    fold.tail = everything and tail.cursor.count != 0
    fold.done = fold.end = 0
    fold.small = NULL
    fold.first = data.chunk_count
    if late != NULL:
        fold.end = late.count
        if tail.cursor.count and not everything:
            fold.end = rows_find(late, 0, late.count, tail.first_time)
        if fold.end:
            status = first_chunk_from(store, data, late.times[0], &fold.first)
            if status != OK:
                return status
    fold.behind = fold.first
    if fold.tail and fold.first and fold.first == data.chunk_count:
        if shares_chunk(data, data.chunks[fold.first - 1], fold.end):
            fold.first -= 1
            fold.small = data.chunks[fold.first]
    return OK


# Making the new chunks

cdef Clock *clock_for(ChunkStore *store, const SeriesData *data, uint32_t id) noexcept nogil:
    """The clock on which points of the series are looked for: clock `id`, if it is one."""
    if id:
        return clock_get(&store.clocks, id)
    if data.tail.cursor.count and data.tail.clock != NULL:
        return data.tail.clock
    return clock_of_group(&store.clocks, data.clock_group)


cdef int gather_late(Rows *rows, const Rows *late, size_t first, size_t end) noexcept nogil:
    cdef PointView view
    cdef size_t i
    cdef int status
    for i in range(first, end):
        rows_view(late, i, &view)
        view.flags &= ~<uint32_t>LATE_OVERRIDE
        status = rows_push(rows, &view)
        if status != OK:
            return status
    return OK


cdef int make_between(
    ChunkStore *store, SeriesData *data, size_t first, size_t end
) noexcept nogil:
    """The chunks of late[first:end], which lie in front of a chunk."""
    cdef Rows *rows = &store.bench.rows
    cdef int status
    rows_clear(rows)
    status = gather_late(rows, data.tail.late, first, end)
    return status if status != OK else make_chunks(store, data.kind, clock_for(store, data, 0))


cdef int make_merged(
    ChunkStore *store, SeriesData *data, const Chunk *chunk, size_t first, size_t end
) noexcept nogil:
    """The chunks of a chunk and of late[first:end], which lie in it."""
    cdef Rows *rows = &store.bench.rows
    cdef int status
    rows_clear(rows)
    status = decode_chunk(store, data.kind, chunk, rows)
    if status == OK:
        status = gather_late(rows, data.tail.late, first, end)
    if status != OK:
        return status
    rows_sort(rows, 0, 0)
    return make_chunks(store, data.kind, clock_for(store, data, chunk.clock))


cdef int fold_late(ChunkStore *store, SeriesData *data, Fold *fold) noexcept nogil:
    """Chunk by chunk: the late points in front of it, and those within it."""
    cdef Rows *late = data.tail.late
    cdef Chunk *chunk
    cdef int64_t begins, ends
    cdef size_t within, after
    cdef int status = OK
    while fold.done < fold.end and fold.behind < data.chunk_count:
        chunk = data.chunks[fold.behind]
        status = chunk_first(&store.clocks, store.bench.work, chunk, &begins)
        if status == OK:
            status = chunk_last(&store.clocks, store.bench.work, chunk, &ends)
        if status != OK:
            return status
        within = rows_find(late, fold.done, fold.end, begins)
        after = rows_behind(late, within, fold.end, ends)
        if within > fold.done:
            status = make_between(store, data, fold.done, within)
        if status == OK:
            if after > within:
                status = make_merged(store, data, chunk, within, after)
            else:
                status = add_made(store, chunk, False)
        if status != OK:
            return status
        fold.done = after
        fold.behind += 1
    return OK


cdef int fold_rest(ChunkStore *store, SeriesData *data, const Fold *fold) noexcept nogil:
    """The chunks of what lies behind all others: a small last chunk, late points, the tail."""
    cdef Rows *rows = &store.bench.rows
    cdef int status = OK
    rows_clear(rows)
    if fold.small != NULL:
        status = decode_chunk(store, data.kind, fold.small, rows)
    if status == OK and fold.tail:
        status = decode_tail(store, data, rows)
    if status == OK and fold.done < fold.end:
        status = gather_late(rows, data.tail.late, fold.done, fold.end)
        if status == OK:
            rows_sort(rows, 0, 0)
    return status if status != OK else make_chunks(store, data.kind, clock_for(store, data, 0))


cdef int make_all(ChunkStore *store, SeriesData *data, Fold *fold) noexcept nogil:
    cdef int status = fold_late(store, data, fold)
    # What the tail becomes goes to the very end: the chunks on the way there stay.
    while status == OK and fold.tail and fold.behind < data.chunk_count:
        status = add_made(store, data.chunks[fold.behind], False)
        fold.behind += 1
    if status == OK and (fold.tail or fold.done < fold.end):
        status = fold_rest(store, data, fold)
    if status != OK:
        return status
    return room_for_chunks(
        store, data, data.chunk_count - (fold.behind - fold.first) + store.bench.made_count)


# Putting them in place

cdef void undo(ChunkStore *store) noexcept nogil:
    cdef Bench *bench = &store.bench
    cdef size_t i
    for i in range(bench.made_count):
        if bench.made[i].fresh:
            unlink_chunk(store, bench.made[i].chunk)
    bench.made_count = 0


cdef void replace_chunks(
    ChunkStore *store, SeriesData *data, uint32_t first, uint32_t behind
) noexcept nogil:
    """Puts bench.made in the place of chunks[first:behind]; there is room."""
    cdef Bench *bench = &store.bench
    cdef size_t kept = 0, n = bench.made_count
    cdef uint32_t i
    for i in range(first, behind):
        # Those that stay stand in `made` in the same order.
        while kept < n and bench.made[kept].fresh:
            kept += 1
        if kept < n and bench.made[kept].chunk == data.chunks[i]:
            kept += 1
        else:
            unlink_chunk(store, data.chunks[i])
    memmove(
        data.chunks + first + n, data.chunks + behind,
        (data.chunk_count - behind) * sizeof(Chunk *)
    )
    for i in range(<uint32_t>n):
        data.chunks[first + i] = bench.made[i].chunk
    data.chunk_count = data.chunk_count - (behind - first) + <uint32_t>n
    bench.made_count = 0


cdef void drop_folded(ChunkStore *store, Tail *tail, size_t end) noexcept nogil:
    """Takes late[:end] out."""
    if end == 0:
        return
    rows_drop(tail.late, 0, end)
    if tail.late.count == 0:
        rows_free(tail.late)
        mem_free(store.account, tail.late)
        tail.late = NULL


cdef int fold(ChunkStore *store, SeriesData *data, bint everything) noexcept nogil:
    cdef Bench *bench = &store.bench
    cdef Tail *tail = data.tail
    cdef Fold what
    cdef int status
    if tail == NULL:
        return OK
    status = plan(store, data, everything, &what)
    if status != OK or not (what.tail or what.end):
        return status
    bench.made_count = 0
    bench.regular_gaps = False
    status = make_all(store, data, &what)
    if status != OK:
        undo(store)
        return status
    replace_chunks(store, data, what.first, what.behind)
    drop_folded(store, tail, what.end)
    if everything:
        tail.restless = bench.regular_gaps
        tail_reset(store, data)
    return OK


cdef int seal_open(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef int status = full_settle(store, data)
    return status if status != OK else fold(store, data, True)


cdef int chunks_seal(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef int status = seal_open(store, data)
    # What the tail knew besides, its last chunk knows too: a sealed idle series is its chunks
    # alone.
    if status == OK:
        tail_free(store, data)
    return status
