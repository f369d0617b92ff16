# What the drain lock guards of a series (SeriesData) and of all series (ChunkStore).
#
# The structs stand apart from the functions, so that the modules of this room need not know one
# another, and identity can embed SeriesData without them. chunks/append.pxd says what they mean.
# "The lock" here is the drain lock, ChunkStore.lock.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport pthread_mutex_t
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.points.ranges cimport Ranges

cdef enum:
    TIME_CACHE = 8              # decoded blocks of ticks kept; a power of two

# ---- Working memory of encoding and decoding: chunks/work.pxd ----

cdef struct Work:
    Account *account            # constant; of all the memory below
    void *codec                 # codec_scratch(CHUNK_POINTS) bytes
    uint64_t *column            # one column: CHUNK_POINTS words
    uint32_t *ticks             # the ticks of a chunk's points: CHUNK_POINTS
    uint8_t *out                # bytes being written
    size_t out_capacity
    int64_t *span               # the times of a run of ticks
    size_t span_capacity
    uint64_t[TIME_CACHE] serials    # whose times are below; 0: nothing yet
    int64_t *times[TIME_CACHE]  # CHUNK_POINTS each; NULL until needed

# ---- Decoded points: chunks/rows.pxd ----

cdef struct Rows:
    Account *account
    int64_t *times
    int64_t *starts
    uint64_t *values
    uint32_t *flags
    uint32_t *layout            # index in layouts; NULL while only numbers are held
    uint64_t *row               # index of the point's first row word in words; NULL like layout
    size_t count, capacity
    uint64_t *words
    size_t word_count, word_capacity
    uint64_t *layouts           # each: offset in layout_words << 32 | L << 16 | R
    size_t layout_count, layout_capacity
    uint64_t *layout_words
    size_t layout_word_count, layout_word_capacity
    Work *work                  # for decoding; NULL until a snapshot is decoded
    uint32_t kind               # of the series decoded last; rows_sort adds points as this kind

# One point whose words are elsewhere.
cdef struct PointView:
    int64_t time
    int64_t start
    uint64_t value
    uint32_t flags
    bint rowed                  # it has a layout and a row, perhaps of no words
    uint32_t layout_words, row_words
    const uint64_t *layout
    const uint64_t *row

# ---- What rows have in common: chunks/layout.pxd ----

cdef struct Layout:
    Layout *next                # of the same bucket
    uint64_t references         # chunks, tails and full tails
    uint32_t hash
    uint32_t layout_words, row_words
    uint32_t id                 # its number, from 1
    # layout_words words follow

cdef struct LayoutTable:
    Account *account
    Epochs *epochs
    Layout **buckets            # by hash
    size_t size                 # of buckets: a power of two, 0 at first
    size_t count                # layouts in the table
    Layout **by_id              # by number; NULL where free
    size_t id_end, id_capacity  # numbers given so far are below id_end
    uint32_t *free_ids          # numbers below id_end that are free; room for all of them
    size_t free_count, free_capacity

# ---- Timestamps that series share: chunks/clock.pxd ----

cdef struct TickBlock:
    uint64_t serial             # constant; never given twice (TickSpan.serial)
    int64_t first, last         # times; under the lock
    uint64_t references         # under the lock
    uint32_t count, capacity    # ticks; under the lock
    uint32_t length             # constant: bytes encoded, 0 when raw
    uint32_t padding
    # the ticks, i64 each, or the encoded bytes follow

cdef struct Clock:
    Clock *next                 # of the same group
    uint32_t id                 # from 1
    uint32_t group
    uint64_t users
    TickBlock **blocks          # from number first_block on; NULL where retired
    size_t block_count, block_capacity
    uint32_t first_block
    uint32_t ticks              # the number of the next tick
    int64_t last                # the newest tick

cdef struct ClockTable:
    Account *account
    Epochs *epochs
    uint64_t *bytes             # the counter of sealed bytes
    uint64_t serial             # the last one given
    Clock **clocks              # by id; NULL where free
    size_t clock_count, clock_capacity
    Clock **groups              # by group, the first clock of each
    size_t group_count, group_capacity

# ---- A sealed chunk: chunks/chunk.pxd ----

cdef struct Chunk:
    uint32_t clock              # the clock's number; 0: times of its own
    uint32_t tick               # the number of the first tick
    uint16_t count              # points: 1..CHUNK_POINTS
    uint16_t flags
    uint32_t length             # bytes behind the header

# ---- The stream of a tail: chunks/tail_stream.pxd ----

# A point without its row.
cdef struct TailPoint:
    int64_t time
    int64_t start
    uint64_t value
    uint32_t flags
    uint32_t tick               # 0 with times of its own

# What the next entry is told against.
cdef struct TailCursor:
    TailPoint last              # the point of the last entry
    int64_t delta               # own times: the last distance; 0 before there are two points
    uint32_t length             # bytes of all entries so far
    uint16_t count              # points, the one of the next entry included; 0: an empty tail
    uint8_t flipped             # the expected start is last.time, not last.start
    uint8_t exponent            # the writer's next guess: of the last decimal; 0: none yet

# What the writer of points with rows keeps besides.
cdef struct TailRows:
    Layout *layout              # one reference; NULL if the layout is `ranges`
    bint ranged                 # an exponential histogram, whose ranges may widen
    Ranges ranges               # of both rows below
    Ranges written              # of the last entry
    uint32_t row_words
    uint32_t padding
    # 2 * row_words words follow: the row of the last entry, the newest row

# What is needed to decode a tail.
cdef struct TailView:
    const uint8_t *bytes
    uint32_t length
    uint32_t count              # points, the newest included; 0: nothing to decode
    bint own                    # times of its own
    uint32_t kind
    uint32_t first_tick, tick   # of the first point and of the newest
    PointView newest            # its layout and row stand where the copier put them
    bint ranged
    Ranges ranges

# ---- The newest points of a series: chunks/tail.pxd ----

# 136 bytes, which is what malloc gives without loss; there is one for each series with open points.
cdef struct Tail:
    uint8_t *bytes              # the stream
    uint32_t capacity
    uint32_t reserve            # room for the next stream, from what the last one took
    uint16_t limit              # points at which the tail is sealed
    uint8_t restless            # the series should look for another clock with its next point
    uint8_t shared              # a reader may be at `bytes`; set by it, under the drain lock
    uint32_t first_tick         # of the first point
    int64_t first_time
    Clock *clock                # NULL: times of its own
    TailCursor cursor           # behind the stream
    TailPoint newest
    TailRows *rows              # NULL for numbers
    Rows *late                  # ascending; NULL: none. LATE_OVERRIDE: it overrides one in a chunk
                                # or in the stream

# ---- series and their store ----

cdef enum:
    FULL_TAILS = 16             # taken aside at a time, at most; one more is sealed under the lock
    FULL_TICKS = 528            # ticks of one taken aside, at most: a tenth more than CHUNK_POINTS
    FULL_ROW = 64               # row words of its points, at most
    SEALERS = 4                 # workers at a time, at most

    # SeriesData.options
    DATA_ADD = 1                # points of equal time are added (collapsed deltas)

    # Rows.flags in Tail.late only: the point overrides one that is in a chunk or the tail.
    LATE_OVERRIDE = 0x80000000

cdef struct SeriesData

# A full tail that was taken aside; chunks/full_tails.pxd says what becomes of it. Immutable once
# queued, but for `held` and `gone`.
cdef struct FullTail:
    SeriesData *data            # whose
    TailView view
    Clock *clock                # claimed: ticks view.first_tick..view.tick; NULL: own times
    uint32_t clock_id           # 0 for own times
    bint held                   # under full_lock: a worker has it
    bint gone                   # under the lock: it was sealed, or given up, by another
    Layout *layout              # one reference, for the chunk; NULL for numbers
    int64_t[FULL_TICKS] times   # of those ticks
    uint64_t[FULL_ROW] row      # the newest

# A worker's memory.
cdef struct Sealer:
    Work *work
    Rows rows

# Written under the lock.
cdef struct SeriesData:
    Chunk **chunks              # sealed, ascending and disjoint
    uint32_t chunk_count
    uint32_t chunk_capacity
    Tail *tail                  # NULL while every point is sealed, or taken aside
    FullTail *full              # points between the chunks and the tail; NULL: none, mostly
    int64_t last_time           # newest time appended; INT64_MIN before the first
    int64_t given_up            # newest time that was dropped; INT64_MIN before the first
    uint64_t points             # distinct points held (chunks, tail, late)
    uint8_t *exemplars          # records (chunks/exemplars.pxd)
    uint32_t exemplar_bytes
    uint32_t exemplar_capacity
    uint32_t kind               # KIND_*; constant
    uint32_t options            # DATA_*; constant
    uint32_t clock_group        # constant

# A chunk that a fold leads to: a new one, or one that stays.
cdef struct Made:
    Chunk *chunk
    bint fresh

# Scratch memory of the holder of the lock. Nothing here outlives a call but `tails`, and what
# find_point keeps.
cdef struct Bench:
    Work *work
    Rows rows                   # points being folded or added
    Rows found                  # what was last decoded to look for a point
    const void *found_in        # of which chunk or tail; NULL: of none
    uint32_t found_length       # how long the tail's stream was
    uint64_t newest_layout[2]   # of a tail's newest point, as find_point shows it
    Made *made                  # the chunks of a fold
    size_t made_count, made_capacity
    uint32_t tails              # tails made so far; staggers their first seals
    bint regular_gaps           # the last chunk made skips ticks at a regular distance

cdef struct ChunkStore:
    Account *account
    Epochs *epochs
    pthread_mutex_t lock        # the drain lock
    LayoutTable layouts         # of all chunks; under the lock
    ClockTable clocks           # under the lock
    Bench bench                 # under the lock
    bint behind                 # more than half of the ring waits, so full tails are taken aside;
                                # written by the drain, under the lock
    pthread_mutex_t full_lock   # a leaf; guards what follows, up to the counters
    FullTail *full_queue[FULL_TAILS]
    uint32_t full_count
    FullTail *full_spare[FULL_TAILS]
    uint32_t full_spares
    uint32_t full_made          # FullTails in all
    Sealer *idle[SEALERS]
    uint32_t idle_count
    uint32_t sealer_count
    # Counters, written under the lock, read relaxed by stats().
    uint64_t points             # distinct points held
    uint64_t chunk_bytes        # chunks with headers, and blocks of clocks
    uint64_t chunk_count
    uint64_t duplicate_points
    uint64_t replaced_points
    uint64_t late_points
    uint64_t evicted_points     # dropped for want of memory, or with their series
    uint64_t expired_points     # older than the retention
    uint64_t dropped_exemplars
    uint64_t full_sealed        # full tails that workers put in their place
    uint64_t exemplar_room      # bytes allocated for exemplars; under the lock

cdef extern from * nogil:
    void __builtin_prefetch(const void *address)

# Asking for the memory that chunks_append is going to touch, in drains over more series than the
# caches hold: some twelve points ahead the series, eight ahead its tail, four ahead the end of its
# stream.
cdef inline void prefetch_series(const SeriesData *data) noexcept nogil:
    __builtin_prefetch(data)
    __builtin_prefetch(<const char *>data + 64)


cdef inline void prefetch_tail(const SeriesData *data) noexcept nogil:
    if data.tail != NULL:
        __builtin_prefetch(data.tail)
        __builtin_prefetch(<const char *>data.tail + 64)
        __builtin_prefetch(<const char *>data.tail + 128)


cdef inline void prefetch_stream(const SeriesData *data) noexcept nogil:
    if data.tail != NULL and data.tail.bytes != NULL:
        __builtin_prefetch(data.tail.bytes + data.tail.cursor.length)
