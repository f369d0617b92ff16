"""Points to a sealed chunk; the contract is in chunks/encode.pxd.

Each put_* writes one part of the chunk to work.out + *at, moves *at behind it, and returns the
flags that tell a reader how the part is written.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport mem_alloc
from urpo_store.engine.memory.atomics cimport double_to_bits
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport (
    FLAG_INT, FLAG_STALE, KIND_EXPONENTIAL, KIND_HISTOGRAM, row_first_count, row_is_double,
    row_total,
)
from urpo_store.engine.codec.columns cimport (
    CHUNK_POINTS, codec_bound, encode_doubles, encode_ints, encode_times,
)
from urpo_store.engine.chunks.chunk cimport (
    COUNT_IS_SUM, FLAGS_COLUMN, FLAGS_EQUAL, FLAGS_INT, FLAGS_NONE, ROWED, SPARSE, STARTS_COLUMN,
    STARTS_EQUAL, STARTS_FOLLOW, STARTS_GAPS, STARTS_UNKNOWN, TIMES_BITMAP, TIMES_OWN, TIMES_TICKS,
    VALUES_BITS, VALUES_DOUBLES, VALUES_INTS, VALUES_MIXED,
)
from urpo_store.engine.chunks.types cimport Chunk, Layout, Rows, Work
from urpo_store.engine.chunks.work cimport work_out


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
    # |integer| <= 2^53: beyond that some are exact too, but they can go as bits (VALUES_BITS).
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
            last = values[i]
            if flags[i] & FLAG_INT:
                last = double_to_bits(<double><int64_t>last)
        work.column[i] = last
    at[0] += encode_doubles(work.column, count, work.out + at[0], work.codec)
    return VALUES_MIXED


cdef bint count_is_sum(
    uint32_t kind, const Rows *rows, size_t first, size_t count, uint32_t words
) noexcept nogil:
    """Whether each point's count follows from its row."""
    cdef size_t i
    if kind != KIND_HISTOGRAM and kind != KIND_EXPONENTIAL:
        return 0
    if words < row_first_count(kind):
        return 0
    for i in range(first, first + count):
        if rows.values[i] != row_total(kind, rows.words + rows.row[i], words):
            return 0
    return 1


cdef int put_rows(
    Work *work, size_t *at, uint32_t kind,
    const Rows *rows, size_t first, size_t count, uint32_t words
) noexcept nogil:
    """A bit for each row word that is not always 0, then their columns. OK or NO_MEMORY."""
    cdef size_t i, present = at[0]
    cdef uint64_t any
    cdef uint32_t j
    if words == 0:
        return OK
    if work_out(work, at[0] + (words + 7) // 8) != OK:
        return NO_MEMORY
    memset(work.out + present, 0, (words + 7) // 8)
    at[0] += (words + 7) // 8
    for j in range(words):
        any = 0
        for i in range(count):
            work.column[i] = rows.words[rows.row[first + i] + j]
            any |= work.column[i]
        if any == 0:
            continue
        if work_out(work, at[0] + codec_bound(count)) != OK:
            return NO_MEMORY
        work.out[present + (j >> 3)] |= <uint8_t>(1 << (j & 7))
        if row_is_double(kind, j):
            at[0] += encode_doubles(work.column, count, work.out + at[0], work.codec)
        else:
            put_ints(work, at, work.column, count)
    return OK


cdef Chunk *chunk_encode(
    Work *work, uint32_t kind, const Rows *rows, size_t first, size_t count,
    uint32_t clock, const uint32_t *ticks, const Layout *layout
) noexcept nogil:
    cdef size_t at = 0
    cdef uint16_t flags = 0
    cdef Chunk *chunk
    # Four columns at most, and what is between them.
    if work_out(work, 4 * codec_bound(CHUNK_POINTS) + SPARSE * CHUNK_POINTS // 8 + 64) != OK:
        return NULL
    if layout != NULL:
        memcpy(work.out, &layout.id, 4)
        at = 4
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
    if layout != NULL and put_rows(work, &at, kind, rows, first, count, layout.row_words) != OK:
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
