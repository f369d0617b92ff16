# The tail of a series: its newest points, in a stream of bytes to which points are only added.
#
# A full chunk's worth of points (CHUNK_POINTS) is collected here and then encoded once. The stream
# is plain and quick: what differs from the point before, byte-aligned.
#
#   entry    u8 control: bit 7 META follows; a number: bit 6 the value's bits changed, bits 3..5 how many
#            low zero bytes the changed bits have, bits 0..2 how many bytes follow these, less one; with
#            bit 6 clear and bit 5 set the value is a decimal, bits 0..3 its exponent
#   META     u8: 1 TICK, 2 FLAGS, 4 START_FLIP, 8 START, 16 RANGES; then what is named, in this order
#   TICK     varint, ticks since the last point less one; without it the next tick. A tail with times
#            of its own has instead always, behind control and META: varint zigzag, the delta's delta
#   FLAGS    varint; without it as before
#   START    varint zigzag, less the last start. Else the last start or, after an odd number of
#            START_FLIP, the last point's time
#   RANGES   of an exponential histogram, from here on: varint zigzag positive, varint count,
#            the same for negative; at first all 0
#   value    a number: the bytes named, xor the last value's bits, without low zero bytes. A decimal:
#            varint zigzag, value * 10^exponent less the integer next to the last value * 10^exponent. A
#            count: varint zigzag delta
#   row      each double: u8 as a number's control, and bytes; then the integers' deltas to the last
#            row, varint zigzag, or 0 and varint (zeros - 1) for a run of zeros
#
# Invariants
# (1) Written under the drain lock. Bytes before `length` never change; a stream that outgrows its
#     room is copied, and the old one, if a reader was told of it (`shared`), retired through epochs. So a
#     reader inside an epoch may decode what it was told of under the lock.
# (2) The newest point is not in the stream but in `time`.. and `rows`, so that it can be replaced.
# (3) All points of a tail have one layout; of an exponential histogram, one that may still widen.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.points.ranges cimport Ranges
from urpo_store.engine.chunks.clock cimport Clock
from urpo_store.engine.chunks.layout cimport Layout
from urpo_store.engine.chunks.rows cimport PointView, Rows
from urpo_store.engine.chunks.work cimport Work

# What a tail of a kind with rows has besides.
cdef struct TailRows:
    Layout *layout              # NULL if the layout is `ranges`
    bint ranged                 # an exponential histogram whose layout may widen
    Ranges ranges               # of the rows held here
    Ranges written              # of the last row in the stream
    uint32_t row_words
    uint32_t padding
    # 2 * row_words words follow: the last row in the stream, the newest

cdef struct Tail:
    uint8_t *bytes
    uint32_t length, capacity
    uint16_t count              # points, the newest included
    uint16_t limit              # points at which the tail is sealed
    uint8_t flipped             # the start of the next point is taken to be the last point's time
    uint8_t restless            # the series should look for another clock when its tail is sealed
    uint8_t exponent            # of the last decimal; 0 none yet
    uint8_t shared              # a reader was told of `bytes`, and may still be at it; set by it, under the drain lock
    Clock *clock                # NULL: times of its own
    uint32_t first_tick         # of the first point
    uint32_t tick               # of the newest point
    uint32_t last_tick          # of the last point in the stream
    uint32_t last_flags
    int64_t first_time
    # The last point in the stream.
    int64_t last_time
    int64_t last_delta          # own times: between the last two
    int64_t last_start
    uint64_t last_value
    # The newest point.
    int64_t time
    int64_t start
    uint64_t value
    uint32_t flags
    uint32_t reserve            # room for a new stream, from what the last one took
    TailRows *rows              # NULL for numbers
    Rows *late                  # points older than the newest; NULL if none

# What is needed to decode a tail, copied under the lock.
cdef struct TailView:
    const uint8_t *bytes
    uint32_t length
    uint32_t count
    bint own
    uint32_t kind
    uint32_t first_tick, tick
    PointView newest            # layout and row: where the copier put them
    bint ranged
    Ranges ranges

cdef inline uint64_t *tail_last_row(TailRows *rows) noexcept nogil:
    return <uint64_t *>(rows + 1)

cdef inline uint64_t *tail_newest_row(TailRows *rows) noexcept nogil:
    return <uint64_t *>(rows + 1) + rows.row_words

# Gives the stream back: at once, unless a reader may be at it.
cdef void tail_free_stream(Account *account, Epochs *epochs, Tail *tail) noexcept nogil
# Adds the newest point to the stream; it is then the last. 0, or -1: no memory, nothing changed.
cdef int tail_flush(Work *work, Epochs *epochs, Tail *tail, uint32_t kind) noexcept nogil
# Rows that hold `ranges` and, if `old` is given, its last and newest row too; NULL: no memory.
cdef TailRows *tail_rows_widened(Account *account, const TailRows *old, const Ranges *ranges) noexcept nogil
cdef TailRows *tail_rows_new(Account *account, uint32_t row_words) noexcept nogil
# A view of the tail as it is; its layout and row point into the tail, `layout` is 2 words of room.
cdef void tail_view(const Tail *tail, uint32_t kind, uint64_t *layout, TailView *view) noexcept nogil
# Appends the tail's points to rows. `times`: those of ticks first_tick..tick (NULL if own). 0, or -1:
# no memory, rows as before.
cdef int tail_decode(const TailView *view, const int64_t *times, Rows *rows) noexcept nogil
