# The records of identity and the table of them: declarations, and look-ups by id. Who finds and makes
# resources, scopes and metrics is identity/records.pxd; who finds and makes series, identity/series.pxd, which says what
# holds for all of them.
#
# "The lock" here is SeriesTable.lock. Identity (ids, names, pairs, content, kinds) is constant from publication
# on; all else is written under the lock, and read under it, unless its field says otherwise.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport load_ptr_acquire, pthread_mutex_t
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData
from urpo_store.engine.identity.intern cimport Entry, Table
from urpo_store.engine.identity.sets cimport Pair

cdef extern from *:
    void __builtin_prefetch(const void *address) noexcept nogil

cdef enum:
    PAGE = 4096
    PAGES = 4096                # INTERN_IDS over PAGE

cdef enum:
    ALIASES = 4
    ALIAS_ROOM = 24             # bytes of raw encoding for each attribute beside its key and value
    IDLE_SECONDS = 600          # a series is idle when nothing arrived for so long
    OVERFLOW_SOURCES = 65536    # sources per metric whose last cumulative value is remembered

    SERIES_OVERFLOW = 1         # Series.flags: stands for sets that did not fit in max_series
    SERIES_EVICTED = 2          # unlinked; waits until nothing refers to it

cdef struct Sources             # identity/overflow.pyx
cdef struct Total

# Attribute sets below are pairs of string ids, sorted by key id: see identity/sets.pxd.
cdef struct Resource:
    uint32_t id
    uint32_t service            # string id of "namespace/name" or "name"
    uint32_t pair_count
    uint32_t alias_count
    Pair *pairs
    uint64_t content            # hash of its attributes, whatever their ids; constant
    uint32_t dropped            # atomic read: 1 when nothing refers to it any more, and its strings may go
    Entry *aliases[ALIASES]
    void *health                # atomic read: HealthService of the service; set once, with a series

cdef struct Scope:
    uint32_t id
    uint32_t name, version, schema_url      # string ids
    uint32_t pair_count
    uint32_t alias_count
    Pair *pairs
    uint64_t content            # as a resource's; of name, version and schema_url too
    Entry *aliases[ALIASES]

cdef struct Metric:
    uint32_t id
    uint32_t next               # atomic hint, any producer: the metric that followed this one last time
    uint32_t dropped            # atomic read: 1 when nothing refers to it any more
    Entry *key                  # its entry, with the name; and that of its unit: immutable
    Entry *unit_key
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

# What producers read of a known series comes first, and nothing of it within 64 bytes of what the drain
# writes for each point (SeriesData.last_time, points): else each would wait for the other's cache line.
cdef struct Series:
    uint32_t id
    uint32_t resource, scope, metric
    uint32_t next               # atomic hint, any producer: the series that followed this one last time
    uint32_t seen               # atomic, any producer: monotonic second of the last arrival
    uint32_t flags              # atomic read: SERIES_OVERFLOW is constant, SERIES_EVICTED set under the lock,
                                # and taken back if a point came meanwhile
    uint32_t alias_count
    void *health                # HealthSeries, NULL if it feeds no health; set before publication, cleared under
                                # its service's lock; read under that, and atomically as a hint
    Entry *aliases[ALIASES]     # atomic read: aliases[0] is what level 1 compares
    Pair *pairs
    uint32_t pair_count
    Total *total                # running total of a collapsed cumulative series, identity/overflow.pyx; else NULL
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
    void **resource_pages       # id -> Resource*, and alike; pages of PAGE
    void **scope_pages
    void **metric_pages
    void **series_pages
    uint64_t memory_limit       # bytes of its account beyond which new sets collapse; constant
    uint32_t max_series         # constant
    uint32_t overflow_value     # string id of "urpo.overflow"; constant
    uint32_t last_eviction      # under the lock: monotonic second of the last search for idle series
    uint32_t series_count       # atomic read; series alive
    uint32_t series_limit       # highest id ever given + 1; atomic read
    uint64_t evicted_series, overflowed_series      # read atomically by stats()
    uint64_t overflowed_points, baseline_points     # atomic: added to by producers
    # Called under the lock for each new series, before it is published (health); may be NULL.
    void (*on_new)(void *context, SeriesTable *table, Series *series) noexcept nogil
    # Called under the lock when a series is evicted, and when a resource leaves, after all of its series.
    void (*on_evict)(void *context, SeriesTable *table, Series *series) noexcept nogil
    void (*on_leave)(void *context, SeriesTable *table, Resource *resource) noexcept nogil
    void *context


# By id; NULL: no such record. No lock: inside an epoch.
cdef inline void *record(void **pages, uint32_t id) noexcept nogil:
    cdef void **page = <void **>load_ptr_acquire(&pages[id // PAGE])
    return load_ptr_acquire(&page[id % PAGE]) if page != NULL else NULL

cdef inline Resource *resource_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Resource *>record(table.resource_pages, id)

cdef inline Scope *scope_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Scope *>record(table.scope_pages, id)

cdef inline Metric *metric_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Metric *>record(table.metric_pages, id)

cdef inline Series *series_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Series *>record(table.series_pages, id)

# Fetches the identity of a series that will be looked at soon; 0 is none.
cdef inline void prefetch_record(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef const char *series = <const char *>series_get(table, id) if id else NULL
    __builtin_prefetch(series)
    __builtin_prefetch(series + 64)
