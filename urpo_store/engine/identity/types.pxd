# The records of identity, and the table of them all: declarations, and look-ups by id.
#
# identity/records.pxd finds and makes resources, scopes and metrics; identity/series.pxd finds and
# makes series, and says what holds for all of them.
#
# "The lock" here is SeriesTable.lock. What identifies a record (ids, names, pairs, content, kinds)
# is constant from publication on. All else is written under the lock and read under it, unless its
# field says otherwise.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport __builtin_prefetch, pthread_mutex_t
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.chunks.types cimport SeriesData
from urpo_store.engine.identity.intern cimport Entry, KeyTable
from urpo_store.engine.identity.pages cimport page_get
from urpo_store.engine.identity.sets cimport Pair

cdef enum:
    ALIASES = 4                 # raw forms of a record that are kept

    # Series.flags
    SERIES_OVERFLOW = 1         # stands for sets that did not fit in max_series
    SERIES_EVICTED = 2          # unlinked; waits until nothing refers to it

cdef struct Series
cdef struct SeriesTable
cdef struct Sources             # identity/overflow.pyx
cdef struct Total

# An attribute set is an array of pairs of string ids, sorted by key id: see identity/sets.pxd.

cdef struct Resource:
    uint32_t id
    uint32_t service            # string id of "namespace/name" or "name"
    uint32_t pair_count
    uint32_t alias_count
    Pair *pairs
    uint64_t content            # hash of its attributes, whatever their ids; constant
    uint32_t dropped            # atomic read: 1 once nothing refers to it and its strings may go
    Entry *aliases[ALIASES]
    void *health                # atomic read: HealthService of the service; set once, by on_new

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
    uint32_t next               # atomic hint, any producer: the metric that came next last time
    uint32_t dropped            # atomic read: 1 once nothing refers to it and its strings may go
    Entry *key                  # its entry, with the name, and the entry of its unit; constant
    Entry *unit_key
    uint32_t name, unit         # string ids
    uint32_t description        # atomic read: string id of the last one sent
    uint32_t kind, temporality, monotonic
    uint32_t *series            # ids of its series, in order of creation
    size_t series_count, series_capacity
    uint32_t *fattest           # keys by falling number of distinct values, when last counted
    uint32_t fattest_count
    uint32_t collapses          # sets collapsed since they were counted
    size_t counted              # series_count when they were counted
    uint32_t gone               # evicted series that are still in the list
    Sources *sources            # last cumulative values of collapsed sources; NULL: none

# First comes what producers read of a known series. Nothing of it lies within 64 bytes of what the
# drain writes for each point (SeriesData.last_time, points): or each would wait for the other's
# cache line.
cdef struct Series:
    uint32_t id
    uint32_t resource, scope, metric
    uint32_t next               # atomic hint, any producer: the series that came next last time
    uint32_t seen               # atomic, any producer: monotonic second of the last arrival
    uint32_t flags              # atomic read: SERIES_OVERFLOW is constant; SERIES_EVICTED is set
                                # under the lock, and taken back if a point came meanwhile
    uint32_t alias_count
    void *health                # HealthSeries; NULL: it feeds no health. Set by on_new, cleared
                                # under its service's lock, read under that, and atomically as a
                                # hint
    Entry *aliases[ALIASES]     # atomic read: level 1 compares aliases[0]
    Pair *pairs
    uint32_t pair_count
    Total *total                # of a collapsed cumulative series, identity/overflow.pyx; else NULL
    SeriesData data             # under the drain lock; identity only gives it room

# What other rooms keep for a series (chunks its points, health its meaning) comes and goes with the
# series. They are told by these functions, which `engine/store` binds between series_table_init and
# the first series. Each may be NULL.
#
# (1) None can refuse, and none may take a lock that comes before SeriesTable.lock (series.pxd).
# (2) Every series sees on_new, then on_evict, then on_gone; a series that is alive when the table
#     is destroyed skips on_evict.
# (3) From on_evict to on_gone calls under way may still hold the series, and the ring may hold
#     points of it. After on_gone nothing refers to it but threads that read its identity.
cdef struct SeriesHooks:
    void *context               # the first argument of all
    # Held by threads that walk over series by id outside an epoch (the drain lock): identity holds
    # it from on_gone until the series has left its page. NULL: there are no such threads.
    pthread_mutex_t *walk_lock
    # Under the lock. The series is filled in, and no other thread can reach it yet.
    void (*on_new)(void *context, SeriesTable *table, Series *series) noexcept nogil
    # Under the lock. The series is marked and still linked: its strings, resource, scope and metric
    # can be read.
    void (*on_evict)(void *context, SeriesTable *table, Series *series) noexcept nogil
    # With walk_lock held, or while the table is destroyed. The series' points can go.
    void (*on_gone)(void *context, SeriesTable *table, Series *series) noexcept nogil
    # Under the lock. The last reference to the resource is dropped: its series are evicted.
    void (*on_resource_gone)(void *context, SeriesTable *table, Resource *resource) noexcept nogil

cdef struct SeriesTable:
    Account *account            # constant
    Epochs *epochs              # constant
    pthread_mutex_t lock
    SeriesHooks hooks           # constant once there are series
    KeyTable strings
    KeyTable resources, scopes, metrics, series         # canonical keys
    KeyTable aliases                                    # raw series keys -> series id
    KeyTable resource_aliases, scope_aliases
    void **resource_pages       # id -> Resource *, and alike: see identity/pages.pxd
    void **scope_pages
    void **metric_pages
    void **series_pages
    uint64_t memory_limit       # constant: bytes of its account beyond which new sets collapse
    uint32_t max_series         # constant
    uint32_t last_eviction      # monotonic second of the last search for idle series
    uint32_t series_count       # atomic read: series alive
    uint32_t series_limit       # atomic read: one more than the highest id ever given
    uint64_t evicted_series, overflowed_series      # atomic read
    uint64_t overflowed_points, baseline_points     # atomic: added to by producers


# By id; NULL: no such record. No lock.
# REQUIRES: the caller is inside an epoch, or holds the lock or (for series) walk_lock.
cdef inline Resource *resource_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Resource *>page_get(table.resource_pages, id)

cdef inline Scope *scope_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Scope *>page_get(table.scope_pages, id)

cdef inline Metric *metric_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Metric *>page_get(table.metric_pages, id)

cdef inline Series *series_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Series *>page_get(table.series_pages, id)

# Fetches what identifies a series that will be looked at soon; 0 is none.
cdef inline void prefetch_record(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef const char *series = <const char *>series_get(table, id) if id else NULL
    __builtin_prefetch(series)
    __builtin_prefetch(series + 64)
