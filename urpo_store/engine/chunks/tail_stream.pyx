"""Writing and reading the entries of a tail's stream; the contract is in chunks/tail_stream.pxd."""
from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.points.ranges cimport Ranges, ranges_equal
from urpo_store.engine.points.slots cimport (
    FLAG_INT, KIND_EXPONENTIAL, KIND_SUMMARY, ROW_EXPONENTIAL, ROW_HISTOGRAM, row_is_double,
)
from urpo_store.engine.codec.bits cimport (
    get_varint, load_word, load_word_before, put_varint, unzigzag, zigzag,
)
from urpo_store.engine.codec.decimals cimport scaled_near, unscaled_bits
from urpo_store.engine.chunks.rows cimport NO_LAYOUT, rows_layout, rows_reserve, rows_reserve_words
from urpo_store.engine.chunks.types cimport Rows

cdef extern from *:
    int __builtin_ctzll(unsigned long long) noexcept nogil
    int __builtin_clzll(unsigned long long) noexcept nogil

cdef enum:
    # Of control, beside META.
    CHANGED = 0x40
    DECIMAL = 0x20              # without CHANGED
    EXPONENT = 0x0F

    # Of META, beside START_FLIP.
    TICK = 1
    FLAGS = 2
    START = 8
    RANGES = 16

    FEW_BITS = 40               # a change of a decimal with more bits is no shorter than its bytes
    MOST_DIGITS = 6             # digits behind the point that are looked for
    LOOK_EVERY = 8              # points between two looks for digits, while none are known


# Row words are doubles, then counts; but the last fixed word of an exponential histogram, its zero
# threshold, is a double behind a count (points/slots.pxd).

cdef inline uint32_t first_count(uint32_t kind, uint32_t words) noexcept nogil:
    return words if kind == KIND_SUMMARY else ROW_HISTOGRAM


cdef inline bint is_threshold(uint32_t kind, uint32_t j) noexcept nogil:
    return j == ROW_EXPONENTIAL - 1 and kind == KIND_EXPONENTIAL


# Writing

cdef inline uint8_t *put_changed(uint8_t *control, uint8_t *out, uint64_t changed) noexcept nogil:
    """Sets the low bits of *control, and writes the bytes that changed."""
    cdef int zeros, bytes
    cdef uint64_t shifted
    if changed == 0:
        return out
    zeros = __builtin_ctzll(changed) >> 3
    bytes = 8 - (__builtin_clzll(changed) >> 3) - zeros
    control[0] |= <uint8_t>(CHANGED | zeros << 3 | (bytes - 1))
    shifted = changed >> (8 * zeros)
    # Always eight bytes, for speed: there is room, and what follows overwrites those that do not
    # count.
    memcpy(out, &shifted, 8)
    return out + bytes


cdef inline bint is_decimal(uint64_t bits, int exponent, int64_t *scaled) noexcept nogil:
    scaled[0] = scaled_near(bits, exponent)
    return unscaled_bits(scaled[0], exponent) == bits


cdef uint8_t *put_number(
    uint8_t *control, uint8_t *out, TailCursor *cursor, const TailPoint *point
) noexcept nogil:
    """A value, in the way that takes fewer bytes. Of most decimals nearly all bits change."""
    cdef uint64_t changed = point.value ^ cursor.last.value
    cdef int64_t scaled = 0
    cdef uint64_t number
    cdef uint8_t exponent = cursor.exponent
    cdef bint found
    if (
        point.flags & FLAG_INT or changed == 0
        or changed >> (__builtin_ctzll(changed) & ~7) < 1 << 16
    ):
        # Two bytes at most as it is.
        return put_changed(control, out, changed)
    found = exponent and is_decimal(point.value, exponent, &scaled)
    if not found and cursor.count % LOOK_EVERY == 2:
        exponent = 0
        while exponent < MOST_DIGITS and not found:
            exponent += 1
            found = is_decimal(point.value, exponent, &scaled)
    if found:
        cursor.exponent = exponent
        number = zigzag(<uint64_t>scaled - <uint64_t>scaled_near(cursor.last.value, exponent))
        if number < <uint64_t>1 << FEW_BITS:
            control[0] |= DECIMAL | exponent
            return put_varint(out, number)
    return put_changed(control, out, changed)


cdef inline uint8_t *put_zeros(uint8_t *out, uint32_t zeros) noexcept nogil:
    if zeros == 0:
        return out
    out[0] = 0
    return put_varint(out + 1, zeros - 1)


cdef uint8_t *put_row(uint8_t *out, const TailRows *rows, uint32_t kind) noexcept nogil:
    cdef const uint64_t *row = tail_newest_row(rows)
    cdef const uint64_t *last = tail_last_row(rows)
    cdef uint32_t j, words = rows.row_words, zeros = 0
    cdef uint64_t delta
    cdef uint8_t *control
    for j in range(min(words, ROW_EXPONENTIAL) if kind != KIND_SUMMARY else words):
        if row_is_double(kind, j):
            control = out
            control[0] = 0
            out = put_changed(control, out + 1, row[j] ^ last[j])
    for j in range(first_count(kind, words), words):
        if is_threshold(kind, j):
            continue
        delta = row[j] - last[j]
        if delta == 0:
            zeros += 1
            continue
        out = put_zeros(out, zeros)
        zeros = 0
        out = put_varint(out, zigzag(delta))
    return put_zeros(out, zeros)


cdef inline uint8_t *put_ranges(uint8_t *out, const Ranges *ranges) noexcept nogil:
    out = put_varint(out, zigzag(<uint64_t>ranges.positive))
    out = put_varint(out, ranges.positive_count)
    out = put_varint(out, zigzag(<uint64_t>ranges.negative))
    return put_varint(out, ranges.negative_count)


cdef uint8_t *put_entry(
    uint8_t *out, TailCursor *cursor, const TailPoint *point, const TailRows *rows, bint own,
    uint32_t kind
) noexcept nogil:
    cdef uint8_t *control = out
    cdef uint8_t meta = 0
    cdef uint32_t skipped = point.tick - cursor.last.tick - 1
    cdef uint64_t delta
    if not own and skipped:
        meta |= TICK
    if point.flags != cursor.last.flags:
        meta |= FLAGS
    if point.start != expected_start(cursor):
        meta |= START_FLIP if point.start == other_start(cursor) else START
    if rows != NULL and rows.ranged and not ranges_equal(&rows.ranges, &rows.written):
        meta |= RANGES
    control[0] = META if meta else 0
    out += 1
    if meta:
        out[0] = meta
        out += 1
    if own:
        delta = <uint64_t>point.time - <uint64_t>cursor.last.time
        out = put_varint(out, zigzag(delta - <uint64_t>cursor.delta))
    elif meta & TICK:
        out = put_varint(out, skipped)
    if meta & FLAGS:
        out = put_varint(out, point.flags)
    if meta & START:
        out = put_varint(out, zigzag(<uint64_t>point.start - <uint64_t>cursor.last.start))
    if meta & RANGES:
        out = put_ranges(out, &rows.ranges)
    if rows == NULL:
        return put_number(control, out, cursor, point)
    out = put_varint(out, zigzag(point.value - cursor.last.value))
    return put_row(out, rows, kind)


# Reading

# Bytes that are left. Once something is wrong none are, so that one look behind each entry is
# enough.
cdef struct Input:
    const uint8_t *at
    const uint8_t *end
    bint bad


cdef inline void set_bad(Input *input) noexcept nogil:
    input.at = input.end
    input.bad = 1


cdef inline uint8_t next_byte(Input *input) noexcept nogil:
    if input.at == input.end:
        set_bad(input)
        return 0
    input.at += 1
    return (input.at - 1)[0]


cdef inline uint64_t next_varint(Input *input) noexcept nogil:
    cdef uint64_t number
    cdef const uint8_t *at = input.at
    if at < input.end and at[0] < 0x80:
        input.at += 1
        return at[0]
    at = get_varint(at, input.end, &number)
    if at == NULL:
        set_bad(input)
        return 0
    input.at = at
    return number


cdef inline uint64_t next_changed(Input *input, uint8_t control) noexcept nogil:
    """The bits that changed."""
    cdef uint32_t bytes = (control & 7) + 1, others = 64 - 8 * bytes
    cdef uint64_t word
    if not control & CHANGED:
        return 0
    if input.end - input.at >= 8:
        word = load_word(input.at)
    elif input.end - input.at >= bytes:
        word = load_word_before(input.at, input.end)
    else:
        set_bad(input)
        return 0
    input.at += bytes
    # control & 0x38 is 8 for each low zero byte.
    return (word << others >> others) << (control & 0x38)


cdef inline uint64_t next_number(Input *input, uint8_t control, uint64_t last) noexcept nogil:
    """The value behind `last`."""
    cdef uint64_t scaled
    if control & (CHANGED | DECIMAL) != DECIMAL:
        return last ^ next_changed(input, control)
    scaled = <uint64_t>scaled_near(last, control & EXPONENT) + unzigzag(next_varint(input))
    return unscaled_bits(<int64_t>scaled, control & EXPONENT)


cdef inline bint within(
    int64_t first, uint32_t count, int64_t whole, uint32_t whole_count
) noexcept nogil:
    """Whether a side of ranges is a part of another."""
    cdef uint64_t skipped = <uint64_t>first - <uint64_t>whole
    return count == 0 or (skipped <= whole_count and count <= whole_count - skipped)


cdef void next_ranges(Input *input, const TailView *view, Ranges *written) noexcept nogil:
    cdef const Ranges *whole = &view.ranges
    written.positive = <int64_t>unzigzag(next_varint(input))
    written.positive_count = <uint32_t>next_varint(input)
    written.negative = <int64_t>unzigzag(next_varint(input))
    written.negative_count = <uint32_t>next_varint(input)
    if not (
        view.ranged
        and within(written.positive, written.positive_count, whole.positive, whole.positive_count)
        and within(written.negative, written.negative_count, whole.negative, whole.negative_count)
    ):
        set_bad(input)


cdef void next_row(
    Input *input, const TailView *view, const Ranges *written, uint64_t *row
) noexcept nogil:
    """The row behind the one that stands right before `row`."""
    cdef uint32_t kind = view.kind, words = view.newest.row_words, written_words = words
    cdef uint32_t j, at, positive = 0, negative = 0
    cdef uint64_t number, zeros = 0
    memcpy(row, row - words, 8 * words)
    for j in range(min(words, ROW_EXPONENTIAL) if kind != KIND_SUMMARY else words):
        if row_is_double(kind, j):
            row[j] ^= next_changed(input, next_byte(input))
    # The entry has the counts of the ranges of its time, `row` has those of the tail's present
    # ones.
    if view.ranged:
        written_words = ROW_EXPONENTIAL + written.positive_count + written.negative_count
        if written.positive_count:
            positive = <uint32_t>(written.positive - view.ranges.positive)
        if written.negative_count:
            negative = <uint32_t>(written.negative - view.ranges.negative)
            negative += view.ranges.positive_count - written.positive_count
    for j in range(first_count(kind, words), written_words):
        if is_threshold(kind, j):
            continue
        if zeros:
            zeros -= 1
            continue
        number = next_varint(input)
        if number == 0:
            zeros = next_varint(input)
            continue
        at = j
        if view.ranged and j >= ROW_EXPONENTIAL:
            at += positive if j < ROW_EXPONENTIAL + written.positive_count else negative
        row[at] += unzigzag(number)
    if zeros:
        set_bad(input)


cdef inline void next_time(
    Input *input, const TailView *view, const int64_t *times, const TailCursor *cursor,
    uint8_t meta, TailPoint *point
) noexcept nogil:
    cdef uint64_t number, skipped
    if view.own:
        number = <uint64_t>cursor.delta + unzigzag(next_varint(input))
        point.time = <int64_t>(<uint64_t>cursor.last.time + number)
        return
    number = <uint32_t>(cursor.last.tick + 1)
    if meta & TICK:
        skipped = next_varint(input)
        # No sum may wrap around to a tick that was there before.
        number = number + skipped if skipped <= UINT32_MAX else skipped
    if number > view.tick - view.first_tick:
        set_bad(input)
        return
    point.tick = <uint32_t>number
    point.time = times[number]


cdef inline void put_in_rows(Rows *rows, size_t i, const TailPoint *point) noexcept nogil:
    rows.times[i] = point.time
    rows.starts[i] = point.start
    rows.values[i] = point.value
    rows.flags[i] = point.flags


cdef inline int next_entries(
    const TailView *view, const int64_t *times, Rows *rows, uint64_t *row, bint rowed
) noexcept nogil:
    """Puts all points but the newest behind the rows, whose count stays. `rowed`: their row words
    go to `row` and behind."""
    cdef uint32_t words = view.newest.row_words
    cdef uint8_t control, meta
    cdef uint64_t number
    cdef size_t i
    cdef TailCursor cursor
    cdef TailPoint point
    cdef Ranges written
    cdef Input input
    memset(&written, 0, sizeof(Ranges))
    point.time = point.start = 0
    point.value = point.flags = point.tick = 0
    input.at = view.bytes
    input.end = view.bytes + view.length
    input.bad = 0
    # Ticks are counted from the tail's first.
    cursor_begin(&cursor, 0)
    for i in range(rows.count, rows.count + view.count - 1):
        control = next_byte(&input)
        meta = next_byte(&input) if control & META else 0
        next_time(&input, view, times, &cursor, meta, &point)
        point.start = expected_start(&cursor)
        if meta:
            if meta & FLAGS:
                point.flags = <uint32_t>next_varint(&input)
            if meta & START:
                number = <uint64_t>cursor.last.start + unzigzag(next_varint(&input))
                point.start = <int64_t>number
            elif meta & START_FLIP:
                point.start = other_start(&cursor)
            if meta & RANGES:
                next_ranges(&input, view, &written)
        if not rowed:
            point.value = next_number(&input, control, cursor.last.value)
        else:
            point.value = cursor.last.value + unzigzag(next_varint(&input))
            if words and not input.bad:
                next_row(&input, view, &written, row)
                row += words
        if input.bad:
            return BAD_BYTES
        put_in_rows(rows, i, &point)
        cursor_step(&cursor, &point, meta, <uint32_t>(input.at - view.bytes), view.own)
    return OK if input.at == input.end else BAD_BYTES


cdef int decode_numbers(const TailView *view, const int64_t *times, Rows *rows) noexcept nogil:
    cdef size_t i
    cdef int status = next_entries(view, times, rows, NULL, False)
    if status != OK:
        return status
    if rows.layout != NULL:
        for i in range(rows.count, rows.count + view.count):
            rows.layout[i] = NO_LAYOUT
            rows.row[i] = 0
    return OK


cdef int decode_rowed(const TailView *view, const int64_t *times, Rows *rows) noexcept nogil:
    cdef size_t words = view.newest.row_words, i
    cdef int64_t layout
    cdef int status
    # One row more: what the first row is told against.
    if rows_reserve_words(rows, words * (view.count + 1)) != OK:
        return NO_MEMORY
    layout = rows_layout(rows, view.newest.layout_words, <uint32_t>words, view.newest.layout)
    if layout < 0:
        return NO_MEMORY
    if words:
        memset(rows.words + rows.word_count, 0, 8 * words)
    status = next_entries(view, times, rows, rows.words + rows.word_count + words, True)
    if status != OK:
        return status
    for i in range(view.count):
        rows.layout[rows.count + i] = <uint32_t>layout
        rows.row[rows.count + i] = rows.word_count + words * (i + 1)
    if words:
        rows.word_count += words * (view.count + 1)
        memcpy(rows.words + rows.word_count - words, view.newest.row, 8 * words)
    return OK


cdef int tail_decode(const TailView *view, const int64_t *times, Rows *rows) noexcept nogil:
    cdef size_t newest
    cdef int status
    if view.count == 0:
        return OK
    if rows_reserve(rows, view.count, view.newest.rowed) != OK:
        return NO_MEMORY
    if view.newest.rowed:
        status = decode_rowed(view, times, rows)
    else:
        status = decode_numbers(view, times, rows)
    if status != OK:
        return status
    newest = rows.count + view.count - 1
    rows.times[newest] = view.newest.time
    rows.starts[newest] = view.newest.start
    rows.values[newest] = view.newest.value
    rows.flags[newest] = view.newest.flags
    rows.count += view.count
    return OK
