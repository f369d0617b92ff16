# Series identity: from raw bytes to series ids, without ever merging two that differ.
#
# A series is resource attributes + scope (name, version, schema_url, attributes) + metric name + unit
# + kind + temporality + monotonic + point attributes, values with their types.
#
#   level 1  series_guess   the request usually repeats the last one's order: the series that followed
#                           the previous one then is compared byte for byte
#   level 2  series_find    a table keyed by (resource, scope, metric, raw attribute bytes)
#   level 3  series_add     decode, sort, intern; find or create the canonical series; alias the raw
#                           bytes (at most ALIASES a series) so that level 2 knows them next time
#
# Invariants
# (1) Levels 1 and 2 take no lock and allocate nothing; the caller is inside an epoch.
# (2) A Series' identity fields are immutable from publication until its id leaves limbo; pages never
#     move, so a Series pointer is good as long as its id is.
# (3) Everything below is written under SeriesTable.lock, but for the fields that say otherwise.
# (4) An evicted series is unlinked from every table under the lock. Its id and points are retired behind
#     the drain (epoch.pxd): they are given back only when no call from before is under way and the drain
#     has passed all that such calls published. What was drained into it until then is evicted.
# (5) A record (Resource, Scope, Metric, Series) is found by its id until no call from before is under way;
#     then it leaves its page, under the lock, and is freed when those are over that met it there meanwhile
#     (a stale `next`, a walk over all ids).
# (6) An alias is at most as long as ALIAS_ROOM allows for what it says: padding costs its sender, not us.
# Lock order: ChunkStore.lock before SeriesTable.lock before Table.lock before Epochs.lock.
from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t

from urpo_store.engine.alloc cimport Account
from urpo_store.engine.atomics cimport pthread_mutex_t
from urpo_store.engine.attribute_set cimport Pair
from urpo_store.engine.chunks cimport ChunkStore, SeriesData
from urpo_store.engine.epoch cimport Epochs
from urpo_store.engine.intern cimport Entry, Table
from urpo_store.engine.points cimport Point
from urpo_store.engine.wire_types cimport Scan, Span

cdef enum:
    ALIASES = 4
    ALIAS_ROOM = 24             # bytes of raw encoding for each attribute beside its key and value
    IDLE_SECONDS = 600          # a series is idle when nothing arrived for so long
    OVERFLOW_SOURCES = 65536    # sources per metric whose last cumulative value is remembered

    SERIES_OVERFLOW = 1         # Series.flags: stands for sets that did not fit in max_series
    SERIES_EVICTED = 2          # unlinked; waits until nothing refers to it

cdef struct Sources             # overflow.pyx
cdef struct Total

# Attribute sets below are pairs of string ids, sorted by key id: see attribute_set.pxd.
cdef struct Resource:
    uint32_t id
    uint32_t service            # string id of "namespace/name" or "name"
    uint32_t pair_count
    uint32_t alias_count
    Pair *pairs
    Entry *aliases[ALIASES]
    void *health                # HealthService of the service; set with its first series, constant after

cdef struct Scope:
    uint32_t id
    uint32_t name, version, schema_url      # string ids
    uint32_t pair_count
    uint32_t alias_count
    Pair *pairs
    Entry *aliases[ALIASES]

cdef struct Metric:
    uint32_t id
    uint32_t name, unit         # string ids
    uint32_t description        # atomic, under the lock: string id of the last one sent
    uint32_t kind, temporality, monotonic
    uint32_t *series            # ids of its series, in order of creation
    size_t series_count, series_capacity
    uint32_t *fattest           # keys by falling number of distinct values, when last counted
    uint32_t fattest_count
    uint32_t collapses          # sets collapsed since they were counted
    size_t counted              # series_count when they were counted
    uint32_t gone               # evicted series that still stand in the list
    Sources *sources            # last cumulative values of collapsed sources; NULL while none

cdef struct Series:             # what level 1 reads comes first
    uint32_t id
    uint32_t resource, scope, metric
    uint32_t next               # atomic hint, any producer: the series that followed this one last time
    uint32_t seen               # atomic, any producer: monotonic second of the last arrival
    uint32_t flags              # atomic read; SERIES_*
    uint32_t alias_count
    Entry *aliases[ALIASES]     # atomic read: aliases[0] is what level 1 compares
    Pair *pairs
    uint32_t pair_count
    Total *total                # running total of a collapsed cumulative series, overflow.pyx; else NULL
    void *health                # HealthSeries, NULL if it feeds no health; set under the lock before publication
    SeriesData data             # under ChunkStore.lock

cdef struct SeriesTable:
    Account *account
    Epochs *epochs
    ChunkStore *chunks
    pthread_mutex_t lock
    Table strings
    Table resources, scopes, metrics, series            # canonical keys
    Table aliases                                       # raw series keys -> series id
    Table resource_aliases, scope_aliases
    void **resource_pages       # id -> Resource*, and alike; pages of 1024
    void **scope_pages
    void **metric_pages
    void **series_pages
    uint64_t secret[4]          # of the hash of collapsed sources; constant
    uint64_t memory_limit       # bytes of its account beyond which new sets collapse; constant
    uint32_t max_series         # constant
    uint32_t overflow_value     # string id of "urpo.overflow"; constant
    uint32_t last_eviction      # monotonic second of the last search for idle series
    uint32_t series_count       # atomic read; series alive
    uint32_t series_limit       # highest id ever given + 1; atomic read
    uint64_t evicted_series, overflowed_series, overflowed_points, baseline_points
    # Called under the lock for each new series, before it is published (health); may be NULL.
    void (*on_new)(void *context, SeriesTable *table, Series *series) noexcept nogil
    # Called under the lock when a series is evicted.
    void (*on_evict)(void *context, SeriesTable *table, Series *series) noexcept nogil
    void *context

cdef int series_table_init(SeriesTable *table, Account *account, Epochs *epochs, ChunkStore *chunks,
                           uint32_t max_series, uint64_t memory_limit) noexcept nogil
cdef void series_table_destroy(SeriesTable *table) noexcept nogil

# Lock-free look-ups by raw bytes; 0: not known.
cdef uint32_t resource_find(SeriesTable *table, Span body) noexcept nogil
cdef uint32_t scope_find(SeriesTable *table, Span body, Span schema_url) noexcept nogil
cdef uint32_t metric_find(SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, Span unit) noexcept nogil
cdef uint32_t series_guess(SeriesTable *table, uint32_t previous, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes) noexcept nogil
cdef uint32_t series_find(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes) noexcept nogil
# Remembers that `series` came after `previous`.
cdef void series_follows(SeriesTable *table, uint32_t previous, uint32_t series) noexcept nogil

# Find or create, from checked bytes. Each takes the lock; 0: no memory. resource_add, scope_add and
# metric_add take a reference for the caller, given back with *_release.
cdef uint32_t resource_add(SeriesTable *table, Scan *scan, Span body) noexcept nogil
cdef uint32_t scope_add(SeriesTable *table, Scan *scan, Span body, Span schema_url) noexcept nogil
cdef uint32_t metric_add(SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, Span unit, Span description) noexcept nogil
cdef void resource_release(SeriesTable *table, uint32_t id) noexcept nogil
cdef void scope_release(SeriesTable *table, uint32_t id) noexcept nogil
cdef void metric_release(SeriesTable *table, uint32_t id) noexcept nogil
# When max_series are active: idle series are evicted first; then the set collapses (the metric's
# attribute key with most distinct values takes the value "urpo.overflow") and the series returned has
# SERIES_OVERFLOW; *source is then a 64-bit keyed hash of the original set, whatever the order of its keys.
# The caller is inside an epoch and holds references to resource, scope and metric.
cdef uint32_t series_add(SeriesTable *table, Scan *scan, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes, uint64_t *source) noexcept nogil
cdef Resource *resource_get(SeriesTable *table, uint32_t id) noexcept nogil
cdef Scope *scope_get(SeriesTable *table, uint32_t id) noexcept nogil
cdef Metric *metric_get(SeriesTable *table, uint32_t id) noexcept nogil
cdef Series *series_get(SeriesTable *table, uint32_t id) noexcept nogil
# The canonical value of attribute `key` (a string id): the first of point, scope, resource that has it
# decides. A string id, or 0: absent.
cdef uint32_t series_attribute(SeriesTable *table, const Series *series, uint32_t key) noexcept nogil
# The same by the key's text, for code that has no ids. NULL: absent.
cdef const Entry *series_attribute_named(SeriesTable *table, const Series *series, const char *key) noexcept nogil
# Evicts series that were idle for IDLE_SECONDS before `now` (monotonic seconds), at most `most`.
# Takes the lock. Returns how many. Whoever reclaims afterwards (epoch_reclaim) takes ChunkStore.lock.
cdef uint32_t series_evict_idle(SeriesTable *table, uint32_t now, uint32_t most) noexcept nogil
