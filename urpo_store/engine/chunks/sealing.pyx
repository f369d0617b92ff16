"""Decoded points to chunks; the contract is in chunks/sealing.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.atomics cimport add_relaxed
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.ranges cimport (
    Ranges, ranges_join, ranges_pad, ranges_row, ranges_write,
)
from urpo_store.engine.points.slots cimport KIND_EXPONENTIAL, KIND_HISTOGRAM
from urpo_store.engine.codec.columns cimport CHUNK_POINTS
from urpo_store.engine.chunks.chunk cimport SPARSE, chunk_size
from urpo_store.engine.chunks.clock cimport TICK_UNKNOWN, clock_find, clock_hold
from urpo_store.engine.chunks.encode cimport chunk_encode
from urpo_store.engine.chunks.layout cimport layout_intern, layout_release
from urpo_store.engine.chunks.rows cimport rows_layout, rows_reserve_words, rows_view, view_ranges
from urpo_store.engine.chunks.types cimport (
    Bench, Chunk, ChunkStore, Clock, Layout, PointView, Rows, Work,
)

cdef enum:
    CHUNK_WORDS = 131072        # row words of a chunk, about: bounds what decoding it takes
    NARROWEST = 16              # points that a chunk may have however wide its rows
    OFF = 0xFFFFFFFF            # in place of a tick: the time is none
    HOPELESS = 8                # the rest is not asked if the first so many are off the clock
    RUNS = 64                   # so many points for each run of points on, or off, the clock


cdef uint32_t chunk_limit(uint32_t row_words) noexcept nogil:
    cdef uint32_t limit
    if row_words == 0:
        return CHUNK_POINTS
    limit = CHUNK_WORDS // row_words
    if limit > CHUNK_POINTS:
        return CHUNK_POINTS
    return limit if limit > NARROWEST else NARROWEST


cdef inline int room_for_made(ChunkStore *store) noexcept nogil:
    cdef Bench *bench = &store.bench
    return mem_grow(
        store.account, <void **>&bench.made, &bench.made_capacity, bench.made_count + 1,
        sizeof(bench.made[0])
    )


cdef int add_made(ChunkStore *store, Chunk *chunk, bint fresh) noexcept nogil:
    cdef Bench *bench = &store.bench
    if room_for_made(store) != OK:
        return NO_MEMORY
    bench.made[bench.made_count].chunk = chunk
    bench.made[bench.made_count].fresh = fresh
    bench.made_count += 1
    return OK


cdef int make_chunk(
    ChunkStore *store, uint32_t kind, const Rows *rows, size_t first, size_t count,
    Clock *clock, const uint32_t *ticks
) noexcept nogil:
    """One chunk of rows that have one layout, into bench.made. OK or NO_MEMORY."""
    cdef Bench *bench = &store.bench
    cdef Layout *layout = NULL
    cdef PointView view
    cdef Chunk *chunk
    if ticks != NULL and <uint64_t>(ticks[count - 1] - ticks[0]) >= SPARSE * <uint64_t>count:
        ticks = NULL
    if room_for_made(store) != OK:
        return NO_MEMORY
    if kind >= KIND_HISTOGRAM:
        rows_view(rows, first, &view)
        layout = layout_intern(&store.layouts, view.layout_words, view.row_words, view.layout)
        if layout == NULL:
            return NO_MEMORY
    chunk = chunk_encode(
        bench.work, kind, rows, first, count, clock.id if clock != NULL else 0, ticks, layout
    )
    if chunk == NULL:
        layout_release(&store.layouts, layout)
        return NO_MEMORY
    if ticks != NULL:
        clock_hold(clock, ticks[0], ticks[count - 1])
    add_relaxed(&store.chunk_count, 1)
    add_relaxed(&store.chunk_bytes, chunk_size(chunk))
    return add_made(store, chunk, True)


cdef bint skips_regularly(const uint32_t *ticks, size_t count) noexcept nogil:
    """Whether more than a tenth of the ticks are missed, mostly (three in four) by equal steps."""
    cdef size_t i, equal = 0
    cdef uint32_t step
    if count < 16 or (ticks[count - 1] - ticks[0]) * <uint64_t>10 <= count * <uint64_t>11:
        return 0
    for i in range(2, count):
        step = ticks[i] - ticks[i - 1]
        equal += step > 1 and step == ticks[i - 1] - ticks[i - 2]
    return equal * 4 >= count * 3


cdef int find_ticks(
    ChunkStore *store, const Rows *rows, size_t first, size_t count, const Clock *clock,
    bint *shared
) noexcept nogil:
    """The ticks of rows[first:first + count], OFF for a time that is none, into work.ticks.
    *shared: enough times are ticks for chunks that share the clock. OK, or what is wrong."""
    cdef Work *work = store.bench.work
    cdef uint32_t *ticks = work.ticks
    cdef int64_t tick = -1
    cdef size_t i, runs = 1, off = 0
    shared[0] = False
    for i in range(count):
        tick = clock_find(work, clock, rows.times[first + i], tick + 1)
        if tick < 0 and tick != TICK_UNKNOWN:
            return <int>tick
        if tick == TICK_UNKNOWN:
            ticks[i] = OFF
            off += 1
        else:
            ticks[i] = <uint32_t>tick
        if i and (ticks[i] == OFF) != (ticks[i - 1] == OFF):
            runs += 1
        if off == HOPELESS and i + 1 == HOPELESS:
            return OK
    shared[0] = off == 0 or (off < count and runs <= 2 + count // RUNS)
    if off == 0:
        store.bench.regular_gaps = skips_regularly(ticks, count)
    return OK


cdef int make_chunks_of_run(
    ChunkStore *store, uint32_t kind, const Rows *rows, size_t first, size_t count, Clock *clock
) noexcept nogil:
    """The chunks of rows that have one layout and fit one chunk: one, unless some of their times
    are off the clock. OK, or what is wrong."""
    cdef const uint32_t *ticks = store.bench.work.ticks
    cdef size_t i, begin = 0
    cdef bint shared = False
    cdef int status = OK
    if clock != NULL:
        status = find_ticks(store, rows, first, count, clock, &shared)
    if status != OK:
        return status
    if not shared:
        return make_chunk(store, kind, rows, first, count, NULL, NULL)
    for i in range(1, count + 1):
        if i < count and (ticks[i] == OFF) == (ticks[begin] == OFF):
            continue
        status = make_chunk(
            store, kind, rows, first + begin, i - begin, clock,
            NULL if ticks[begin] == OFF else ticks + begin)
        if status != OK:
            return status
        begin = i
    return OK


cdef bint row_ranges(const Rows *rows, size_t i, uint32_t kind, Ranges *ranges) noexcept nogil:
    cdef PointView view
    rows_view(rows, i, &view)
    return view_ranges(kind, &view, ranges)


cdef int pad_rows(Rows *rows, size_t first, size_t count, const Ranges *target) noexcept nogil:
    """Gives rows of exponential histograms one layout. OK or NO_MEMORY."""
    cdef uint64_t words[2]
    cdef Ranges ranges
    cdef uint32_t width = ranges_row(target)
    cdef int64_t layout
    cdef size_t i
    ranges_write(target, words)
    layout = rows_layout(rows, 2, width, words)
    if layout < 0 or rows_reserve_words(rows, count * width) != OK:
        return NO_MEMORY
    for i in range(first, first + count):
        if rows.layout[i] == <uint32_t>layout:
            continue
        row_ranges(rows, i, KIND_EXPONENTIAL, &ranges)
        ranges_pad(&ranges, rows.words + rows.row[i], target, rows.words + rows.word_count)
        rows.row[i] = rows.word_count
        rows.layout[i] = <uint32_t>layout
        rows.word_count += width
    return OK


cdef int common_run(
    uint32_t kind, Rows *rows, size_t first, size_t end, size_t *count
) noexcept nogil:
    """How many rows from `first` on go into one chunk; they get one layout. OK or NO_MEMORY."""
    cdef Ranges ranges, other, joined
    cdef size_t left = end - first, n = 1
    cdef uint32_t limit = CHUNK_POINTS
    cdef bint ranged
    if kind < KIND_HISTOGRAM:
        # What is a little too much is cut in half rather than into a chunk and a crumb.
        if left > CHUNK_POINTS:
            left = left // 2 if left < 2 * CHUNK_POINTS else CHUNK_POINTS
        count[0] = left
        return OK
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
    count[0] = n
    return pad_rows(rows, first, n, &ranges) if ranged else OK


cdef int make_chunks(ChunkStore *store, uint32_t kind, Clock *clock) noexcept nogil:
    cdef Rows *rows = &store.bench.rows
    cdef size_t first = 0, count
    cdef int status
    while first < rows.count:
        status = common_run(kind, rows, first, rows.count, &count)
        if status == OK:
            status = make_chunks_of_run(store, kind, rows, first, count, clock)
        if status != OK:
            return status
        first += count
    return OK
