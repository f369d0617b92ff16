# Chunks: the compressed points of each series, and the clocks they share.
#
# The drain appends points one at a time, under the drain lock (ChunkStore.lock). Per series:
#
#   chunks    sealed, immutable, ascending in time; at most CHUNK_POINTS points each
#   parts     sealed small chunks of the open chunk (PART_POINTS points each): when CHUNK_POINTS are
#             together they are folded into one full chunk
#   tail      the newest points, raw columns, at most PART_POINTS
#   late      points older than the newest of their series, raw and sorted; sealed as *overlap* chunks
#             that have their own clock, and merged with the rest when read
#
# A clock is a timestamp column shared by the series of one clock group (one exporter: a resource).
# A sealed chunk is a 16-byte header (clock, first tick, count, codec, flags, length) and columns:
# starts, flags, its own times or a bitmap of missed ticks where needed, then one codec column per
# value word (value, then the row words of points.pxd, column-wise). docs/format.md draws it.
#
# Invariants
# (1) SeriesData, clocks and counters are written under ChunkStore.lock only.
# (2) What is sealed is immutable; it is unlinked under the lock and retired through epochs, so a
#     reader inside an epoch may decode what it took under the lock after dropping the lock.
# (3) Times within chunks + parts + tail of a series are strictly ascending, overlaps apart.
# (4) Same series and time again: the same value changes nothing (duplicate_points); another value
#     replaces the earlier (replaced_points), except in a series with DATA_ADD, where deltas of
#     collapsed sources are added. Reads never show both.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from urpo_store.engine.alloc cimport Account
from urpo_store.engine.atomics cimport pthread_mutex_t
from urpo_store.engine.epoch cimport Epochs
from urpo_store.engine.points cimport Point

cdef enum:
    PART_POINTS = 120

    # SeriesData.options
    DATA_ADD = 1                # points of equal time are added (collapsed deltas)

cdef struct Chunk               # chunks.pyx
cdef struct Clock
cdef struct Tail

cdef struct SeriesData:
    Chunk **chunks              # sealed, then overlap chunks among them, by first time
    uint32_t chunk_count
    uint32_t chunk_capacity
    Tail *tail                  # NULL until the first point
    int64_t last_time           # newest time appended; INT64_MIN before the first
    uint64_t points             # distinct points held (chunks, parts, tail, late)
    uint8_t *exemplars          # records: i64 time, u32 length, raw Exemplar message; oldest first
    uint32_t exemplar_bytes
    uint32_t exemplar_capacity
    uint32_t kind               # KIND_*; constant
    uint32_t options            # DATA_*; constant
    uint32_t clock_group        # constant

cdef struct ChunkStore:
    Account *account
    Epochs *epochs
    pthread_mutex_t lock        # the drain lock
    void *clocks                # clock group -> Clock, chunks.pyx
    void *scratch               # codec scratch and row buffers, used under the lock
    # Counters, written under the lock, read relaxed by stats().
    uint64_t points             # distinct points held
    uint64_t chunk_bytes        # chunks with headers, and blocks of clocks
    uint64_t chunk_count
    uint64_t duplicate_points
    uint64_t replaced_points
    uint64_t late_points
    uint64_t evicted_points
    uint64_t dropped_exemplars

# Decoded points, in columns. `row` and `layout` are used by kinds with rows only (else NULL).
cdef struct Rows:
    Account *account
    int64_t *times
    int64_t *starts
    uint64_t *values
    uint32_t *flags
    uint32_t *layout            # index in layouts
    uint64_t *row               # index of the point's first row word in words
    size_t count, capacity
    uint64_t *words
    size_t word_count, word_capacity
    uint64_t *layouts           # each: offset in layout_words << 32 | L << 16 | R
    size_t layout_count, layout_capacity
    uint64_t *layout_words
    size_t layout_word_count, layout_word_capacity

# What a reader takes of one series under the lock, to decode after dropping it.
cdef struct Snapshot            # chunks.pyx; opaque
cdef int chunk_store_init(ChunkStore *store, Account *account, Epochs *epochs) noexcept nogil
cdef void chunk_store_destroy(ChunkStore *store) noexcept nogil
cdef void series_data_init(SeriesData *data, uint32_t kind, uint32_t clock_group, uint32_t options) noexcept nogil
# Gives everything back (retired where readers may still look). Under the lock. Returns points held.
cdef uint64_t series_data_clear(ChunkStore *store, SeriesData *data) noexcept nogil

# Appends one point; `payload` is its words as points.pxd (NULL if none), exemplars included.
# Under the lock. 0, or -1: no memory, the point is not stored (counted in evicted_points).
cdef int chunks_append(ChunkStore *store, SeriesData *data, const Point *point, int64_t start, const uint64_t *payload) noexcept nogil
# Seals parts, tail and late. Under the lock. 0 or -1.
cdef int chunks_seal(ChunkStore *store, SeriesData *data) noexcept nogil
# Drops sealed chunks that end before `before` (retention). Under the lock. Points dropped.
cdef uint64_t chunks_expire(ChunkStore *store, SeriesData *data, int64_t before) noexcept nogil
# Drops the oldest sealed chunks over all `count` series (entries may be NULL) until about `bytes` are
# freed. Under the lock. Points dropped (also counted in evicted_points).
cdef uint64_t chunks_evict(ChunkStore *store, SeriesData **all_data, size_t count, uint64_t bytes) noexcept nogil

# Reading. The caller is inside an epoch. `predecessor`: also the newest point before `start`,
# however old. snapshot_take: under the lock; NULL: no memory.
cdef Snapshot *snapshot_take(ChunkStore *store, SeriesData *data, int64_t start, int64_t end, bint predecessor) noexcept nogil
# Appends the series' points with start <= time <= end (and the predecessor, first) to `rows`,
# ascending, each time once. No lock. Frees the snapshot. 0, or -1: no memory (rows as before).
cdef int snapshot_decode(ChunkStore *store, Snapshot *snapshot, Rows *rows) noexcept nogil
cdef void rows_init(Rows *rows, Account *account) noexcept nogil
cdef void rows_free(Rows *rows) noexcept nogil
# Appends one point to rows (its payload as points.pxd, NULL if none). 0 or -1.
cdef int rows_append(Rows *rows, int64_t time, int64_t start, uint64_t value, uint32_t flags, const uint64_t *payload) noexcept nogil
# Sorts rows[first:] by time, keeping of equal times the last appended one (or, with `add`, their sum).
cdef void rows_sort(Rows *rows, size_t first, bint add) noexcept nogil
