"""The newest points of a series, in a stream; the contract is in chunks/tail.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_free
from urpo_store.engine.memory.epoch cimport Epochs, mem_retire
from urpo_store.engine.points.ranges cimport (
    Ranges, ranges_equal, ranges_pad, ranges_row, ranges_write,
)
from urpo_store.engine.points.slots cimport FLAG_INT, KIND_SUMMARY, ROW_EXPONENTIAL, row_is_double
from urpo_store.engine.codec.bits cimport put_varint, unzigzag, zigzag
from urpo_store.engine.codec.decimals cimport scaled_near, unscaled_bits
from urpo_store.engine.chunks.layout cimport layout_data
from urpo_store.engine.chunks.rows cimport (
    NO_LAYOUT, Rows, rows_layout, rows_reserve, rows_reserve_words,
)
from urpo_store.engine.chunks.work cimport Work, work_out

cdef extern from *:
    int __builtin_ctzll(unsigned long long) noexcept nogil
    int __builtin_clzll(unsigned long long) noexcept nogil

cdef enum:
    META = 0x80
    CHANGED = 0x40
    DECIMAL = 0x20              # without CHANGED
    TICK = 1
    FLAGS = 2
    START_FLIP = 4
    START = 8
    RANGES = 16

    FEW_BITS = 40               # more of a decimal's change takes no fewer bytes than the bits changed
    MOST_DIGITS = 6             # of a decimal behind the point, as far as they are looked for
    LOOK_EVERY = 8              # points between two looks for how many they are, where they are not known
    NUMBER_ENTRY = 48           # no entry of a number is longer
    MIDDLING_STREAM = 512       # room from which on it grows by two, not four
    FIRST_STREAM = 56           # room of a new series' stream


# Varints

cdef inline const uint8_t *get_varint(const uint8_t *bytes, uint64_t *value) noexcept nogil:
    """As codec/bits.pxd's, of bytes that we wrote ourselves: no end is looked for."""
    cdef uint64_t result = bytes[0] & 0x7F
    cdef int shift = 7
    while bytes[0] & 0x80:
        bytes += 1
        result |= <uint64_t>(bytes[0] & 0x7F) << shift
        shift += 7
    value[0] = result
    return bytes + 1


cdef inline uint8_t *put_changed(uint8_t *control, uint8_t *out, uint64_t changed) noexcept nogil:
    """Sets the low bits of *control, and writes the bytes of a value that changed."""
    cdef int zeros, bytes
    cdef uint64_t shifted
    if changed == 0:
        return out
    zeros = __builtin_ctzll(changed) >> 3
    bytes = 8 - (__builtin_clzll(changed) >> 3) - zeros
    control[0] |= <uint8_t>(CHANGED | zeros << 3 | (bytes - 1))
    shifted = changed >> (8 * zeros)
    # Eight bytes are written whatever is needed; the caller has left room, and the next entry
    # starts behind those that count. (Little-endian, as everything here.)
    memcpy(out, &shifted, 8)
    return out + bytes


cdef inline bint is_decimal(uint64_t bits, int exponent, int64_t *scaled) noexcept nogil:
    scaled[0] = scaled_near(bits, exponent)
    return unscaled_bits(scaled[0], exponent) == bits


cdef uint8_t *put_number(uint8_t *control, uint8_t *out, Tail *tail) noexcept nogil:
    """A value, in whichever way takes fewer bytes. Nearly all bits of a decimal change each time."""
    cdef uint64_t changed = tail.value ^ tail.last_value
    cdef int64_t scaled = 0
    cdef uint64_t number
    cdef uint8_t exponent = tail.exponent
    cdef bint found
    if tail.flags & FLAG_INT or changed == 0 or changed >> (__builtin_ctzll(changed) & ~7) < 1 << 16:
        # Two bytes at most as it is.
        return put_changed(control, out, changed)
    found = exponent and is_decimal(tail.value, exponent, &scaled)
    if not found and tail.count % LOOK_EVERY == 2:
        exponent = 0
        while exponent < MOST_DIGITS and not found:
            exponent += 1
            found = is_decimal(tail.value, exponent, &scaled)
    if found:
        tail.exponent = exponent
        number = zigzag(<uint64_t>scaled - <uint64_t>scaled_near(tail.last_value, exponent))
        if number < <uint64_t>1 << FEW_BITS:
            control[0] |= DECIMAL | exponent
            return put_varint(out, number)
    return put_changed(control, out, changed)


cdef inline const uint8_t *get_changed(
    uint8_t control, const uint8_t *bytes, uint64_t *changed
) noexcept nogil:
    cdef int n, i
    cdef uint64_t value = 0
    if not control & CHANGED:
        changed[0] = 0
        return bytes
    n = (control & 7) + 1
    for i in range(n):
        value |= <uint64_t>bytes[i] << (8 * i)
    changed[0] = value << (8 * ((control >> 3) & 7))
    return bytes + n


# Writing

cdef uint8_t *put_row(
    uint8_t *out, const uint64_t *row, const uint64_t *last, uint32_t words, uint32_t kind
) noexcept nogil:
    cdef uint32_t j, zeros = 0
    cdef uint64_t delta
    cdef uint8_t *control
    for j in range(words):
        if row_is_double(kind, j):
            control = out
            control[0] = 0
            out = put_changed(control, out + 1, row[j] ^ last[j])
    for j in range(words):
        if row_is_double(kind, j):
            continue
        delta = row[j] - last[j]
        if delta == 0:
            zeros += 1
            continue
        if zeros:
            out[0] = 0
            out = put_varint(out + 1, zeros - 1)
            zeros = 0
        out = put_varint(out, zigzag(delta))
    if zeros:
        out[0] = 0
        out = put_varint(out + 1, zeros - 1)
    return out


cdef uint8_t *put_entry(uint8_t *out, Tail *tail, uint32_t kind) noexcept nogil:
    cdef uint8_t *control = out
    cdef uint8_t meta = 0
    cdef const TailRows *rows = tail.rows
    cdef int64_t start = tail.last_time if tail.flipped else tail.last_start
    cdef int64_t other = tail.last_start if tail.flipped else tail.last_time
    cdef bint first = tail.count == 1
    cdef uint64_t delta
    cdef uint32_t skipped = 0 if first else tail.tick - tail.last_tick - 1
    if tail.clock != NULL and skipped:
        meta |= TICK
    if tail.flags != tail.last_flags:
        meta |= FLAGS
    if tail.start != start:
        meta |= START_FLIP if tail.start == other else START
    if rows != NULL and rows.ranged and not ranges_equal(&rows.ranges, &rows.written):
        meta |= RANGES
    control[0] = META if meta else 0
    out += 1
    if meta:
        out[0] = meta
        out += 1
    if tail.clock == NULL:
        delta = <uint64_t>tail.time - <uint64_t>tail.last_time
        out = put_varint(out, zigzag(delta - <uint64_t>tail.last_delta))
    elif meta & TICK:
        out = put_varint(out, skipped)
    if meta & FLAGS:
        out = put_varint(out, tail.flags)
    if meta & START:
        out = put_varint(out, zigzag(<uint64_t>tail.start - <uint64_t>tail.last_start))
    if meta & RANGES:
        out = put_varint(out, zigzag(<uint64_t>rows.ranges.positive))
        out = put_varint(out, rows.ranges.positive_count)
        out = put_varint(out, zigzag(<uint64_t>rows.ranges.negative))
        out = put_varint(out, rows.ranges.negative_count)
    if rows == NULL:
        return put_number(control, out, tail)
    out = put_varint(out, zigzag(tail.value - tail.last_value))
    return put_row(
        out, <const uint64_t *>(rows + 1) + rows.row_words, <const uint64_t *>(rows + 1), rows.row_words, kind
    )


cdef void tail_free_stream(Account *account, Epochs *epochs, Tail *tail) noexcept nogil:
    if tail.shared and tail.bytes != NULL:
        mem_retire(epochs, account, tail.bytes)
    else:
        mem_free(account, tail.bytes)
    tail.bytes = NULL
    tail.shared = 0


cdef size_t room_wanted(const Tail *tail, size_t needed) noexcept nogil:
    """Room for a stream that has outgrown its own: a multiple of that, but not much more than what the
    whole stream will take if it goes on as it began."""
    cdef size_t wanted, whole
    if tail.capacity == 0:
        wanted = tail.reserve if tail.reserve > FIRST_STREAM else FIRST_STREAM
    else:
        wanted = <size_t>tail.capacity * (4 if tail.capacity < MIDDLING_STREAM else 2)
        whole = needed * tail.limit // tail.count
        whole += whole // 16
        # The last step goes all the way, rather than a crumb short of it.
        if wanted + wanted // 4 > whole:
            wanted = whole
    # A point at the end that is longer than expected must not cost a copy each.
    return wanted if wanted > needed + needed // 8 else needed + needed // 8


cdef int make_room(Account *account, Epochs *epochs, Tail *tail, size_t more) noexcept nogil:
    cdef size_t capacity
    cdef uint8_t *bytes
    if tail.length + more <= tail.capacity:
        return 0
    capacity = room_wanted(tail, tail.length + more)
    bytes = <uint8_t *>mem_alloc(account, capacity)
    if bytes == NULL:
        return -1
    if tail.length:
        memcpy(bytes, tail.bytes, tail.length)
    tail_free_stream(account, epochs, tail)
    tail.bytes = bytes
    tail.capacity = <uint32_t>capacity
    return 0


cdef int tail_flush(Work *work, Epochs *epochs, Tail *tail, uint32_t kind) noexcept nogil:
    cdef uint8_t *out
    cdef uint32_t words = 0
    cdef size_t length
    if tail.rows == NULL and tail.capacity - tail.length >= NUMBER_ENTRY:
        out = put_entry(tail.bytes + tail.length, tail, kind)
        tail.length = <uint32_t>(out - tail.bytes)
    else:
        if tail.rows != NULL:
            words = tail.rows.row_words
        # At worst each word is a delta of ten bytes behind a run of one zero.
        if work_out(work, NUMBER_ENTRY + 48 + 12 * words) != 0:
            return -1
        length = put_entry(work.out, tail, kind) - work.out
        if make_room(work.account, epochs, tail, length) != 0:
            return -1
        memcpy(tail.bytes + tail.length, work.out, length)
        tail.length += <uint32_t>length
    if tail.start != (tail.last_time if tail.flipped else tail.last_start):
        if tail.start == (tail.last_start if tail.flipped else tail.last_time):
            tail.flipped = not tail.flipped
    # The first delta of own times is the first time itself; the next starts from nothing.
    tail.last_delta = 0 if tail.count == 1 else <int64_t>(<uint64_t>tail.time - <uint64_t>tail.last_time)
    tail.last_time = tail.time
    tail.last_tick = tail.tick
    tail.last_flags = tail.flags
    tail.last_start = tail.start
    tail.last_value = tail.value
    if tail.rows != NULL:
        if words:
            memcpy(tail_last_row(tail.rows), tail_newest_row(tail.rows), 8 * words)
        tail.rows.written = tail.rows.ranges
    return 0


cdef TailRows *tail_rows_new(Account *account, uint32_t row_words) noexcept nogil:
    cdef TailRows *rows = <TailRows *>mem_alloc(account, sizeof(TailRows) + 16 * row_words)
    if rows == NULL:
        return NULL
    memset(rows, 0, sizeof(TailRows) + 16 * row_words)
    rows.row_words = row_words
    return rows


cdef TailRows *tail_rows_widened(Account *account, const TailRows *old, const Ranges *ranges) noexcept nogil:
    cdef TailRows *rows = tail_rows_new(account, ranges_row(ranges))
    cdef const uint64_t *words
    if rows == NULL:
        return NULL
    rows.ranged = 1
    rows.ranges = ranges[0]
    if old != NULL:
        words = <const uint64_t *>(old + 1)
        rows.written = old.written
        ranges_pad(&old.ranges, words, ranges, tail_last_row(rows))
        ranges_pad(&old.ranges, words + old.row_words, ranges, tail_newest_row(rows))
    else:
        rows.written.scale = ranges.scale
    return rows


# Reading

cdef void tail_view(const Tail *tail, uint32_t kind, uint64_t *layout, TailView *view) noexcept nogil:
    cdef TailRows *rows = tail.rows
    memset(view, 0, sizeof(TailView))
    view.bytes = tail.bytes
    view.length = tail.length
    view.count = tail.count
    view.own = tail.clock == NULL
    view.kind = kind
    view.first_tick = tail.first_tick
    view.tick = tail.tick
    view.newest.time = tail.time
    view.newest.start = tail.start
    view.newest.value = tail.value
    view.newest.flags = tail.flags
    if rows == NULL:
        return
    view.newest.rowed = 1
    view.newest.row_words = rows.row_words
    view.newest.row = tail_newest_row(rows)
    view.ranged = rows.ranged
    view.ranges = rows.ranges
    if rows.ranged:
        ranges_write(&rows.ranges, layout)
        view.newest.layout_words = 2
        view.newest.layout = layout
    else:
        view.newest.layout_words = rows.layout.layout_words
        view.newest.layout = layout_data(rows.layout)


cdef const uint8_t *get_row(
    const uint8_t *bytes, const TailView *view, const Ranges *written, const uint64_t *last, uint64_t *row
) noexcept nogil:
    cdef uint32_t words = view.newest.row_words, j, at, n, positive, negative, zeros = 0
    cdef uint64_t value
    cdef uint8_t control
    if words == 0:
        return bytes
    memcpy(row, last, 8 * words)
    for j in range(words):
        if j >= ROW_EXPONENTIAL and view.kind != KIND_SUMMARY:
            break
        if row_is_double(view.kind, j):
            control = bytes[0]
            bytes = get_changed(control, bytes + 1, &value)
            row[j] ^= value
    # The counts in the stream are those of the ranges at that time; in `row`, of the tail's last.
    positive = negative = 0
    n = words
    if view.ranged:
        n = ROW_EXPONENTIAL + written.positive_count + written.negative_count
        if written.positive_count:
            positive = <uint32_t>(written.positive - view.ranges.positive)
        if written.negative_count:
            negative = <uint32_t>(written.negative - view.ranges.negative)
            negative += view.ranges.positive_count - written.positive_count
    for j in range(n):
        if row_is_double(view.kind, j):
            continue
        if zeros:
            zeros -= 1
            continue
        bytes = get_varint(bytes, &value)
        if value == 0:
            bytes = get_varint(bytes, &value)
            zeros = <uint32_t>value
            continue
        at = j
        if view.ranged and j >= ROW_EXPONENTIAL:
            at += positive if j < ROW_EXPONENTIAL + written.positive_count else negative
        row[at] += unzigzag(value)
    return bytes


cdef int tail_decode(const TailView *view, const int64_t *times, Rows *rows) noexcept nogil:
    cdef const uint8_t *bytes = view.bytes
    cdef uint32_t i, tick = 0, flags = 0, words = view.newest.row_words
    cdef bint rowed = view.newest.rowed, flipped = 0
    cdef uint64_t value = 0, changed, number, delta = 0, time = 0
    cdef int64_t start = 0, last_time = 0, predicted
    cdef int64_t layout = NO_LAYOUT
    cdef uint64_t *row = NULL
    cdef const uint64_t *last
    cdef uint8_t control, meta
    cdef size_t at = rows.count
    cdef Ranges written
    if view.count == 0:
        return 0
    if rows_reserve(rows, view.count, rowed) != 0:
        return -1
    if rowed:
        # One row more: what the first row is compared with.
        if rows_reserve_words(rows, <size_t>words * (view.count + 1)) != 0:
            return -1
        layout = rows_layout(rows, view.newest.layout_words, words, view.newest.layout)
        if layout < 0:
            return -1
        row = rows.words + rows.word_count
        if words:
            memset(row, 0, 8 * words)
        row += words
        memset(&written, 0, sizeof(Ranges))
    for i in range(view.count - 1):
        control = bytes[0]
        bytes += 1
        meta = 0
        if control & META:
            meta = bytes[0]
            bytes += 1
        if view.own:
            bytes = get_varint(bytes, &number)
            delta += unzigzag(number)
            time += delta
            if i == 0:
                delta = 0
        else:
            if i:
                tick += 1
            if meta & TICK:
                bytes = get_varint(bytes, &number)
                tick += <uint32_t>number
            time = <uint64_t>times[tick]
        predicted = last_time if flipped else start
        if meta:
            if meta & FLAGS:
                bytes = get_varint(bytes, &number)
                flags = <uint32_t>number
            if meta & START_FLIP:
                predicted = start if flipped else last_time
                flipped = not flipped
            elif meta & START:
                bytes = get_varint(bytes, &number)
                predicted = <int64_t>(<uint64_t>start + unzigzag(number))
            if meta & RANGES:
                bytes = get_varint(bytes, &number)
                written.positive = <int64_t>unzigzag(number)
                bytes = get_varint(bytes, &number)
                written.positive_count = <uint32_t>number
                bytes = get_varint(bytes, &number)
                written.negative = <int64_t>unzigzag(number)
                bytes = get_varint(bytes, &number)
                written.negative_count = <uint32_t>number
        start = predicted
        if not rowed and control & (CHANGED | DECIMAL) == DECIMAL:
            bytes = get_varint(bytes, &number)
            number = <uint64_t>scaled_near(value, control & 15) + unzigzag(number)
            value = unscaled_bits(<int64_t>number, control & 15)
        elif not rowed:
            bytes = get_changed(control, bytes, &changed)
            value ^= changed
        else:
            bytes = get_varint(bytes, &number)
            value += unzigzag(number)
            last = row - words
            bytes = get_row(bytes, view, &written, last, row)
            rows.layout[at + i] = <uint32_t>layout
            rows.row[at + i] = row - rows.words
            row += words
        last_time = <int64_t>time
        rows.times[at + i] = last_time
        rows.starts[at + i] = start
        rows.values[at + i] = value
        rows.flags[at + i] = flags
    at += view.count - 1
    rows.times[at] = view.newest.time
    rows.starts[at] = view.newest.start
    rows.values[at] = view.newest.value
    rows.flags[at] = view.newest.flags
    if rowed:
        if words:
            memcpy(row, view.newest.row, 8 * words)
        rows.layout[at] = <uint32_t>layout
        rows.row[at] = row - rows.words
        rows.word_count += <size_t>words * (view.count + 1)
    elif rows.layout != NULL:
        for i in range(view.count):
            rows.layout[rows.count + i] = NO_LAYOUT
            rows.row[rows.count + i] = 0
    rows.count += view.count
    return 0
