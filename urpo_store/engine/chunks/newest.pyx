"""Appending the newest point of a series; the contract is in chunks/newest.pxd."""
from libc.stdint cimport int64_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.memory.alloc cimport mem_calloc, mem_free
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.ranges cimport (
    Ranges, ranges_equal, ranges_join, ranges_pad, ranges_row,
)
from urpo_store.engine.codec.columns cimport CHUNK_POINTS
from urpo_store.engine.chunks.chunk cimport SPARSE
from urpo_store.engine.chunks.clock cimport (
    TICK_UNKNOWN, clock_drop_unused, clock_extend, clock_find, clock_get, clock_hold, clock_new,
    clock_of_group, clock_tick,
)
from urpo_store.engine.chunks.folding cimport seal_open
from urpo_store.engine.chunks.full_tails cimport full_take_aside
from urpo_store.engine.chunks.layout cimport layout_data, layout_intern
from urpo_store.engine.chunks.rows cimport view_ranges
from urpo_store.engine.chunks.sealing cimport chunk_limit
from urpo_store.engine.chunks.series_chunks cimport tail_free_rows
from urpo_store.engine.chunks.tail cimport tail_rows_new, tail_step, tail_write
from urpo_store.engine.chunks.tail_stream cimport cursor_begin, tail_last_row, tail_newest_row
from urpo_store.engine.chunks.types cimport ChunkStore, Clock, PointView, SeriesData, Tail, TailRows

cdef enum:
    STAGGER = 128               # first tails of series are sealed up to so many points early

# All that a commit needs and that could fail.
cdef struct Prepared:
    Clock *clock                # of the point; NULL: the tail has times of its own
    uint32_t tick               # of the point; 0 without a clock
    uint32_t end                # of the entry of the point that was the newest, if there was one
    TailRows *rows              # the tail's, or new ones for it; NULL for numbers


cdef Tail *open_tail(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef Tail *tail = data.tail
    if tail != NULL:
        return tail
    tail = <Tail *>mem_calloc(store.account, sizeof(Tail))
    if tail == NULL:
        return NULL
    tail.limit = CHUNK_POINTS
    if data.chunk_count == 0:
        # Series that begin together would be sealed together for ever, all in one drain. 75 is odd:
        # consecutive series are spread over all of STAGGER.
        tail.limit -= <uint16_t>(store.bench.tails * 75 % STAGGER)
        store.bench.tails += 1
    data.tail = tail
    return tail


# The clock

cdef int64_t tick_of(ChunkStore *store, Clock *clock, int64_t time) noexcept nogil:
    """The tick, added if need be; a clock that is left without users is freed."""
    cdef int64_t tick = clock_tick(&store.clocks, store.bench.work, clock, time, clock.ticks - 1)
    if tick < 0:
        clock_drop_unused(&store.clocks, clock)
    return tick


cdef Clock *last_clock(ChunkStore *store, const SeriesData *data, bint *own) noexcept nogil:
    """The clock of the points before, or the group's first. *own: they have times of their own."""
    cdef uint32_t id
    own[0] = 0
    if data.full != NULL:
        own[0] = data.full.clock == NULL
        return data.full.clock
    if data.chunk_count:
        id = data.chunks[data.chunk_count - 1].clock
        if id:
            return clock_get(&store.clocks, id)
        own[0] = 1
    return clock_of_group(&store.clocks, data.clock_group)


cdef int64_t tick_elsewhere(
    ChunkStore *store, const SeriesData *data, int64_t time, const Clock *not_this, Clock **chosen
) noexcept nogil:
    """The tick on another clock of the group: one that has this very time, or whose newest tick is
    the series' previous time (its own series come later in the request). TICK_UNKNOWN: none."""
    cdef Clock *clock = clock_of_group(&store.clocks, data.clock_group)
    cdef int64_t tick
    while clock != NULL:
        if clock != not_this:
            tick = clock_find(store.bench.work, clock, time, clock.ticks - 1)
            if tick == TICK_UNKNOWN and clock.ticks and clock.last == data.last_time:
                tick = tick_of(store, clock, time)
            if tick != TICK_UNKNOWN:
                chosen[0] = clock
                return tick
        clock = clock.next
    return TICK_UNKNOWN


cdef int choose_clock(
    ChunkStore *store, SeriesData *data, int64_t time, Prepared *prepared
) noexcept nogil:
    """Where an empty tail has its times, and the tick there. OK, or what is wrong."""
    cdef bint own
    cdef Clock *clock = last_clock(store, data, &own)
    cdef int64_t tick = TICK_UNKNOWN
    prepared.clock = NULL
    prepared.tick = 0
    if own:
        return OK
    if clock != NULL and not data.tail.restless:
        prepared.clock = clock
        tick = tick_of(store, clock, time)
    if tick == TICK_UNKNOWN:
        tick = tick_elsewhere(store, data, time, clock, &prepared.clock)
    if tick == TICK_UNKNOWN:
        prepared.clock = clock_new(&store.clocks, data.clock_group)
        if prepared.clock == NULL:
            # No memory, or clocks enough: then the series keeps its own times.
            return OK
        tick = tick_of(store, prepared.clock, time)
    if tick < 0:
        return NO_MEMORY if tick == TICK_UNKNOWN else <int>tick
    prepared.tick = <uint32_t>tick
    return OK


# The layout

cdef bint fits(
    const Tail *tail, uint32_t kind, const PointView *view, Ranges *joined
) noexcept nogil:
    """Whether the point can join the tail's; *joined: the ranges then (if the tail has ranges)."""
    cdef const TailRows *rows = tail.rows
    cdef Ranges ranges
    if rows == NULL:
        return not view.rowed
    if rows.ranged:
        return view_ranges(kind, view, &ranges) and ranges_join(&rows.ranges, &ranges, joined)
    return (
        view.rowed and rows.layout.layout_words == view.layout_words
        and rows.row_words == view.row_words
        and (view.layout_words == 0
             or memcmp(layout_data(rows.layout), view.layout, 8 * view.layout_words) == 0)
    )


cdef TailRows *rows_for(
    ChunkStore *store, Tail *tail, uint32_t kind, const PointView *view, const Ranges *joined
) noexcept nogil:
    """The tail's rows, or new ones if it is empty or has to widen; NULL: no memory."""
    cdef TailRows *rows = tail.rows
    cdef Ranges ranges
    if tail.cursor.count:
        if not rows.ranged or ranges_equal(joined, &rows.ranges):
            return rows
        return tail_rows_new(store.account, ranges_row(joined), joined)
    if view_ranges(kind, view, &ranges):
        return tail_rows_new(store.account, ranges_row(&ranges), &ranges)
    if rows != NULL and not rows.ranged and fits(tail, kind, view, &ranges):
        return rows
    rows = tail_rows_new(store.account, view.row_words, NULL)
    if rows == NULL:
        return NULL
    rows.layout = layout_intern(&store.layouts, view.layout_words, view.row_words, view.layout)
    if rows.layout == NULL:
        mem_free(store.account, rows)
        return NULL
    return rows


cdef void put_newest_row(uint32_t kind, TailRows *rows, const PointView *view) noexcept nogil:
    cdef Ranges ranges
    if rows.ranged:
        view_ranges(kind, view, &ranges)
        ranges_pad(&ranges, view.row, &rows.ranges, tail_newest_row(rows))
    elif view.row_words:
        memcpy(tail_newest_row(rows), view.row, 8 * view.row_words)


# Prepare and commit

cdef int make_way(
    ChunkStore *store, SeriesData *data, const PointView *view, Prepared *prepared, Ranges *joined
) noexcept nogil:
    """Empties a tail that the point cannot join; else its tick, and *joined as `fits` has it."""
    cdef Tail *tail = data.tail
    cdef int64_t tick
    if tail.cursor.count >= tail.limit:
        return OK if full_take_aside(store, data) else seal_open(store, data)
    if not fits(tail, data.kind, view, joined):
        return seal_open(store, data)
    prepared.clock = tail.clock
    prepared.tick = 0
    if tail.clock == NULL:
        return OK
    tick = clock_tick(
        &store.clocks, store.bench.work, tail.clock, view.time, <int64_t>tail.newest.tick + 1)
    if tick < 0 and tick != TICK_UNKNOWN:
        return <int>tick
    # Off the clock, or a series so sparse that its ticks would keep a clock's past alive.
    if tick == TICK_UNKNOWN or tick - tail.first_tick >= SPARSE * CHUNK_POINTS:
        return seal_open(store, data)
    prepared.tick = <uint32_t>tick
    return OK


cdef int prepare(
    ChunkStore *store, SeriesData *data, const PointView *view, Prepared *prepared
) noexcept nogil:
    """All that can fail: OK, or what is wrong, and the series has the points that it had."""
    cdef Tail *tail = open_tail(store, data)
    cdef Ranges joined
    cdef int status = OK
    if tail == NULL:
        return NO_MEMORY
    if tail.cursor.count:
        status = make_way(store, data, view, prepared, &joined)
    if status == OK and tail.cursor.count == 0:
        status = choose_clock(store, data, view.time, prepared)
    if status != OK:
        return status
    prepared.rows = NULL
    if view.rowed:
        prepared.rows = rows_for(store, tail, data.kind, view, &joined)
        if prepared.rows == NULL:
            if prepared.clock != NULL:
                clock_drop_unused(&store.clocks, prepared.clock)
            return NO_MEMORY
    if tail.cursor.count and tail_write(
        store.bench.work, store.epochs, tail, data.kind, &prepared.end
    ) != OK:
        if prepared.rows != tail.rows:
            mem_free(store.account, prepared.rows)
        return NO_MEMORY
    return OK


cdef void commit_rows(
    ChunkStore *store, Tail *tail, uint32_t kind, const PointView *view, TailRows *rows
) noexcept nogil:
    """The newest row becomes the last of the stream, in the ranges that the tail has from now."""
    cdef TailRows *old = tail.rows
    if tail.cursor.count == 0:
        if rows != old:
            tail_free_rows(store, tail)
    elif rows == old:
        memcpy(tail_last_row(rows), tail_newest_row(rows), 8 * <size_t>rows.row_words)
        rows.written = rows.ranges
    else:
        ranges_pad(&old.ranges, tail_newest_row(old), &rows.ranges, tail_last_row(rows))
        rows.written = old.ranges
        tail_free_rows(store, tail)
    tail.rows = rows
    put_newest_row(kind, rows, view)
    if tail.limit > chunk_limit(rows.row_words):
        tail.limit = <uint16_t>chunk_limit(rows.row_words)


cdef void commit(
    ChunkStore *store, SeriesData *data, const PointView *view, const Prepared *prepared
) noexcept nogil:
    """All changes; none can fail."""
    cdef Tail *tail = data.tail
    cdef Clock *clock = prepared.clock
    cdef uint32_t tick = prepared.tick
    if view.rowed:
        commit_rows(store, tail, data.kind, view, prepared.rows)
    if tail.cursor.count == 0:
        cursor_begin(&tail.cursor, tick)
        tail.clock = clock
        tail.first_time = view.time
        tail.first_tick = tick
        if clock != NULL:
            clock_hold(clock, tick, tick)
    else:
        tail_step(tail, prepared.end)
        if clock != NULL:
            clock_extend(clock, tail.newest.tick, tick)
    tail.newest.time = view.time
    tail.newest.start = view.start
    tail.newest.value = view.value
    tail.newest.flags = view.flags
    tail.newest.tick = tick
    data.last_time = view.time
    data.points += 1
    store.points += 1


cdef int append_newest(ChunkStore *store, SeriesData *data, const PointView *view) noexcept nogil:
    cdef Prepared prepared
    cdef int status = prepare(store, data, view, &prepared)
    if status == OK:
        commit(store, data, view, &prepared)
    return status


cdef bint replace_newest(SeriesData *data, const PointView *view) noexcept nogil:
    cdef Tail *tail = data.tail
    cdef Ranges joined
    if tail == NULL or tail.cursor.count == 0 or view.time != tail.newest.time:
        return False
    if not fits(tail, data.kind, view, &joined):
        return False
    if tail.rows != NULL:
        if tail.rows.ranged and not ranges_equal(&joined, &tail.rows.ranges):
            return False
        put_newest_row(data.kind, tail.rows, view)
    tail.newest.start = view.start
    tail.newest.value = view.value
    tail.newest.flags = view.flags
    return True
