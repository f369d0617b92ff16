"""Sealing and folding; the contract is in chunks/folding.pxd."""
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memmove

from urpo_store.engine.memory.alloc cimport mem_free, mem_grow
from urpo_store.engine.chunks.chunk cimport Chunk, chunk_first, chunk_last
from urpo_store.engine.chunks.clock cimport Clock, clock_get, clock_of_group
from urpo_store.engine.chunks.merging cimport rows_sort
from urpo_store.engine.chunks.rows cimport (
    PointView, Rows, rows_behind, rows_clear, rows_drop, rows_find, rows_free, rows_push,
    rows_view,
)
from urpo_store.engine.chunks.sealing cimport chunk_limit, make_chunks
from urpo_store.engine.chunks.series_chunks cimport (
    decode_chunk, decode_tail, first_chunk_from, room_for_chunks, tail_reset, unlink_chunk,
)
from urpo_store.engine.chunks.tail cimport Tail
from urpo_store.engine.chunks.types cimport LATE_OVERRIDE, Bench, ChunkStore, SeriesData


cdef int gather_late(Rows *rows, const Rows *late, size_t first, size_t end) noexcept nogil:
    cdef PointView view
    cdef size_t i
    for i in range(first, end):
        rows_view(late, i, &view)
        view.flags &= ~<uint32_t>LATE_OVERRIDE
        if rows_push(rows, &view) != 0:
            return -1
    return 0


cdef Clock *clock_for(ChunkStore *store, const SeriesData *data, uint32_t id) noexcept nogil:
    """The clock on which points of the series are looked for."""
    if id:
        return clock_get(&store.clocks, id)
    if data.tail != NULL and data.tail.count and data.tail.clock != NULL:
        return data.tail.clock
    return clock_of_group(&store.clocks, data.clock_group)


cdef int keep_chunk(ChunkStore *store, Chunk *chunk) noexcept nogil:
    cdef Bench *bench = &store.bench
    if mem_grow(
        store.account, <void **>&bench.made, &bench.made_capacity, bench.made_count + 1, sizeof(bench.made[0])
    ) != 0:
        return -1
    bench.made[bench.made_count].chunk = chunk
    bench.made[bench.made_count].fresh = 0
    bench.made_count += 1
    return 0


cdef int fold_late(
    ChunkStore *store, SeriesData *data, size_t *done, size_t end, uint32_t first, uint32_t *behind
) noexcept nogil:
    """Merges late[:end] with the chunks from `first` on: what lies between two chunks becomes chunks,
    what lies inside one is merged with it. *done: the late points dealt with; *behind: the first
    chunk not looked at."""
    cdef Bench *bench = &store.bench
    cdef Rows *late = data.tail.late
    cdef Chunk *chunk
    cdef int64_t begins, ends
    cdef size_t at = 0, inside, after
    cdef uint32_t i = first
    while at < end and i < data.chunk_count:
        chunk = data.chunks[i]
        if (
            chunk_first(&store.clocks, bench.work, chunk, &begins) != 0
            or chunk_last(&store.clocks, bench.work, chunk, &ends) != 0
        ):
            return -1
        inside = rows_find(late, at, end, begins)
        after = rows_behind(late, inside, end, ends)
        if inside > at:
            rows_clear(&bench.rows)
            if gather_late(&bench.rows, late, at, inside) != 0:
                return -1
            if make_chunks(store, data.kind, clock_for(store, data, 0)) != 0:
                return -1
        if after > inside:
            rows_clear(&bench.rows)
            if decode_chunk(store, data.kind, chunk, &bench.rows) != 0:
                return -1
            if gather_late(&bench.rows, late, inside, after) != 0:
                return -1
            rows_sort(&bench.rows, 0, 0)
            if make_chunks(store, data.kind, clock_for(store, data, chunk.clock)) != 0:
                return -1
        elif keep_chunk(store, chunk) != 0:
            return -1
        at = after
        i += 1
    done[0] = at
    behind[0] = i
    return 0


cdef int fold_rest(
    ChunkStore *store, SeriesData *data, size_t at, size_t end, bint everything, const Chunk *small
) noexcept nogil:
    """The chunks of what comes behind all others: a small last chunk, late[at:end], the tail."""
    cdef Bench *bench = &store.bench
    cdef Tail *tail = data.tail
    rows_clear(&bench.rows)
    if small != NULL and decode_chunk(store, data.kind, small, &bench.rows) != 0:
        return -1
    if everything and tail.count and decode_tail(store, data, &bench.rows) != 0:
        return -1
    if at < end:
        if gather_late(&bench.rows, tail.late, at, end) != 0:
            return -1
        rows_sort(&bench.rows, 0, 0)
    return make_chunks(store, data.kind, clock_for(store, data, 0))


cdef void undo(ChunkStore *store) noexcept nogil:
    cdef Bench *bench = &store.bench
    cdef size_t i
    for i in range(bench.made_count):
        if bench.made[i].fresh:
            unlink_chunk(store, bench.made[i].chunk)
    bench.made_count = 0


cdef void replace_chunks(ChunkStore *store, SeriesData *data, uint32_t first, uint32_t behind) noexcept nogil:
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
    memmove(data.chunks + first + n, data.chunks + behind, (data.chunk_count - behind) * sizeof(Chunk *))
    for i in range(<uint32_t>n):
        data.chunks[first + i] = bench.made[i].chunk
    data.chunk_count = data.chunk_count - (behind - first) + <uint32_t>n
    bench.made_count = 0


cdef int fold(ChunkStore *store, SeriesData *data, bint everything) noexcept nogil:
    cdef Bench *bench = &store.bench
    cdef Tail *tail = data.tail
    cdef Rows *late
    cdef Chunk *small = NULL
    cdef size_t done = 0, end = 0
    cdef uint32_t first, behind
    cdef int64_t at
    cdef uint32_t id
    if tail == NULL:
        return 0
    late = tail.late
    if late != NULL:
        end = late.count
        if not everything and tail.count:
            end = rows_find(late, 0, end, tail.first_time)
    if end == 0 and not (everything and tail.count):
        return 0
    bench.made_count = 0
    bench.regular_gaps = 0
    first = data.chunk_count
    if end:
        at = first_chunk_from(store, data, late.times[0])
        if at < 0:
            return -1
        first = <uint32_t>at
    behind = first
    if end and fold_late(store, data, &done, end, first, &behind) != 0:
        undo(store)
        return -1
    if everything and tail.count and behind != first:
        # What the tail becomes goes to the very end.
        while behind < data.chunk_count:
            if keep_chunk(store, data.chunks[behind]) != 0:
                undo(store)
                return -1
            behind += 1
    if done < end or (everything and tail.count):
        if behind == first and behind == data.chunk_count and behind and everything and tail.count:
            # A last chunk that was sealed small is sealed again together with the tail.
            small = data.chunks[behind - 1]
            id = tail.clock.id if tail.clock != NULL else 0
            if small.clock == id and small.count + tail.count + (end - done) <= chunk_limit(
                tail.rows.row_words if tail.rows != NULL else 0
            ):
                first -= 1
            else:
                small = NULL
        if fold_rest(store, data, done, end, everything, small) != 0:
            undo(store)
            return -1
    if room_for_chunks(store, data, data.chunk_count - (behind - first) + bench.made_count) != 0:
        undo(store)
        return -1
    replace_chunks(store, data, first, behind)
    if end:
        rows_drop(late, 0, end)
        if late.count == 0:
            rows_free(late)
            mem_free(store.account, late)
            tail.late = NULL
    if everything:
        tail.restless = bench.regular_gaps
        tail_reset(store, data)
    return 0
