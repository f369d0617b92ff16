# A sealed chunk: a header of 16 bytes, and columns. docs/format.md draws it.
#
#   chunks/encode     points to a chunk
#   chunks/decode     a chunk to points
#   here              the header, and the times between which a chunk's points lie
#
# A chunk stands alone: its bytes hold no pointer. It names its clock and its layout by number, in
# the tables of the store (or of whatever file the chunk is in).
#
# Invariants
# (1) A chunk never changes once it is made.
# (2) A chunk of a store has a claim to its ticks and a reference to its layout. Its makers
#     (chunks/sealing, chunks/full_tails) take both, unlink_chunk gives them back.
# (3) The functions below that take a ClockTable are for chunks of a store, under the drain lock.
#     They trust the header. chunk_sound and chunk_decode trust nothing.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from urpo_store.engine.chunks.types cimport Chunk, ClockTable, Work

cdef enum:
    # Chunk.flags
    TIMES = 3                   # where the times are:
    TIMES_TICKS = 0             #   ticks `tick`, `tick` + 1, ..
    TIMES_BITMAP = 1            #   u16 span and a bitmap: which of the ticks from `tick` on
    TIMES_OWN = 2               #   i64 first, i64 last and a column of times; clock is 0
    STARTS = 7 << 2             # start times:
    STARTS_UNKNOWN = 0 << 2     #   all 0
    STARTS_EQUAL = 1 << 2       #   i64
    STARTS_FOLLOW = 2 << 2      #   i64 of the first; each other the time of the point before
    STARTS_COLUMN = 3 << 2      #   a column of integers
    STARTS_GAPS = 4 << 2        #   a column of integers: less the time of the point before (the
                                #   first: its own)
    FLAGS = 3 << 5              # flags:
    FLAGS_NONE = 0 << 5         #   all 0
    FLAGS_INT = 1 << 5          #   all FLAG_INT
    FLAGS_EQUAL = 2 << 5        #   u32
    FLAGS_COLUMN = 3 << 5       #   a column of integers
    VALUES = 3 << 7             # values of numbers (counts are integers, and have 0 here):
    VALUES_DOUBLES = 0 << 7     #   a column of doubles
    VALUES_INTS = 1 << 7        #   a column of integers
    VALUES_MIXED = 2 << 7       #   a column of doubles; those with FLAG_INT are integers
    VALUES_BITS = 3 << 7        #   a column of integers: the bits, of doubles and integers
    COUNT_IS_SUM = 1 << 9       # the count is the sum of the bucket (and zero) counts, not stored
    ROWED = 1 << 10             # a kind with rows: u32 number of the layout, first
    CHUNK_FLAGS_END = 1 << 11

    SPARSE = 8                  # a bitmap has at most so many ticks a point; else times of its own
    CHUNK_SPANS = SPARSE + 1    # blocks in which a chunk or a tail has ticks, at most

cdef inline const uint8_t *chunk_bytes(const Chunk *chunk) noexcept nogil:
    return <const uint8_t *>(chunk + 1)


cdef inline size_t chunk_size(const Chunk *chunk) noexcept nogil:
    return sizeof(Chunk) + chunk.length


# Whether the `room` bytes at `chunk` begin with a chunk of a series of this kind, as far as the
# header and what is at a fixed place tell. Then the inline functions below may be used, and columns
# are the only thing that may still be damaged. REQUIRES: chunk is 4-aligned.
cdef bint chunk_sound(const Chunk *chunk, size_t room, uint32_t kind) noexcept nogil


cdef inline uint32_t chunk_layout(const Chunk *chunk) noexcept nogil:
    """The number of the layout; 0: a number's chunk has none."""
    cdef uint32_t id = 0
    if chunk.flags & ROWED:
        memcpy(&id, chunk_bytes(chunk), 4)
    return id


cdef inline const uint8_t *chunk_times(const Chunk *chunk) noexcept nogil:
    """Where the times begin."""
    return chunk_bytes(chunk) + (4 if chunk.flags & ROWED else 0)


cdef inline uint32_t chunk_span(const Chunk *chunk) noexcept nogil:
    """How many ticks there are from the first point to the last. REQUIRES: it has a clock."""
    cdef uint16_t span = chunk.count
    if chunk.flags & TIMES == TIMES_BITMAP:
        memcpy(&span, chunk_times(chunk), 2)
    return span


cdef inline uint32_t chunk_last_tick(const Chunk *chunk) noexcept nogil:
    return chunk.tick + chunk_span(chunk) - 1


# Set *time to the first and last time. OK, or the status of reading the clock.
cdef int chunk_first(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t *time
) noexcept nogil
cdef int chunk_last(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t *time
) noexcept nogil
# Whether the chunk ends before `time`, begins before `time`, or begins by then: 1, 0, or the status
# of reading the clock, which is below 0. Mostly nothing needs to be decoded.
cdef int chunk_ends_before(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time
) noexcept nogil
cdef int chunk_begins_before(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time
) noexcept nogil
cdef int chunk_begins_by(
    const ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time
) noexcept nogil
# Some time not before the chunk's last, and not far behind it; nothing is decoded.
cdef int64_t chunk_about(const ClockTable *clocks, const Chunk *chunk) noexcept nogil
