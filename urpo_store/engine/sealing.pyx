"""Sealing and folding; the contract is in sealing.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memmove

from urpo_store.engine.alloc cimport Account, mem_free, mem_grow, mem_realloc
from urpo_store.engine.atomics cimport add_relaxed
from urpo_store.engine.chunk cimport (
    SPARSE,
    Chunk,
    chunk_begins_by,
    chunk_decode,
    chunk_encode,
    chunk_ends_before,
    chunk_first,
    chunk_last,
    chunk_last_tick,
    chunk_layout,
    chunk_size,
)
from urpo_store.engine.chunk_store cimport (
    LATE_OVERRIDE,
    Bench,
    ChunkStore,
    SeriesData,
    bench_of,
    clocks_of,
)
from urpo_store.engine.clock cimport (
    TICK_NO_MEMORY,
    TICK_UNKNOWN,
    Clock,
    TickBlock,
    block_number,
    clock_find,
    clock_get,
    clock_hold,
    clock_of_group,
    clock_release,
    gather_times,
)
from urpo_store.engine.codec cimport CHUNK_POINTS
from urpo_store.engine.epoch cimport epoch_retire
from urpo_store.engine.exponential cimport (
    Ranges,
    ranges_join,
    ranges_pad,
    ranges_read,
    ranges_row,
    ranges_write,
)
from urpo_store.engine.layout cimport Layout, layout_intern, layout_release
from urpo_store.engine.points cimport KIND_EXPONENTIAL, KIND_HISTOGRAM
from urpo_store.engine.merging cimport rows_sort
from urpo_store.engine.rows cimport (
    PointView,
    Rows,
    rows_behind,
    rows_clear,
    rows_drop,
    rows_find,
    rows_free,
    rows_layout,
    rows_push,
    rows_reserve_words,
    rows_view,
)
from urpo_store.engine.tail cimport (
    Tail,
    TailView,
    tail_decode,
    tail_free_stream,
    tail_last_row,
    tail_view,
)
from urpo_store.engine.work cimport work_span

cdef enum:
    CHUNK_WORDS = 131072        # row words of a chunk's points together, about; bounds what decoding takes
    NARROWEST = 16              # points of a chunk all the same
    OFF = 0xFFFFFFFF            # in place of a tick: the time is none
    HOPELESS = 8                # when so many points are off the clock at once, the rest is not asked
    RUNS = 64                   # a run of points on, or off, the clock for every so many points at most


cdef void free_chunk(void *context, void *item) noexcept nogil:
    mem_free(<Account *>context, item)


cdef void unlink_chunk(ChunkStore *store, Chunk *chunk) noexcept nogil:
    cdef Bench *bench = bench_of(store)
    if bench.found_in == chunk:
        bench.found_in = NULL
    add_relaxed(&store.chunk_count, <uint64_t>0 - 1)
    add_relaxed(&store.chunk_bytes, <uint64_t>0 - chunk_size(chunk))
    layout_release(&bench.layouts, chunk_layout(chunk))
    if chunk.clock:
        clock_release(
            clocks_of(store), clock_get(clocks_of(store), chunk.clock), chunk.tick, chunk_last_tick(chunk)
        )
    epoch_retire(store.epochs, free_chunk, store.account, chunk, 0)


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
        earlier = chunk_ends_before(clocks_of(store), bench_of(store).work, data.chunks[middle], time)
        if earlier < 0:
            return -1
        if earlier:
            first = middle + 1
        else:
            end = middle
    return first


cdef uint32_t chunk_limit(uint32_t row_words) noexcept nogil:
    cdef uint32_t limit
    if row_words == 0:
        return CHUNK_POINTS
    limit = CHUNK_WORDS // row_words
    if limit > CHUNK_POINTS:
        return CHUNK_POINTS
    return limit if limit > NARROWEST else NARROWEST


# Decoding under the lock

cdef int decode_chunk(ChunkStore *store, uint32_t kind, const Chunk *chunk, Rows *rows) noexcept nogil:
    cdef TickBlock **blocks = NULL
    cdef Clock *clock
    if chunk.clock:
        clock = clock_get(clocks_of(store), chunk.clock)
        blocks = clock.blocks + (block_number(chunk.tick) - clock.first_block)
    return chunk_decode(bench_of(store).work, kind, chunk, blocks, rows)


cdef int decode_tail(ChunkStore *store, const SeriesData *data, Rows *rows) noexcept nogil:
    cdef Bench *bench = bench_of(store)
    cdef Tail *tail = data.tail
    cdef TailView view
    cdef uint64_t layout[2]
    cdef const int64_t *times = NULL
    cdef size_t span
    tail_view(tail, data.kind, layout, &view)
    if tail.clock != NULL and tail.count:
        span = <size_t>(tail.tick - tail.first_tick) + 1
        if work_span(bench.work, span) != 0 or gather_times(
            bench.work, tail.clock.blocks + (block_number(tail.first_tick) - tail.clock.first_block),
            tail.first_tick, span, bench.work.span,
        ) != 0:
            return -1
        times = bench.work.span
    return tail_decode(&view, times, rows)


cdef int find_point(ChunkStore *store, SeriesData *data, int64_t time, PointView *view) noexcept nogil:
    cdef Bench *bench = bench_of(store)
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
            return -1
        if i == data.chunk_count:
            return 0
        inside = chunk_begins_by(clocks_of(store), bench.work, data.chunks[i], time)
        if inside <= 0:
            return inside
        place = data.chunks[i]
    # Points that come again mostly come many together: what was decoded for the last one is kept.
    if bench.found_in != place or bench.found_length != length:
        bench.found_in = NULL
        rows_clear(&bench.found)
        if place == <const void *>tail:
            if decode_tail(store, data, &bench.found) != 0:
                return -1
        elif decode_chunk(store, data.kind, data.chunks[i], &bench.found) != 0:
            return -1
        bench.found_in = place
        bench.found_length = length
    at = rows_find(&bench.found, 0, bench.found.count, time)
    if at == bench.found.count or bench.found.times[at] != time:
        return 0
    rows_view(&bench.found, at, view)
    return 1


# Building chunks

cdef int make_chunk(
    ChunkStore *store, uint32_t kind, const Rows *rows, size_t first, size_t count,
    Clock *clock, const uint32_t *ticks
) noexcept nogil:
    """One chunk of rows that have one layout, into bench.made."""
    cdef Bench *bench = bench_of(store)
    cdef Layout *layout = NULL
    cdef PointView view
    cdef Chunk *chunk
    if ticks != NULL and <uint64_t>(ticks[count - 1] - ticks[0]) >= SPARSE * <uint64_t>count:
        ticks = NULL
    if mem_grow(
        store.account, <void **>&bench.made, &bench.made_capacity, bench.made_count + 1, sizeof(bench.made[0])
    ) != 0:
        return -1
    if kind >= KIND_HISTOGRAM:
        rows_view(rows, first, &view)
        layout = layout_intern(&bench.layouts, view.layout_words, view.row_words, view.layout)
        if layout == NULL:
            return -1
    chunk = chunk_encode(
        bench.work, kind, rows, first, count, clock.id if clock != NULL else 0, ticks, layout
    )
    if chunk == NULL:
        layout_release(&bench.layouts, layout)
        return -1
    if ticks != NULL:
        clock_hold(clock, ticks[0], ticks[count - 1])
    add_relaxed(&store.chunk_count, 1)
    add_relaxed(&store.chunk_bytes, chunk_size(chunk))
    bench.made[bench.made_count].chunk = chunk
    bench.made[bench.made_count].fresh = 1
    bench.made_count += 1
    return 0


cdef bint skips_regularly(const uint32_t *ticks, size_t count) noexcept nogil:
    """Whether more than a tenth of the ticks are missed, three quarters of the time by equal steps."""
    cdef size_t i, equal = 0
    if count < 16 or (ticks[count - 1] - ticks[0]) * <uint64_t>10 <= count * <uint64_t>11:
        return 0
    for i in range(2, count):
        equal += ticks[i] - ticks[i - 1] == ticks[i - 1] - ticks[i - 2] and ticks[i] - ticks[i - 1] > 1
    return equal * 4 >= count * 3


cdef int make_chunks_of_run(
    ChunkStore *store, uint32_t kind, const Rows *rows, size_t first, size_t count, Clock *clock
) noexcept nogil:
    """The chunks of rows that have one layout and fit one chunk: one, unless some are off the clock."""
    cdef Bench *bench = bench_of(store)
    cdef uint32_t *ticks = bench.work.ticks
    cdef int64_t tick = -1
    cdef size_t i, begin, runs = 1, off = 0
    if clock == NULL:
        return make_chunk(store, kind, rows, first, count, NULL, NULL)
    for i in range(count):
        tick = clock_find(clocks_of(store), bench.work, clock, rows.times[first + i], tick + 1)
        if tick == TICK_NO_MEMORY:
            return -1
        if tick == TICK_UNKNOWN:
            ticks[i] = OFF
            off += 1
        else:
            ticks[i] = <uint32_t>tick
        if i and (ticks[i] == OFF) != (ticks[i - 1] == OFF):
            runs += 1
        if off == HOPELESS and i + 1 == HOPELESS:
            off = count
            break
    if off == count or (off and runs > 2 + count // RUNS):
        return make_chunk(store, kind, rows, first, count, NULL, NULL)
    if off == 0:
        bench.regular_gaps = skips_regularly(ticks, count)
    begin = 0
    for i in range(1, count + 1):
        if i < count and (ticks[i] == OFF) == (ticks[begin] == OFF):
            continue
        if make_chunk(
            store, kind, rows, first + begin, i - begin, clock, NULL if ticks[begin] == OFF else ticks + begin
        ) != 0:
            return -1
        begin = i
    return 0


cdef bint row_ranges(const Rows *rows, size_t i, uint32_t kind, Ranges *ranges) noexcept nogil:
    cdef PointView view
    if kind != KIND_EXPONENTIAL:
        return 0
    rows_view(rows, i, &view)
    return ranges_read(ranges, view.layout, view.layout_words, view.row_words)


cdef int pad_rows(Rows *rows, size_t first, size_t count, const Ranges *target) noexcept nogil:
    """Gives rows of exponential histograms one layout."""
    cdef uint64_t words[2]
    cdef Ranges ranges
    cdef uint32_t width = ranges_row(target)
    cdef int64_t layout
    cdef size_t i
    ranges_write(target, words)
    layout = rows_layout(rows, 2, width, words)
    if layout < 0 or rows_reserve_words(rows, count * width) != 0:
        return -1
    for i in range(first, first + count):
        if rows.layout[i] == <uint32_t>layout:
            continue
        row_ranges(rows, i, KIND_EXPONENTIAL, &ranges)
        ranges_pad(&ranges, rows.words + rows.row[i], target, rows.words + rows.word_count)
        rows.row[i] = rows.word_count
        rows.layout[i] = <uint32_t>layout
        rows.word_count += width
    return 0


cdef int64_t common_run(uint32_t kind, Rows *rows, size_t first, size_t end) noexcept nogil:
    """How many rows from `first` on go into one chunk; they are given one layout. -1: no memory."""
    cdef Ranges ranges, other, joined
    cdef size_t left = end - first, n = 1
    cdef uint32_t limit = CHUNK_POINTS
    cdef bint ranged
    if kind < KIND_HISTOGRAM:
        # What is a little too much is cut in half rather than into a chunk and a crumb.
        if left <= CHUNK_POINTS:
            return <int64_t>left
        return <int64_t>(left // 2 if left < 2 * CHUNK_POINTS else CHUNK_POINTS)
    ranged = row_ranges(rows, first, kind, &ranges)
    limit = chunk_limit(<uint32_t>rows.layouts[rows.layout[first]] & 0xFFFF)
    while n < left and n < limit:
        if rows.layout[first + n] != rows.layout[first + n - 1]:
            if not ranged or not row_ranges(rows, first + n, kind, &other):
                break
            if not ranges_join(&ranges, &other, &joined):
                break
            ranges = joined
            limit = chunk_limit(ranges_row(&ranges))
        n += 1
    if ranged and pad_rows(rows, first, n, &ranges) != 0:
        return -1
    return <int64_t>n


cdef int make_chunks(ChunkStore *store, uint32_t kind, Clock *clock) noexcept nogil:
    """The chunks of bench.rows."""
    cdef Rows *rows = &bench_of(store).rows
    cdef size_t first = 0
    cdef int64_t n
    while first < rows.count:
        n = common_run(kind, rows, first, rows.count)
        if n < 0 or make_chunks_of_run(store, kind, rows, first, <size_t>n, clock) != 0:
            return -1
        first += <size_t>n
    return 0


# Folding

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
        return clock_get(clocks_of(store), id)
    if data.tail != NULL and data.tail.count and data.tail.clock != NULL:
        return data.tail.clock
    return clock_of_group(clocks_of(store), data.clock_group)


cdef int keep_chunk(ChunkStore *store, Chunk *chunk) noexcept nogil:
    cdef Bench *bench = bench_of(store)
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
    cdef Bench *bench = bench_of(store)
    cdef Rows *late = data.tail.late
    cdef Chunk *chunk
    cdef int64_t begins, ends
    cdef size_t at = 0, inside, after
    cdef uint32_t i = first
    while at < end and i < data.chunk_count:
        chunk = data.chunks[i]
        if (
            chunk_first(clocks_of(store), bench.work, chunk, &begins) != 0
            or chunk_last(clocks_of(store), bench.work, chunk, &ends) != 0
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
    cdef Bench *bench = bench_of(store)
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


cdef void undo(ChunkStore *store) noexcept nogil:
    cdef Bench *bench = bench_of(store)
    cdef size_t i
    for i in range(bench.made_count):
        if bench.made[i].fresh:
            unlink_chunk(store, bench.made[i].chunk)
    bench.made_count = 0


cdef void replace_chunks(ChunkStore *store, SeriesData *data, uint32_t first, uint32_t behind) noexcept nogil:
    """Puts bench.made in the place of chunks[first:behind]; there is room."""
    cdef Bench *bench = bench_of(store)
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


cdef void tail_reset(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef Bench *bench = bench_of(store)
    cdef Tail *tail = data.tail
    cdef uint32_t j
    if bench.found_in == tail:
        bench.found_in = NULL
    if tail.count == 0:
        return
    if tail.clock != NULL:
        clock_release(clocks_of(store), tail.clock, tail.first_tick, tail.tick)
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


cdef int fold(ChunkStore *store, SeriesData *data, bint everything) noexcept nogil:
    cdef Bench *bench = bench_of(store)
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
