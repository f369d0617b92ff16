# A sealed chunk: a header of 16 bytes, and columns. docs/format.md draws it.
#
# Immutable once made. A chunk holds references to its layout and to the blocks of its clock: taken by whoever
# makes it (chunks/sealing.pyx, chunks/full_tails.pyx), given back when it goes (unlink_chunk).
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from urpo_store.engine.chunks.clock cimport ClockTable, TickBlock
from urpo_store.engine.chunks.layout cimport Layout
from urpo_store.engine.chunks.rows cimport Rows
from urpo_store.engine.chunks.work cimport Work

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
    STARTS_GAPS = 4 << 2        #   a column of integers: less the time of the point before (the first: its own)
    FLAGS = 3 << 5              # flags:
    FLAGS_NONE = 0 << 5         #   all 0
    FLAGS_INT = 1 << 5          #   all FLAG_INT
    FLAGS_EQUAL = 2 << 5        #   u32
    FLAGS_COLUMN = 3 << 5       #   a column of integers
    VALUES = 3 << 7             # values of numbers (counts are integers):
    VALUES_DOUBLES = 0 << 7     #   a column of doubles
    VALUES_INTS = 1 << 7        #   a column of integers
    VALUES_MIXED = 2 << 7       #   a column of doubles; those with FLAG_INT are integers
    VALUES_BITS = 3 << 7        #   a column of integers: the bits, of doubles and integers
    COUNT_IS_SUM = 1 << 9       # the count is the sum of the bucket (and zero) counts and not stored
    ROWED = 1 << 10             # a kind with rows: the layout's pointer, first

    SPARSE = 8                  # a bitmap has at most so many ticks a point; else times of its own

cdef struct Chunk:
    uint32_t clock              # the clock's id; 0: times of its own
    uint32_t tick               # the number of the first tick
    uint16_t count
    uint16_t flags
    uint32_t length             # bytes behind the header

cdef inline uint8_t *chunk_bytes(const Chunk *chunk) noexcept nogil:
    return <uint8_t *>(chunk + 1)

# Encodes rows[first:first + count] (ascending; all of one layout, whose row words stand in `rows`).
# ticks: the points' ticks of clock `clock`, or NULL for times of their own. NULL: no memory.
cdef Chunk *chunk_encode(Work *work, uint32_t kind, const Rows *rows, size_t first, size_t count, uint32_t clock, const uint32_t *ticks, Layout *layout) noexcept nogil
# Appends the chunk's points. `blocks`: those of its ticks (chunk_block_count of them). 0, or -1: no
# memory, rows as before. No lock.
cdef int chunk_decode(Work *work, uint32_t kind, const Chunk *chunk, TickBlock **blocks, Rows *rows) noexcept nogil
cdef Layout *chunk_layout(const Chunk *chunk) noexcept nogil                            # NULL if none
cdef uint32_t chunk_last_tick(const Chunk *chunk) noexcept nogil
cdef uint32_t chunk_block_count(const Chunk *chunk) noexcept nogil                     # 0: times of its own
cdef inline size_t chunk_size(const Chunk *chunk) noexcept nogil:
    return sizeof(Chunk) + chunk.length

# The first and last time. Under the lock. 0, or -1: no memory.
cdef int chunk_first(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t *time) noexcept nogil
cdef int chunk_last(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t *time) noexcept nogil
# Whether the chunk ends (begins) before `time`, or begins by then; mostly known without decoding. -1: no
# memory.
cdef int chunk_ends_before(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time) noexcept nogil
cdef int chunk_begins_before(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time) noexcept nogil
cdef int chunk_begins_by(ClockTable *clocks, Work *work, const Chunk *chunk, int64_t time) noexcept nogil
# Some time not before the chunk's last, and not far behind it; nothing is decoded.
cdef int64_t chunk_about(ClockTable *clocks, const Chunk *chunk) noexcept nogil
