"""A sealed chunk to points; the contract is in chunks/decode.pxd.

Each get_* reads one part, which begins at `bytes`, and returns the first byte behind it, or NULL if
the part does not lie before `end` or is not what it should be.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.memory.atomics cimport bits_to_double
from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.points.ranges cimport Ranges, ranges_read
from urpo_store.engine.points.slots cimport (
    FLAG_INT, FLAG_STALE, KIND_EXPONENTIAL, KIND_HISTOGRAM, KIND_SUMMARY, ROW_HISTOGRAM,
    ROW_SUMMARY, row_first_count, row_is_double, row_total,
)
from urpo_store.engine.codec.columns cimport decode_doubles, decode_ints, decode_times
from urpo_store.engine.chunks.chunk cimport (
    COUNT_IS_SUM, FLAGS, FLAGS_COLUMN, FLAGS_EQUAL, FLAGS_INT, ROWED, STARTS, STARTS_COLUMN,
    STARTS_FOLLOW, STARTS_GAPS, STARTS_UNKNOWN, TIMES, TIMES_BITMAP, TIMES_OWN, VALUES,
    VALUES_DOUBLES, VALUES_MIXED, chunk_bytes, chunk_size, chunk_sound, chunk_span, chunk_times,
)
from urpo_store.engine.chunks.layout cimport layout_data
from urpo_store.engine.chunks.rows cimport NO_LAYOUT, rows_layout, rows_reserve, rows_reserve_words
from urpo_store.engine.chunks.ticks cimport TickSpan, block_number, gather_marked, gather_times
from urpo_store.engine.chunks.types cimport Chunk, Layout, Rows, Work

cdef double EXACT = 9007199254740992.0      # 2^53: VALUES_MIXED has no larger integers


# Times

cdef const uint8_t *get_own_times(
    Work *work, const Chunk *chunk, const uint8_t *bytes, const uint8_t *end, int64_t *times
) noexcept nogil:
    cdef int64_t[2] ends
    # chunk_sound has seen that these 16 bytes are there.
    memcpy(ends, bytes, 16)
    bytes = decode_times(bytes + 16, end, chunk.count, times, work.codec)
    if bytes != NULL and (times[0] != ends[0] or times[chunk.count - 1] != ends[1]):
        return NULL
    return bytes


cdef int fill_times(
    Work *work, const Chunk *chunk, const TickSpan *spans, uint32_t span_count, int64_t *times
) noexcept nogil:
    """The times of a chunk that has a clock. OK, NO_MEMORY or BAD_BYTES."""
    cdef uint32_t span = chunk_span(chunk), i
    if chunk.flags & TIMES == TIMES_BITMAP:
        return gather_marked(
            work, spans, span_count, chunk.tick, chunk_times(chunk) + 2, span, chunk.count, times)
    for i in range(block_number(chunk.tick + span - 1) - block_number(chunk.tick) + 1):
        if i >= span_count or spans[i].bytes == NULL:
            return BAD_BYTES
    return gather_times(work, spans, span_count, chunk.tick, chunk.count, times)


cdef int get_times(
    Work *work, const Chunk *chunk, const TickSpan *spans, uint32_t span_count,
    const uint8_t *end, int64_t *times, const uint8_t **behind
) noexcept nogil:
    """Sets *behind to the first byte behind the times. OK, NO_MEMORY or BAD_BYTES."""
    cdef uint32_t mode = chunk.flags & TIMES
    behind[0] = chunk_times(chunk)
    if mode == TIMES_OWN:
        behind[0] = get_own_times(work, chunk, behind[0], end, times)
        return OK if behind[0] != NULL else BAD_BYTES
    if mode == TIMES_BITMAP:
        # chunk_sound has seen that the bitmap is there.
        behind[0] += 2 + (chunk_span(chunk) + 7) // 8
    return fill_times(work, chunk, spans, span_count, times)


# The other parts

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
        if end - bytes < 8:
            return NULL
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
        if end - bytes < 4:
            return NULL
        memcpy(&equal, bytes, 4)
        bytes += 4
    for i in range(chunk.count):
        flags[i] = equal
    return bytes


cdef bint to_integers(const uint32_t *flags, uint64_t *values, uint32_t count) noexcept nogil:
    """Makes the integers of a VALUES_MIXED column integers again. False: one of them is none."""
    cdef uint32_t i
    cdef double value
    for i in range(count):
        if flags[i] & FLAG_INT and not flags[i] & FLAG_STALE:
            value = bits_to_double(values[i])
            if not -EXACT <= value <= EXACT:
                return False
            values[i] = <uint64_t><int64_t>value
    return True


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
    if mode == VALUES_MIXED and not to_integers(flags, values, chunk.count):
        return NULL
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
    if end - bytes < (words + 7) // 8:
        return NULL
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


cdef const uint8_t *get_counts_and_rows(
    Work *work, uint32_t kind, const Chunk *chunk, const uint8_t *bytes, const uint8_t *end,
    uint32_t words, uint64_t *counts, uint64_t *row
) noexcept nogil:
    cdef uint32_t i
    if not chunk.flags & COUNT_IS_SUM:
        bytes = decode_ints(bytes, end, chunk.count, <int64_t *>counts, work.codec)
        return get_rows(work, kind, chunk, bytes, end, words, row) if bytes != NULL else NULL
    if words < row_first_count(kind):
        return NULL
    bytes = get_rows(work, kind, chunk, bytes, end, words, row)
    if bytes != NULL:
        for i in range(chunk.count):
            counts[i] = row_total(kind, row + <size_t>i * words, words)
    return bytes


# The whole

cdef bint layout_fits(uint32_t kind, const Layout *layout) noexcept nogil:
    """Whether rows of this kind can have the layout: readers of rows rely on it."""
    cdef Ranges ranges
    cdef uint32_t words = layout.layout_words, row = layout.row_words
    if words == 0 and row == 0:
        return True                 # of points without a value
    if kind == KIND_HISTOGRAM:
        return row == ROW_HISTOGRAM or row == ROW_HISTOGRAM + words + 1
    if kind == KIND_EXPONENTIAL:
        return ranges_read(&ranges, layout_data(layout), words, row)
    return kind == KIND_SUMMARY and row == ROW_SUMMARY + words


cdef bint ascend(const int64_t *times, size_t count) noexcept nogil:
    cdef size_t i
    cdef bint against = 0
    for i in range(1, count):
        against |= times[i] <= times[i - 1]
    return not against


cdef int reserve(
    const Chunk *chunk, const Layout *layout, Rows *rows, uint32_t *index
) noexcept nogil:
    """Room for the chunk's points and rows; *index is their layout in `rows`. OK or NO_MEMORY."""
    cdef int64_t found
    index[0] = NO_LAYOUT
    if rows_reserve(rows, chunk.count, layout != NULL) != OK:
        return NO_MEMORY
    if layout == NULL:
        return OK
    if rows_reserve_words(rows, <size_t>chunk.count * layout.row_words) != OK:
        return NO_MEMORY
    found = rows_layout(rows, layout.layout_words, layout.row_words, layout_data(layout))
    if found < 0:
        return NO_MEMORY
    index[0] = <uint32_t>found
    return OK


cdef int chunk_decode(
    Work *work, uint32_t kind, const Chunk *chunk, const TickSpan *spans, uint32_t span_count,
    const Layout *layout, Rows *rows
) noexcept nogil:
    cdef const uint8_t *bytes
    cdef const uint8_t *end = chunk_bytes(chunk) + chunk.length
    cdef size_t at = rows.count, count = chunk.count, i
    cdef uint32_t words = layout.row_words if layout != NULL else 0, index
    cdef int status
    if not chunk_sound(chunk, chunk_size(chunk), kind):
        return BAD_BYTES
    if (layout != NULL) != (chunk.flags & ROWED != 0):
        return BAD_BYTES
    # Each row word has a bit in the chunk, so few bytes cannot ask for much memory.
    if layout != NULL and (not layout_fits(kind, layout) or (words + 7) // 8 > chunk.length):
        return BAD_BYTES
    status = reserve(chunk, layout, rows, &index)
    if status != OK:
        return status
    status = get_times(work, chunk, spans, span_count, end, rows.times + at, &bytes)
    if status != OK:
        return status
    if not ascend(rows.times + at, count):
        return BAD_BYTES
    bytes = get_starts(work, chunk, bytes, end, rows.times + at, rows.starts + at)
    if bytes != NULL:
        bytes = get_flags(work, chunk, bytes, end, rows.flags + at)
    if bytes == NULL:
        return BAD_BYTES
    if rows.layout != NULL:
        for i in range(count):
            rows.layout[at + i] = index
            rows.row[at + i] = rows.word_count + i * words
    if layout == NULL:
        bytes = get_numbers(work, chunk, bytes, end, rows.flags + at, rows.values + at)
    else:
        bytes = get_counts_and_rows(
            work, kind, chunk, bytes, end, words, rows.values + at, rows.words + rows.word_count)
    if bytes != end:
        return BAD_BYTES
    rows.word_count += count * words
    rows.count += count
    return OK
