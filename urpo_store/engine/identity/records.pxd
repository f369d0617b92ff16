# What series refer to: resources, scopes and metrics, each stored once and counted.
#
# They are found and made like series: by raw bytes without a lock, else decoded, interned and (resources and
# scopes) aliased under SeriesTable.lock. A record that nothing refers to any more leaves in two steps, see
# (5) in identity/series.pxd.
from libc.stdint cimport uint32_t

from urpo_store.engine.memory.epoch cimport release_fn
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.intern cimport Key, key_of, table_find, table_intern
from urpo_store.engine.identity.sets cimport Pair, Set, set_weight
from urpo_store.engine.identity.types cimport ALIAS_ROOM, SeriesTable

# Lock-free look-ups by raw bytes; 0: not known.
cdef uint32_t resource_find(SeriesTable *table, Span body) noexcept nogil
cdef uint32_t scope_find(SeriesTable *table, Span body, Span schema_url) noexcept nogil
cdef uint32_t metric_find(SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, Span unit) noexcept nogil
# The same for metrics, first of all: the one that followed `previous` last time, if it is the same.
cdef uint32_t metric_guess(SeriesTable *table, uint32_t previous, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, Span unit) noexcept nogil
# Remembers that `metric` came after `previous`; 0 is none.
cdef void metric_follows(SeriesTable *table, uint32_t previous, uint32_t metric) noexcept nogil

# Find or create, from checked bytes. Each takes the lock, and a reference for the caller, given back with
# *_release. 0: no memory.
cdef uint32_t resource_add(SeriesTable *table, Scan *scan, Span body) noexcept nogil
cdef uint32_t scope_add(SeriesTable *table, Scan *scan, Span body, Span schema_url) noexcept nogil
cdef uint32_t metric_add(SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, Span unit, Span description) noexcept nogil
cdef void resource_release(SeriesTable *table, uint32_t id) noexcept nogil
cdef void scope_release(SeriesTable *table, uint32_t id) noexcept nogil
cdef void metric_release(SeriesTable *table, uint32_t id) noexcept nogil

# For identity/series.pyx, which makes and drops series in the same ways. Under the lock, but for leave_page.
cdef int put_record(SeriesTable *table, void **pages, uint32_t id, void *item) noexcept nogil
cdef void release_pairs(SeriesTable *table, Pair *pairs, uint32_t count) noexcept nogil
# Drops a reference, and the record with its last one.
cdef void drop_resource(SeriesTable *table, uint32_t id) noexcept nogil
cdef void drop_scope(SeriesTable *table, uint32_t id) noexcept nogil
cdef void drop_metric(SeriesTable *table, uint32_t id) noexcept nogil
# No call from before knows the record any more: takes it off its page, and retires it. Takes the lock.
cdef void leave_page(SeriesTable *table, void **pages, uint32_t id, void *item, release_fn free) noexcept nogil


cdef inline Key raw_key(uint32_t resource, uint32_t scope, uint32_t metric, Span bytes) noexcept nogil:
    cdef Key key = key_of(bytes.p, bytes.n)
    key.prefix[0] = resource
    key.prefix[1] = scope
    key.prefix[2] = metric
    return key


cdef inline uint32_t find_span(SeriesTable *table, Span text) noexcept nogil:
    cdef Key key = key_of(text.p, text.n)
    return table_find(&table.strings, &key)


cdef inline uint32_t intern_span(SeriesTable *table, Span text) noexcept nogil:
    cdef Key key = key_of(text.p, text.n)
    return table_intern(&table.strings, &key)


cdef inline size_t alias_limit(const Set *set) noexcept nogil:
    """How long the raw bytes of a set may be to be kept as its alias."""
    return set_weight(set) + ALIAS_ROOM * (set.count + 1)
