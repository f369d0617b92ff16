# Series identity: from raw bytes to series ids, without ever merging two that differ.
#
# A series is resource attributes + scope (name, version, schema_url, attributes) + metric name + unit
# + kind + temporality + monotonic + point attributes, values with their types.
#
#   level 1  series_expect  the request usually repeats the last one's order: the series that followed
#                           the previous one then is compared byte for byte, by the scanner as it meets the
#                           attributes (resolve.pxd), or by series_guess behind it
#   level 2  series_find    a table keyed by (resource, scope, metric, raw attribute bytes)
#   level 3  series_add     decode, sort, intern; find or create the canonical series; alias the raw
#                           bytes (at most ALIASES a series) so that level 2 knows them next time
#
# Invariants
# (1) Levels 1 and 2 take no lock and allocate nothing; the caller is inside an epoch.
# (2) A Series' identity fields are immutable from publication until its id leaves limbo; pages never
#     move, so a Series pointer is good as long as its id is.
# (3) Everything in identity/types.pxd is written under SeriesTable.lock, but for the fields that say otherwise.
# (4) An evicted series is unlinked from every table under the lock. Its id and points are retired behind
#     the drain (memory/epoch.pxd): they are given back only when no call from before is under way and the drain
#     has passed all that such calls published. A call that found the series before asks series_touch before
#     it publishes a point of it, so that no point that is acknowledged goes into a series that leaves.
# (5) A record (Resource, Scope, Metric, Series) is unlinked in two steps: its page entry is cleared once no
#     call from before is under way; its memory is freed after a second grace period, for those who met it on
#     the page meanwhile (by a stale `next`, or walking over all ids).
# (6) An alias is at most as long as ALIAS_ROOM allows for what it says: padding costs its sender, not us.
# Lock order: ChunkStore.lock before SeriesTable.lock before Table.lock before Epochs.lock.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.chunks.types cimport ChunkStore
from urpo_store.engine.identity.intern cimport Entry, Key
from urpo_store.engine.identity.types cimport Series, SeriesTable

cdef int series_table_init(SeriesTable *table, Account *account, Epochs *epochs, ChunkStore *chunks,
                           uint32_t max_series, uint64_t memory_limit) noexcept nogil
cdef void series_table_destroy(SeriesTable *table) noexcept nogil

# Lock-free look-ups.
# Who followed `before` last time, and the raw attributes by which it is known; NULL: nobody that is alive.
cdef Series *series_expect(SeriesTable *table, const Series *before, Span *attributes) noexcept nogil
# A series by its raw bytes; 0: not known. The guess compares them with those of who followed `previous` last
# time; finding looks them up.
cdef uint32_t series_guess(SeriesTable *table, uint32_t previous, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes) noexcept nogil
cdef uint32_t series_find(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes) noexcept nogil
# The same for at most FIND_TOGETHER points at a time, by their raw keys, which is faster.
cdef void series_find_many(SeriesTable *table, const Key *keys, uint32_t count, uint32_t *found) noexcept nogil
# Remembers that `series` came after `previous`.
cdef void series_follows(SeriesTable *table, uint32_t previous, uint32_t series) noexcept nogil

# Finds or creates, from checked bytes. Takes the lock; 0: no room or no memory.
# When max_series exist, or the index is over its share of memory_limit: idle series are evicted first; then the set collapses: a key that no series
# had before, else the metric's attribute key with most distinct values, takes the value "urpo.overflow", and
# the next one too until such a series exists or has room. The series returned has SERIES_OVERFLOW, no alias
# (each point of it comes here again), and *source is a 64-bit keyed hash of the original set, whatever the
# order of its keys. The caller is inside an epoch and holds references to resource, scope and metric.
cdef uint32_t series_add(SeriesTable *table, Scan *scan, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes, uint64_t *source) noexcept nogil
# The canonical value of attribute `key` (a string id): the first of point, scope, resource that has it
# decides. A string id, or 0: absent.
cdef uint32_t series_attribute(SeriesTable *table, const Series *series, uint32_t key) noexcept nogil
# The same by the key's text, for code that has no ids. NULL: absent.
cdef const Entry *series_attribute_named(SeriesTable *table, const Series *series, const char *key) noexcept nogil
# Says that a point came for the series in this monotonic second. False: it has been evicted meanwhile, and
# the caller needs another (series_add). Lock-free, inside an epoch.
cdef bint series_touch(Series *series, uint32_t second) noexcept nogil
# Evicts series that were idle for IDLE_SECONDS before `now` (monotonic seconds), at most `most`.
# Takes the lock. Returns how many. Whoever reclaims afterwards (epoch_reclaim) takes ChunkStore.lock.
cdef uint32_t series_evict_idle(SeriesTable *table, uint32_t now, uint32_t most) noexcept nogil
