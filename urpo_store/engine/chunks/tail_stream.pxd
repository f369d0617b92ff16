# The stream of a tail: the bytes of its points, one entry behind the other.
#
# An entry says how its point differs from the point before it. The writer appends one entry at a
# time (put_entry); the reader decodes all entries at once (tail_decode). Both keep the same
# TailCursor and move it on with the same functions, cursor_begin and cursor_step.
#
# An entry is byte-aligned, in this order:
#
#   control  u8. Bit 7: META follows. Of a number, the value is one of
#              bits that changed   bit 6 set; bits 3..5: low zero bytes of (value xor last value);
#                                  bits 0..2: how many bytes follow these zeros, less one
#              a decimal           bit 6 clear, bit 5 set; bits 0..3: its exponent
#              the same as before  bits 5 and 6 clear
#   META     u8: 1 TICK, 2 FLAGS, 4 START_FLIP, 8 START, 16 RANGES. Those parts follow, in order
#   TICK     on a clock: varint, how many ticks are skipped; without it the next tick. A tail with
#            times of its own has here, in every entry: varint zigzag, the change of the distance
#            between points
#   FLAGS    varint; without it as before
#   START    varint zigzag, the start less the last start. Without it the expected start: the last
#            start or, after an odd number of START_FLIP, the time of the last point. START_FLIP:
#            the other one
#   RANGES   of an exponential histogram, from this entry on: varint zigzag positive, varint count,
#            the same for negative; before the first RANGES all 0
#   value    a number: the bytes that changed. A decimal: varint zigzag, value * 10^exponent less
#            the integer next to (last value * 10^exponent). A count: varint zigzag, less the last
#            count
#   row      each double: u8 as a number's control, and its bytes; then each integer: varint zigzag,
#            less the last; a run of zeros is 0 and varint (zeros - 1)
#
# Before the first entry everything is 0, and the last tick is the one before the tail's first.
# No function takes a lock or allocates, but tail_decode for its rows.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.chunks.types cimport Rows, TailCursor, TailPoint, TailRows, TailView

cdef enum:
    META = 0x80                 # of control
    START_FLIP = 4              # of META
    # Bytes of an entry at most: of a number; of a point with a row, to which each row word adds
    # some more.
    NUMBER_ENTRY = 48
    ROW_ENTRY = 96
    WORD_ENTRY = 12

cdef inline void cursor_begin(TailCursor *cursor, uint32_t first_tick) noexcept nogil:
    """In front of the first entry. The writer's exponent stays."""
    cursor.last.time = cursor.last.start = 0
    cursor.last.value = cursor.last.flags = 0
    cursor.last.tick = first_tick - 1
    cursor.delta = 0
    cursor.length = 0
    cursor.count = 1
    cursor.flipped = 0


cdef inline int64_t expected_start(const TailCursor *cursor) noexcept nogil:
    return cursor.last.time if cursor.flipped else cursor.last.start


cdef inline int64_t other_start(const TailCursor *cursor) noexcept nogil:
    return cursor.last.start if cursor.flipped else cursor.last.time


cdef inline uint8_t entry_meta(const uint8_t *entry) noexcept nogil:
    return entry[1] if entry[0] & META else 0


cdef inline void cursor_step(
    TailCursor *cursor, const TailPoint *point, uint8_t meta, uint32_t length, bint own
) noexcept nogil:
    """Behind the entry of `point`, which ends at `length`."""
    if meta & START_FLIP:
        cursor.flipped = not cursor.flipped
    # The first point's distance is its time itself, which says nothing about the second's.
    if own and cursor.count > 1:
        cursor.delta = <int64_t>(<uint64_t>point.time - <uint64_t>cursor.last.time)
    cursor.last.time = point.time
    cursor.last.start = point.start
    cursor.last.value = point.value
    cursor.last.flags = point.flags
    cursor.last.tick = point.tick
    cursor.length = length
    cursor.count += 1


cdef inline uint64_t *tail_last_row(const TailRows *rows) noexcept nogil:
    return <uint64_t *>(rows + 1)


cdef inline uint64_t *tail_newest_row(const TailRows *rows) noexcept nogil:
    return <uint64_t *>(rows + 1) + rows.row_words


# Writes the entry of `point`, and of the newest row of `rows` (NULL: a number). Returns the byte
# behind. Nothing but cursor.exponent changes.
# REQUIRES: room for NUMBER_ENTRY bytes, or with rows for ROW_ENTRY + WORD_ENTRY * row words.
cdef uint8_t *put_entry(
    uint8_t *out, TailCursor *cursor, const TailPoint *point, const TailRows *rows, bint own,
    uint32_t kind
) noexcept nogil
# Appends all points of a tail to rows. `times` are those of the ticks first_tick..tick, NULL if
# own. Reads no byte behind the stream, whatever its bytes are. OK, NO_MEMORY, or BAD_BYTES: these
# are not `count` entries; the rows have the points that they had.
cdef int tail_decode(const TailView *view, const int64_t *times, Rows *rows) noexcept nogil
