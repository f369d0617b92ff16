"""Encoding and decoding a sealed chunk; the contract is in chunks/chunk.pxd."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cimport cython

from urpo_store.engine.memory.alloc cimport mem_alloc
from urpo_store.engine.memory.atomics cimport bits_to_double, double_to_bits
from urpo_store.engine.points.slots cimport (
    FLAG_INT, FLAG_STALE, KIND_EXPONENTIAL, KIND_HISTOGRAM, ROW_EXPONENTIAL, ROW_HISTOGRAM,
)
from urpo_store.engine.codec.columns cimport (
    CHUNK_POINTS, codec_bound, decode_doubles, decode_ints, decode_times, encode_doubles,
    encode_ints, encode_times,
)
from urpo_store.engine.chunks.clock cimport (
    ClockTable, TickBlock, block_number, block_times, clock_block, clock_get, gather_times,
)
from urpo_store.engine.chunks.layout cimport Layout, layout_data
from urpo_store.engine.chunks.rows cimport (
    NO_LAYOUT, Rows, rows_layout, rows_reserve, rows_reserve_words,
)
from urpo_store.engine.chunks.tail cimport row_is_double
from urpo_store.engine.chunks.work cimport Work, work_out, work_span


# Encoding: `at` is how much of work.out is written.

cdef inline void put_i64(Work *work, size_t *at, int64_t value) noexcept nogil:
    memcpy(work.out + at[0], &value, 8)
    at[0] += 8


cdef inline void put_ints(Work *work, size_t *at, const void *values, size_t count) noexcept nogil:
    at[0] += encode_ints(<const int64_t *>values, count, work.out + at[0], work.codec)


cdef uint16_t put_times(
    Work *work, size_t *at, const int64_t *times, size_t count, const uint32_t *ticks
) noexcept nogil:
    cdef uint32_t span, i
    cdef uint16_t short_span
    cdef uint8_t *bitmap
    if ticks == NULL:
        put_i64(work, at, times[0])
        put_i64(work, at, times[count - 1])
        at[0] += encode_times(times, count, work.out + at[0], work.codec)
        return TIMES_OWN
    span = ticks[count - 1] - ticks[0] + 1
    if span == count:
        return TIMES_TICKS
    short_span = <uint16_t>span
    memcpy(work.out + at[0], &short_span, 2)
    bitmap = work.out + at[0] + 2
    memset(bitmap, 0, (span + 7) // 8)
    for i in range(<uint32_t>count):
        bitmap[(ticks[i] - ticks[0]) >> 3] |= <uint8_t>(1 << ((ticks[i] - ticks[0]) & 7))
    at[0] += 2 + (span + 7) // 8
    return TIMES_BITMAP


cdef uint16_t put_starts(
    Work *work, size_t *at, const int64_t *starts, const int64_t *times, size_t count
) noexcept nogil:
    cdef size_t i, equal = 0, follow = 0
    for i in range(1, count):
        equal += starts[i] == starts[0]
        follow += starts[i] == times[i - 1]
    if equal == count - 1:
        if starts[0] == 0:
            return STARTS_UNKNOWN
        put_i64(work, at, starts[0])
        return STARTS_EQUAL
    if follow == count - 1:
        put_i64(work, at, starts[0])
        return STARTS_FOLLOW
    if follow <= count // 2:
        put_ints(work, at, starts, count)
        return STARTS_COLUMN
    work.column[0] = <uint64_t>starts[0] - <uint64_t>times[0]
    for i in range(1, count):
        work.column[i] = <uint64_t>starts[i] - <uint64_t>times[i - 1]
    put_ints(work, at, work.column, count)
    return STARTS_GAPS


cdef uint16_t put_flags(Work *work, size_t *at, const uint32_t *flags, size_t count) noexcept nogil:
    cdef size_t i
    cdef uint32_t different = 0
    for i in range(1, count):
        different |= flags[i] ^ flags[0]
    if different:
        for i in range(count):
            work.column[i] = flags[i]
        put_ints(work, at, work.column, count)
        return FLAGS_COLUMN
    if flags[0] == 0:
        return FLAGS_NONE
    if flags[0] == FLAG_INT:
        return FLAGS_INT
    memcpy(work.out + at[0], flags, 4)
    at[0] += 4
    return FLAGS_EQUAL


cdef bint exact(uint64_t value) noexcept nogil:
    """Whether an int64 survives the way to a double and back."""
    cdef int64_t integer = <int64_t>value
    # |integer| <= 2^53: what lies beyond and is exact all the same goes with the bits.
    return -(<int64_t>1 << 53) <= integer <= <int64_t>1 << 53


cdef uint16_t put_numbers(
    Work *work, size_t *at, const uint64_t *values, const uint32_t *flags, size_t count
) noexcept nogil:
    cdef size_t i, ints = 0, stale = 0, inexact = 0
    cdef const uint64_t *column = values
    cdef uint64_t last = 0
    for i in range(count):
        if flags[i] & FLAG_STALE:
            stale += 1
        elif flags[i] & FLAG_INT:
            ints += 1
            inexact += not exact(values[i])
    if stale:
        # A stale mark has no value (its bits are 0): the last one is repeated, which costs nothing.
        i = 0
        while i < count and flags[i] & FLAG_STALE:
            i += 1
        if i < count:
            last = values[i]
        for i in range(count):
            if not flags[i] & FLAG_STALE:
                last = values[i]
            work.column[i] = last
        column = work.column
    if ints == 0:
        at[0] += encode_doubles(column, count, work.out + at[0], work.codec)
        return VALUES_DOUBLES
    if ints + stale == count:
        put_ints(work, at, column, count)
        return VALUES_INTS
    if inexact:
        put_ints(work, at, column, count)
        return VALUES_BITS
    last = 0
    for i in range(count):
        if not flags[i] & FLAG_STALE:
            last = double_to_bits(<double><int64_t>values[i]) if flags[i] & FLAG_INT else values[i]
        work.column[i] = last
    at[0] += encode_doubles(work.column, count, work.out + at[0], work.codec)
    return VALUES_MIXED


cdef inline uint32_t first_count(uint32_t kind) noexcept nogil:
    """The first row word that is a bucket count."""
    return ROW_EXPONENTIAL if kind == KIND_EXPONENTIAL else ROW_HISTOGRAM


cdef uint64_t total(uint32_t kind, const uint64_t *row, uint32_t words) noexcept nogil:
    cdef uint64_t sum = row[3] if kind == KIND_EXPONENTIAL else 0
    cdef uint32_t j
    for j in range(first_count(kind), words):
        sum += row[j]
    return sum


cdef bint count_is_sum(
    uint32_t kind, const Rows *rows, size_t first, size_t count, uint32_t words
) noexcept nogil:
    cdef size_t i
    if kind != KIND_HISTOGRAM and kind != KIND_EXPONENTIAL:
        return 0
    if words < first_count(kind):
        return 0
    for i in range(first, first + count):
        if rows.values[i] != total(kind, rows.words + rows.row[i], words):
            return 0
    return 1


cdef int put_rows(
    Work *work, size_t *at, uint32_t kind, const Rows *rows, size_t first, size_t count, uint32_t words
) noexcept nogil:
    cdef size_t i, present = at[0]
    cdef uint64_t any
    cdef uint32_t j
    if words == 0:
        return 0
    if work_out(work, at[0] + (words + 7) // 8) != 0:
        return -1
    memset(work.out + present, 0, (words + 7) // 8)
    at[0] += (words + 7) // 8
    for j in range(words):
        any = 0
        for i in range(count):
            work.column[i] = rows.words[rows.row[first + i] + j]
            any |= work.column[i]
        if any == 0:
            continue
        if work_out(work, at[0] + codec_bound(count)) != 0:
            return -1
        work.out[present + (j >> 3)] |= <uint8_t>(1 << (j & 7))
        if row_is_double(kind, j):
            at[0] += encode_doubles(work.column, count, work.out + at[0], work.codec)
        else:
            put_ints(work, at, work.column, count)
    return 0


cdef Chunk *chunk_encode(
    Work *work, uint32_t kind, const Rows *rows, size_t first, size_t count,
    uint32_t clock, const uint32_t *ticks, Layout *layout
) noexcept nogil:
    cdef size_t at = 0
    cdef uint16_t flags = 0
    cdef Chunk *chunk
    # Four columns at most, and what stands between them.
    if work_out(work, 4 * codec_bound(CHUNK_POINTS) + SPARSE * CHUNK_POINTS // 8 + 64) != 0:
        return NULL
    if layout != NULL:
        put_i64(work, &at, <int64_t>layout)
        flags |= ROWED
    flags |= put_times(work, &at, rows.times + first, count, ticks)
    flags |= put_starts(work, &at, rows.starts + first, rows.times + first, count)
    flags |= put_flags(work, &at, rows.flags + first, count)
    if layout == NULL:
        flags |= put_numbers(work, &at, rows.values + first, rows.flags + first, count)
    elif count_is_sum(kind, rows, first, count, layout.row_words):
        flags |= COUNT_IS_SUM
    else:
        put_ints(work, &at, rows.values + first, count)
    if layout != NULL and put_rows(work, &at, kind, rows, first, count, layout.row_words) != 0:
        return NULL
    chunk = <Chunk *>mem_alloc(work.account, sizeof(Chunk) + at)
    if chunk == NULL:
        return NULL
    chunk.clock = clock if ticks != NULL else 0
    chunk.tick = ticks[0] if ticks != NULL else 0
    chunk.count = <uint16_t>count
    chunk.flags = flags
    chunk.length = <uint32_t>at
    memcpy(chunk + 1, work.out, at)
    return chunk


# Decoding

cdef Layout *chunk_layout(const Chunk *chunk) noexcept nogil:
    cdef Layout *layout = NULL
    if chunk.flags & ROWED:
        memcpy(&layout, chunk_bytes(chunk), sizeof(Layout *))
    return layout


cdef inline const uint8_t *times_at(const Chunk *chunk) noexcept nogil:
    return chunk_bytes(chunk) + (8 if chunk.flags & ROWED else 0)


cdef uint32_t chunk_last_tick(const Chunk *chunk) noexcept nogil:
    cdef uint16_t span
    if chunk.flags & TIMES == TIMES_BITMAP:
        memcpy(&span, times_at(chunk), 2)
        return chunk.tick + span - 1
    return chunk.tick + chunk.count - 1


cdef uint32_t chunk_block_count(const Chunk *chunk) noexcept nogil:
    if chunk.clock == 0:
        return 0
    return block_number(chunk_last_tick(chunk)) - block_number(chunk.tick) + 1


cdef const uint8_t *get_times(
    Work *work, const Chunk *chunk, TickBlock **blocks, const uint8_t *bytes, const uint8_t *end,
    int64_t *times
) noexcept nogil:
    cdef uint16_t span
    cdef uint32_t i
    cdef size_t n = 0
    if chunk.flags & TIMES == TIMES_OWN:
        return decode_times(bytes + 16, end, chunk.count, times, work.codec)
    if chunk.flags & TIMES == TIMES_TICKS:
        return bytes if gather_times(work, blocks, chunk.tick, chunk.count, times) == 0 else NULL
    memcpy(&span, bytes, 2)
    bytes += 2
    if work_span(work, span) != 0 or gather_times(work, blocks, chunk.tick, span, work.span) != 0:
        return NULL
    for i in range(span):
        if bytes[i >> 3] >> (i & 7) & 1:
            times[n] = work.span[i]
            n += 1
    return bytes + (span + 7) // 8


cdef const uint8_t *get_starts(
    Work *work, const Chunk *chunk, const uint8_t *bytes, const uint8_t *end,
    const int64_t *times, int64_t *starts
) noexcept nogil:
    cdef uint32_t mode = chunk.flags & STARTS, i, count = chunk.count
    cdef int64_t start = 0
    if mode == STARTS_COLUMN or mode == STARTS_GAPS:
        bytes = decode_ints(bytes, end, count, starts, work.codec)
        if mode == STARTS_GAPS and bytes != NULL:
            starts[0] = <int64_t>(<uint64_t>starts[0] + <uint64_t>times[0])
            for i in range(1, count):
                starts[i] = <int64_t>(<uint64_t>starts[i] + <uint64_t>times[i - 1])
        return bytes
    if mode != STARTS_UNKNOWN:
        memcpy(&start, bytes, 8)
        bytes += 8
    if mode == STARTS_FOLLOW:
        starts[0] = start
        memcpy(starts + 1, times, 8 * (count - 1))
        return bytes
    for i in range(count):
        starts[i] = start
    return bytes


cdef const uint8_t *get_flags(
    Work *work, const Chunk *chunk, const uint8_t *bytes, const uint8_t *end, uint32_t *flags
) noexcept nogil:
    cdef uint32_t mode = chunk.flags & FLAGS, i, equal = 0
    if mode == FLAGS_COLUMN:
        bytes = decode_ints(bytes, end, chunk.count, <int64_t *>work.column, work.codec)
        if bytes != NULL:
            for i in range(chunk.count):
                flags[i] = <uint32_t>work.column[i]
        return bytes
    if mode == FLAGS_INT:
        equal = FLAG_INT
    elif mode == FLAGS_EQUAL:
        memcpy(&equal, bytes, 4)
        bytes += 4
    for i in range(chunk.count):
        flags[i] = equal
    return bytes


cdef const uint8_t *get_numbers(
    Work *work, const Chunk *chunk, const uint8_t *bytes, const uint8_t *end,
    const uint32_t *flags, uint64_t *values
) noexcept nogil:
    cdef uint32_t mode = chunk.flags & VALUES, i
    if mode == VALUES_DOUBLES or mode == VALUES_MIXED:
        bytes = decode_doubles(bytes, end, chunk.count, values, work.codec)
    else:
        bytes = decode_ints(bytes, end, chunk.count, <int64_t *>values, work.codec)
    if bytes == NULL:
        return NULL
    if mode == VALUES_MIXED:
        for i in range(chunk.count):
            if flags[i] & FLAG_INT and not flags[i] & FLAG_STALE:
                values[i] = <uint64_t><int64_t>bits_to_double(values[i])
    mode = chunk.flags & FLAGS
    if mode == FLAGS_COLUMN or mode == FLAGS_EQUAL:
        for i in range(chunk.count):
            if flags[i] & FLAG_STALE:
                values[i] = 0
    return bytes


cdef const uint8_t *get_rows(
    Work *work, uint32_t kind, const Chunk *chunk, const uint8_t *bytes, const uint8_t *end,
    uint32_t words, uint64_t *out
) noexcept nogil:
    """Columns to rows: word j of point i to out[i * words + j]."""
    cdef const uint8_t *present = bytes
    cdef uint32_t i, j
    bytes += (words + 7) // 8
    for j in range(words):
        if not present[j >> 3] >> (j & 7) & 1:
            for i in range(chunk.count):
                out[<size_t>i * words + j] = 0
            continue
        if row_is_double(kind, j):
            bytes = decode_doubles(bytes, end, chunk.count, work.column, work.codec)
        else:
            bytes = decode_ints(bytes, end, chunk.count, <int64_t *>work.column, work.codec)
        if bytes == NULL:
            return NULL
        for i in range(chunk.count):
            out[<size_t>i * words + j] = work.column[i]
    return bytes


cdef int chunk_decode(
    Work *work, uint32_t kind, const Chunk *chunk, TickBlock **blocks, Rows *rows
) noexcept nogil:
    cdef const uint8_t *bytes = times_at(chunk)
    cdef const uint8_t *end = chunk_bytes(chunk) + chunk.length
    cdef Layout *layout = chunk_layout(chunk)
    cdef size_t at = rows.count, count = chunk.count, i
    cdef uint32_t words = 0
    cdef int64_t index = NO_LAYOUT
    cdef uint64_t *row
    if rows_reserve(rows, count, layout != NULL) != 0:
        return -1
    if layout != NULL:
        words = layout.row_words
        if rows_reserve_words(rows, count * words) != 0:
            return -1
        index = rows_layout(rows, layout.layout_words, words, layout_data(layout))
        if index < 0:
            return -1
    bytes = get_times(work, chunk, blocks, bytes, end, rows.times + at)
    if bytes == NULL:
        return -1
    bytes = get_starts(work, chunk, bytes, end, rows.times + at, rows.starts + at)
    if bytes != NULL:
        bytes = get_flags(work, chunk, bytes, end, rows.flags + at)
    if bytes == NULL:
        return -1
    if rows.layout != NULL:
        for i in range(count):
            rows.layout[at + i] = <uint32_t>index
            rows.row[at + i] = rows.word_count + i * words
    if layout == NULL:
        bytes = get_numbers(work, chunk, bytes, end, rows.flags + at, rows.values + at)
    else:
        if not chunk.flags & COUNT_IS_SUM:
            bytes = decode_ints(bytes, end, count, <int64_t *>rows.values + at, work.codec)
        row = rows.words + rows.word_count
        if bytes != NULL and words:
            bytes = get_rows(work, kind, chunk, bytes, end, words, row)
        if bytes != NULL and chunk.flags & COUNT_IS_SUM:
            for i in range(count):
                rows.values[at + i] = total(kind, row + i * words, words)
        rows.word_count += count * words
    if bytes == NULL:
        return -1
    rows.count += count
    return 0


# Times of a chunk, under the lock

cdef inline const TickBlock *block_of(ClockTable *clocks, const Chunk *chunk, uint32_t tick) noexcept nogil:
    return clock_block(clock_get(clocks, chunk.clock), block_number(tick))


@cython.cdivision(True)
cdef int tick_time(
    ClockTable *clocks, Work *work, const Chunk *chunk, uint32_t tick, int64_t *time
) noexcept nogil:
    cdef const int64_t *times = block_times(work, block_of(clocks, chunk, tick))
    if times == NULL:
        return -1
    time[0] = times[tick % CHUNK_POINTS]
    return 0


cdef int chunk_first(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t *time) noexcept nogil:
    if chunk.clock == 0:
        memcpy(time, times_at(chunk), 8)
        return 0
    return tick_time(clocks, work, chunk, chunk.tick, time)


cdef int chunk_last(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t *time) noexcept nogil:
    if chunk.clock == 0:
        memcpy(time, times_at(chunk) + 8, 8)
        return 0
    return tick_time(clocks, work, chunk, chunk_last_tick(chunk), time)


cdef int before(
    ClockTable *clocks, Work *work, const Chunk *chunk, uint32_t tick, const uint8_t *own, int64_t time
) noexcept nogil:
    cdef const TickBlock *block
    cdef int64_t found
    if chunk.clock == 0:
        memcpy(&found, own, 8)
        return found < time
    block = block_of(clocks, chunk, tick)
    if block.last < time:
        return 1
    if block.first >= time:
        return 0
    return -1 if tick_time(clocks, work, chunk, tick, &found) != 0 else found < time


cdef int chunk_ends_before(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time) noexcept nogil:
    return before(clocks, work, chunk, chunk_last_tick(chunk), times_at(chunk) + 8, time)


cdef int chunk_begins_before(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time) noexcept nogil:
    return before(clocks, work, chunk, chunk.tick, times_at(chunk), time)


cdef int chunk_begins_by(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time) noexcept nogil:
    return chunk_begins_before(clocks, work, chunk, time + 1) if time < INT64_MAX else 1


cdef int64_t chunk_about(ClockTable *clocks, const Chunk *chunk) noexcept nogil:
    cdef int64_t time
    if chunk.clock == 0:
        memcpy(&time, times_at(chunk) + 8, 8)
        return time
    return block_of(clocks, chunk, chunk_last_tick(chunk)).last
