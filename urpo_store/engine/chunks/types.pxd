# What the drain lock guards of a series (SeriesData) and of all series (ChunkStore).
#
# The structs stand apart from the functions, so that the modules of this room need not know one
# another, and identity can embed SeriesData without them. chunks/append.pxd says what they mean.
# "The lock" here is the drain lock, ChunkStore.lock.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport pthread_mutex_t
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.chunks.chunk cimport Chunk
from urpo_store.engine.chunks.clock cimport Clock, ClockTable
from urpo_store.engine.chunks.layout cimport Layout, LayoutTable
from urpo_store.engine.chunks.rows cimport Rows
from urpo_store.engine.chunks.tail cimport Tail
from urpo_store.engine.chunks.tail_stream cimport TailView
from urpo_store.engine.chunks.work cimport Work

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
