"""Appending to a series, and its life; the contract is in chunks/append.pxd.

  append    chunks/append.pyx     newest point to the tail; same time again; late points
  tail      chunks/tail.pyx       the stream that newest points go to
  list      chunks/series_chunks.pyx   the chunks and the tail of a series under the lock: looked into, taken out
  seal      chunks/folding.pyx    tail and late points to chunks, made by chunks/sealing.pyx; chunks/full_tails.pyx: full tails,
                           without the lock
  chunk     chunks/chunk.pyx      columns to bytes and back
  clock     chunks/clock.pyx      shared times
  read      chunks/snapshot.pyx   what a reader takes under the lock, and decodes without it
  give up   chunks/eviction.pyx   by age, or the oldest first
"""
cimport cython
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from urpo_store.engine.chunks.rows cimport Rows
from urpo_store.engine.chunks.rows cimport rows_free
from urpo_store.engine.chunks.rows cimport rows_init
from urpo_store.engine.chunks.types cimport DATA_ADD
from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport pthread_mutex_destroy, pthread_mutex_init
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.points.ranges cimport (
    Ranges, ranges_equal, ranges_join, ranges_pad, ranges_read,
)
from urpo_store.engine.points.slots cimport (
    FLAG_STALE, KIND_EXPONENTIAL, KIND_HISTOGRAM, ROW_EXPONENTIAL, payload_exemplar_bytes,
    payload_layout_words, payload_row_words,
)
from urpo_store.engine.codec.columns cimport CHUNK_POINTS
from urpo_store.engine.chunks.addition cimport rows_add
from urpo_store.engine.chunks.chunk cimport SPARSE
from urpo_store.engine.chunks.clock cimport (
    TICK_UNKNOWN, Clock, clock_drop_unused, clock_extend, clock_find, clock_get,
    clock_hold, clock_new, clock_of_group, clock_table_destroy, clock_table_init, clock_tick,
)
from urpo_store.engine.chunks.exemplars cimport exemplars_add, exemplars_clear
from urpo_store.engine.chunks.folding cimport fold
from urpo_store.engine.chunks.full_tails cimport (
    full_destroy, full_drop, full_init, full_settle, full_take_aside,
)
from urpo_store.engine.chunks.layout cimport (
    layout_data, layout_intern, layout_release, layout_table_destroy, layout_table_init,
)
from urpo_store.engine.chunks.rows cimport (
    PointView, rows_clear, rows_find, rows_insert, rows_push, rows_replace, rows_view,
)
from urpo_store.engine.chunks.sealing cimport chunk_limit
from urpo_store.engine.chunks.series_chunks cimport find_point, tail_reset, unlink_chunk
from urpo_store.engine.chunks.tail cimport (
    Tail, TailRows, tail_flush, tail_newest_row, tail_rows_new, tail_rows_widened,
)
from urpo_store.engine.chunks.types cimport LATE_OVERRIDE, Bench
from urpo_store.engine.chunks.work cimport work_free, work_new

cdef enum:
    STAGGER = 128               # first tails of series are sealed up to so many points early
    LATE_WORDS = 65536          # row words of late points that are folded at the latest
    LATE_SHARE = 32             # of a series' points, how many may be late before they are folded
    MOST_LATE = 8 * CHUNK_POINTS


# The store

cdef int chunk_store_init(ChunkStore *store, Account *account, Epochs *epochs) noexcept nogil:
    memset(store, 0, sizeof(ChunkStore))
    store.account = account
    store.epochs = epochs
    store.bench.work = work_new(account)
    if store.bench.work == NULL:
        return -1
    layout_table_init(&store.layouts, account, epochs)
    clock_table_init(&store.clocks, account, epochs, &store.chunk_bytes)
    rows_init(&store.bench.rows, account)
    rows_init(&store.bench.found, account)
    pthread_mutex_init(&store.lock, NULL)
    full_init(store)
    return 0


cdef void chunk_store_destroy(ChunkStore *store) noexcept nogil:
    cdef Bench *bench = &store.bench
    full_destroy(store)
    clock_table_destroy(&store.clocks)
    layout_table_destroy(&store.layouts)
    rows_free(&bench.rows)
    rows_free(&bench.found)
    work_free(bench.work)
    mem_free(store.account, bench.made)
    pthread_mutex_destroy(&store.lock)


cdef void series_data_init(
    SeriesData *data, uint32_t kind, uint32_t clock_group, uint32_t options
) noexcept nogil:
    memset(data, 0, sizeof(SeriesData))
    data.last_time = INT64_MIN
    data.given_up = INT64_MIN
    data.kind = kind
    data.options = options
    data.clock_group = clock_group


cdef void free_rows_of_tail(ChunkStore *store, Tail *tail) noexcept nogil:
    if tail.rows != NULL:
        layout_release(&store.layouts, tail.rows.layout)
        mem_free(store.account, tail.rows)
        tail.rows = NULL


cdef void free_tail(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef Tail *tail = data.tail
    if tail == NULL:
        return
    tail_reset(store, data)
    free_rows_of_tail(store, tail)
    if tail.late != NULL:
        rows_free(tail.late)
        mem_free(store.account, tail.late)
    if store.bench.found_in == tail:
        store.bench.found_in = NULL
    mem_free(store.account, tail)
    data.tail = NULL


cdef uint64_t series_data_clear(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef uint64_t points = data.points
    cdef uint32_t i
    for i in range(data.chunk_count):
        unlink_chunk(store, data.chunks[i])
    mem_free(store.account, data.chunks)
    full_drop(store, data)
    free_tail(store, data)
    exemplars_clear(store, data)
    store.points -= points
    series_data_init(data, data.kind, data.clock_group, data.options)
    return points


# Layouts of points

cdef inline bint view_ranges(uint32_t kind, const PointView *view, Ranges *ranges) noexcept nogil:
    return kind == KIND_EXPONENTIAL and ranges_read(ranges, view.layout, view.layout_words, view.row_words)


cdef bint same_layout(const PointView *a, const PointView *b) noexcept nogil:
    return (
        a.layout_words == b.layout_words and a.row_words == b.row_words
        and (a.layout_words == 0 or memcmp(a.layout, b.layout, 8 * a.layout_words) == 0)
    )


cdef uint64_t count_at(int64_t first, uint32_t n, const uint64_t *counts, int64_t index) noexcept nogil:
    return counts[index - first] if first <= index < first + n else 0


cdef bint same_counts(
    int64_t a, uint32_t a_count, const uint64_t *a_counts,
    int64_t b, uint32_t b_count, const uint64_t *b_counts
) noexcept nogil:
    """Whether two ranges of buckets say the same; what a range leaves out is 0."""
    cdef uint32_t i
    for i in range(a_count):
        if a_counts[i] != count_at(b, b_count, b_counts, a + i):
            return 0
    for i in range(b_count):
        if b_counts[i] != count_at(a, a_count, a_counts, b + i):
            return 0
    return 1


cdef bint same_point(uint32_t kind, const PointView *a, const PointView *b) noexcept nogil:
    """Whether two points of equal time say the same."""
    cdef Ranges ra, rb
    if a.start != b.start or a.value != b.value or a.flags != b.flags or a.rowed != b.rowed:
        return 0
    if not a.rowed:
        return 1
    if same_layout(a, b):
        return a.row_words == 0 or memcmp(a.row, b.row, 8 * a.row_words) == 0
    if not view_ranges(kind, a, &ra) or not view_ranges(kind, b, &rb) or ra.scale != rb.scale:
        return 0
    return (
        memcmp(a.row, b.row, 8 * ROW_EXPONENTIAL) == 0
        and same_counts(ra.positive, ra.positive_count, a.row + ROW_EXPONENTIAL,
                        rb.positive, rb.positive_count, b.row + ROW_EXPONENTIAL)
        and same_counts(ra.negative, ra.negative_count, a.row + ROW_EXPONENTIAL + ra.positive_count,
                        rb.negative, rb.negative_count, b.row + ROW_EXPONENTIAL + rb.positive_count)
    )


cdef bint fits(const Tail *tail, uint32_t kind, const PointView *view, Ranges *joined) noexcept nogil:
    """Whether the point can join the tail's; *joined: the ranges then (if the tail has ranges)."""
    cdef const TailRows *rows = tail.rows
    cdef Ranges ranges
    if rows == NULL:
        return not view.rowed
    if rows.ranged:
        return view_ranges(kind, view, &ranges) and ranges_join(&rows.ranges, &ranges, joined)
    return (
        view.rowed and rows.layout.layout_words == view.layout_words and rows.row_words == view.row_words
        and (view.layout_words == 0
             or memcmp(layout_data(rows.layout), view.layout, 8 * view.layout_words) == 0)
    )


# The newest point

cdef Tail *open_tail(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef Bench *bench = &store.bench
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
        tail.limit -= <uint16_t>(bench.tails * 75 % STAGGER)
        bench.tails += 1
    data.tail = tail
    return tail


cdef int64_t tick_of(ChunkStore *store, Clock *clock, int64_t time) noexcept nogil:
    """The tick, added if need be; a clock that is left without users is freed."""
    cdef int64_t tick = clock_tick(&store.clocks, store.bench.work, clock, time, clock.ticks - 1)
    if tick < 0:
        clock_drop_unused(&store.clocks, clock)
    return tick


cdef Clock *last_clock(ChunkStore *store, const SeriesData *data, bint *own) noexcept nogil:
    """The clock of the last chunk, or the group's first."""
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


cdef int choose_clock(
    ChunkStore *store, SeriesData *data, int64_t time, Clock **chosen, int64_t *tick
) noexcept nogil:
    """Where an empty tail has its times. *chosen NULL: times of its own. 0, or -1: no memory."""
    cdef bint own
    cdef Clock *clock = last_clock(store, data, &own)
    cdef Clock *other
    chosen[0] = NULL
    if own:
        return 0
    if clock != NULL and not data.tail.restless:
        tick[0] = tick_of(store, clock, time)
        chosen[0] = clock
        if tick[0] != TICK_UNKNOWN:
            return 0 if tick[0] >= 0 else <int>tick[0]
    # Another clock of the group that has this very time, or whose newest tick is the series' previous
    # time (its own series come later in the request); else a new one.
    other = clock_of_group(&store.clocks, data.clock_group)
    while other != NULL:
        if other != clock:
            tick[0] = clock_find(store.bench.work, other, time, other.ticks - 1)
            if tick[0] == TICK_UNKNOWN and other.ticks and other.last == data.last_time:
                tick[0] = tick_of(store, other, time)
            if tick[0] >= 0:
                chosen[0] = other
                return 0
            if tick[0] != TICK_UNKNOWN:
                return <int>tick[0]
        other = other.next
    other = clock_new(&store.clocks, data.clock_group)
    if other == NULL:
        # No memory, or clocks enough: then the series keeps its own times.
        chosen[0] = NULL
        return 0
    tick[0] = tick_of(store, other, time)
    chosen[0] = other
    return 0 if tick[0] >= 0 else -1


cdef TailRows *rows_for(
    ChunkStore *store, Tail *tail, uint32_t kind, const PointView *view, const Ranges *joined
) noexcept nogil:
    """The tail's rows, or new ones if the tail is empty or has to widen; NULL: no memory."""
    cdef TailRows *rows = tail.rows
    cdef Ranges ranges
    if tail.count:
        if not rows.ranged or ranges_equal(joined, &rows.ranges):
            return rows
        return tail_rows_widened(store.account, rows, joined)
    if view_ranges(kind, view, &ranges):
        return tail_rows_widened(store.account, NULL, &ranges)
    if rows != NULL and not rows.ranged and fits(tail, kind, view, &ranges):
        return rows
    rows = tail_rows_new(store.account, view.row_words)
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


cdef int seal(ChunkStore *store, SeriesData *data) noexcept nogil:
    """Seals what was taken aside, the tail and its late points. 0, or -1: no memory, nothing is lost."""
    return -1 if full_settle(store, data) != 0 else fold(store, data, 1)


cdef int append_newest(ChunkStore *store, SeriesData *data, const PointView *view) noexcept nogil:
    cdef Tail *tail = open_tail(store, data)
    cdef TailRows *rows = NULL
    cdef TailRows *old
    cdef Clock *clock
    cdef Ranges joined
    cdef int64_t tick = 0
    cdef uint32_t kind = data.kind
    if tail == NULL:
        return -1
    clock = tail.clock
    if tail.count:
        if tail.count >= tail.limit:
            if not full_take_aside(store, data) and seal(store, data) != 0:
                return -1
        elif not fits(tail, kind, view, &joined):
            if seal(store, data) != 0:
                return -1
        elif clock != NULL:
            tick = clock_tick(
                &store.clocks, store.bench.work, clock, view.time, <int64_t>tail.tick + 1)
            if tick < 0 and tick != TICK_UNKNOWN:
                return <int>tick
            # Off the clock, or a series so sparse that its ticks would keep a clock's past alive.
            if tick == TICK_UNKNOWN or tick - tail.first_tick >= SPARSE * CHUNK_POINTS:
                if seal(store, data) != 0:
                    return -1
    # From here on: all that can fail first, then the changes.
    if tail.count == 0 and choose_clock(store, data, view.time, &clock, &tick) != 0:
        return -1
    if view.rowed:
        rows = rows_for(store, tail, kind, view, &joined)
        if rows == NULL:
            if clock != NULL:
                clock_drop_unused(&store.clocks, clock)
            return -1
    if tail.count and tail_flush(store.bench.work, store.epochs, tail, kind) != 0:
        if rows != tail.rows:
            mem_free(store.account, rows)
        return -1
    old = tail.rows
    if rows != old:
        if tail.count:
            # The row just flushed, which the widened rows were made without.
            ranges_pad(&old.ranges, <const uint64_t *>(old + 1), &rows.ranges, <uint64_t *>(rows + 1))
            rows.written = old.written
        free_rows_of_tail(store, tail)
        tail.rows = rows
    if rows != NULL:
        put_newest_row(kind, rows, view)
    if tail.count == 0:
        tail.clock = clock
        tail.first_time = view.time
        tail.first_tick = <uint32_t>tick
        if clock != NULL:
            clock_hold(clock, <uint32_t>tick, <uint32_t>tick)
    elif clock != NULL:
        clock_extend(clock, tail.tick, <uint32_t>tick)
    if rows != NULL and tail.limit > chunk_limit(rows.row_words):
        tail.limit = <uint16_t>chunk_limit(rows.row_words)
    tail.tick = <uint32_t>tick
    tail.time = view.time
    tail.start = view.start
    tail.value = view.value
    tail.flags = view.flags
    tail.count += 1
    data.last_time = view.time
    data.points += 1
    store.points += 1
    return 0


# Same time again, and late points

cdef Rows *late_rows(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef Tail *tail = open_tail(store, data)
    if tail == NULL:
        return NULL
    if tail.late == NULL:
        tail.late = <Rows *>mem_alloc(store.account, sizeof(Rows))
        if tail.late != NULL:
            rows_init(tail.late, store.account)
    return tail.late


cdef int added(ChunkStore *store, SeriesData *data, const PointView *old, PointView *view) noexcept nogil:
    """Makes *view the sum of both (in bench.rows). 0, or -1: no memory."""
    cdef Rows *rows = &store.bench.rows
    rows_clear(rows)
    if rows_push(rows, old) != 0 or rows_add(rows, 0, view, data.kind) != 0:
        return -1
    rows_view(rows, 0, view)
    return 0


cdef int put_late(
    ChunkStore *store, SeriesData *data, size_t at, const PointView *view, bint override
) noexcept nogil:
    cdef Rows *late = late_rows(store, data)
    cdef PointView put = view[0]
    if late == NULL:
        return -1
    if override:
        put.flags |= <uint32_t>LATE_OVERRIDE
    return rows_insert(late, at, &put)


cdef int again(ChunkStore *store, SeriesData *data, const PointView *old, PointView *view) noexcept nogil:
    """What a point whose time is there already means: 0 nothing, 1 *view replaces it, -1 no memory."""
    if data.options & DATA_ADD:
        return -1 if added(store, data, old, view) != 0 else 1
    if same_point(data.kind, old, view):
        store.duplicate_points += 1
        return 0
    return 1


@cython.cdivision(True)
cdef void fold_many(ChunkStore *store, SeriesData *data) noexcept nogil:
    """Folds the late points when they are many. Without memory they stay, and it is tried again.

    A fold may touch every chunk, so the more of them there are, the more points share one; up to
    MOST_LATE, for a late point is put in its place among the others.
    """
    cdef Tail *tail = data.tail
    cdef Rows *late = tail.late
    cdef size_t older, many = data.points // LATE_SHARE
    # Whole chunks' worth, or a series that is filled backwards would be left in halves of chunks.
    many = many // CHUNK_POINTS * CHUNK_POINTS
    many = CHUNK_POINTS if many < CHUNK_POINTS else MOST_LATE if many > MOST_LATE else many
    if late.count < many and late.word_count < LATE_WORDS:
        return
    older = rows_find(late, 0, late.count, tail.first_time) if tail.count else late.count
    fold(store, data, older * 2 < late.count)


cdef bint is_newest(const SeriesData *data, const PointView *view) noexcept nogil:
    """Whether the point can take the place of the tail's newest, which is not in the stream yet."""
    cdef const Tail *tail = data.tail
    cdef Ranges joined
    if tail == NULL or tail.count == 0 or view.time != tail.time or not fits(tail, data.kind, view, &joined):
        return 0
    return tail.rows == NULL or not tail.rows.ranged or ranges_equal(&joined, &tail.rows.ranges)


cdef int append_late(ChunkStore *store, SeriesData *data, PointView *view) noexcept nogil:
    """A point not newer than the newest."""
    cdef Rows *late = NULL
    cdef Tail *tail = data.tail
    cdef PointView old
    cdef size_t at = 0
    cdef int there
    if full_settle(store, data) != 0:
        return -1
    if tail != NULL and tail.late != NULL:
        late = tail.late
        at = rows_find(late, 0, late.count, view.time)
        if at < late.count and late.times[at] == view.time:
            rows_view(late, at, &old)
            there = old.flags & <uint32_t>LATE_OVERRIDE
            old.flags &= ~<uint32_t>LATE_OVERRIDE
            return replace_late(store, data, at, &old, view, there != 0)
    there = find_point(store, data, view.time, &old)
    if there < 0:
        return -1
    if there:
        there = again(store, data, &old, view)
        if there <= 0:
            return there
        if is_newest(data, view):
            if tail.rows != NULL:
                put_newest_row(data.kind, tail.rows, view)
            tail.start = view.start
            tail.value = view.value
            tail.flags = view.flags
        elif put_late(store, data, at, view, 1) != 0:
            return -1
        if not data.options & DATA_ADD:
            store.replaced_points += 1
    else:
        if put_late(store, data, at, view, 0) != 0:
            return -1
        store.late_points += 1
        data.points += 1
        store.points += 1
    if data.tail.late != NULL:
        fold_many(store, data)
    return 0


cdef int replace_late(
    ChunkStore *store, SeriesData *data, size_t at, const PointView *old, PointView *view, bint override
) noexcept nogil:
    cdef int changed = again(store, data, old, view)
    if changed <= 0:
        return changed
    if override:
        view.flags |= <uint32_t>LATE_OVERRIDE
    if rows_replace(data.tail.late, at, view) != 0:
        return -1
    if not data.options & DATA_ADD:
        store.replaced_points += 1
    fold_many(store, data)
    return 0


cdef int chunks_append(
    ChunkStore *store, SeriesData *data, const Point *point, int64_t start, const uint64_t *payload
) noexcept nogil:
    cdef PointView view
    cdef const uint64_t *behind
    cdef uint32_t exemplars
    cdef int failed
    view.time = point.timestamp
    view.start = start
    view.value = point.value
    view.flags = point.flags
    view.rowed = data.kind >= KIND_HISTOGRAM
    view.layout_words = view.row_words = 0
    view.layout = view.row = NULL
    if payload != NULL:
        if view.rowed:
            view.layout_words = payload_layout_words(payload[0])
            view.row_words = payload_row_words(payload[0])
            view.layout = payload + 1
            view.row = payload + 1 + view.layout_words
        exemplars = payload_exemplar_bytes(payload[0])
        if exemplars:
            behind = payload + 1 + payload_layout_words(payload[0]) + payload_row_words(payload[0])
            exemplars_add(store, data, view.time, <const uint8_t *>behind, exemplars)
    if view.flags & FLAG_STALE:
        view.value = 0
    if view.time > data.last_time:
        failed = append_newest(store, data, &view)
    else:
        failed = append_late(store, data, &view)
    if failed:
        store.evicted_points += 1
    return failed


cdef int chunks_seal(ChunkStore *store, SeriesData *data) noexcept nogil:
    if seal(store, data) != 0:
        return -1
    # What the tail knew besides, its last chunk knows too: a sealed idle series is its chunks alone.
    free_tail(store, data)
    return 0
