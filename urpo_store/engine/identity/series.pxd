# Where a point's series is looked up: from raw bytes to series ids, never one id for two series.
#
# A series is resource attributes + scope (name, version, schema_url, attributes) + metric name +
# unit + kind + temporality + monotonic + point attributes, values with their types.
#
#   level 1  series_expect   A request usually repeats the order of the last one. The series that
#                            came after the previous one then is compared byte for byte: by the
#                            scanner as it meets the attributes (engine/resolve.pxd), or by
#                            series_guess behind it.
#   level 2  series_find     A table keyed by (resource, scope, metric, raw attribute bytes).
#   level 3  series_add      Under the lock: decodes, sorts and interns; finds or creates the
#                            canonical series (creation.pxd), makes room (idle.pxd), or collapses
#                            the set (collapse.pxd). Keeps the raw bytes as an alias, so that
#                            level 2 knows them next time.
#
# Invariants
# (1) Levels 1 and 2 take no lock and allocate nothing.
# (2) What identifies a series is immutable from publication until its id leaves limbo. Pages never
#     move, so a Series pointer is good as long as its id is.
# (3) Everything in identity/types.pxd is written under SeriesTable.lock, unless its field says
#     otherwise.
# (4) An evicted series is unlinked from every table under the lock. Its id and its points are
#     retired behind the drain (memory/epoch.pxd): given back only when no call from before is under
#     way, and the drain has passed all that such calls published. A call that found the series
#     before asks series_touch before it publishes a point of it, so that no acknowledged point goes
#     into a series that leaves: idle.pxd has the protocol.
# (5) A record leaves in two steps: leaving.pxd.
# (6) An alias is no longer than alias_limit (records.pxd) allows for what it says.
#
# Lock order: the drain lock, SeriesTable.lock, KeyTable.lock, Epochs.lock.
#
# REQUIRES of all: the caller is inside an epoch.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.intern cimport Entry, Key, key_of
from urpo_store.engine.identity.types cimport Series, SeriesTable

# ---- level 1 ----

# The series that came after `before` last time, and the raw attributes by which it is known. NULL:
# none that is alive; then `attributes` is empty too.
cdef Series *series_expect(
    SeriesTable *table, const Series *before, Span *attributes
) noexcept nogil
# That series' id, if it is the one with these raw bytes; 0: it is not, or there is none.
cdef uint32_t series_guess(
    SeriesTable *table, uint32_t previous, uint32_t resource, uint32_t scope, uint32_t metric,
    Span attributes
) noexcept nogil
# Notes that `series` came after `previous`, for the next guess; a `previous` of 0 is none.
cdef void series_follows(SeriesTable *table, uint32_t previous, uint32_t series) noexcept nogil

# ---- level 2 ----

# A series by its raw bytes; 0: not known.
cdef uint32_t series_find(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes
) noexcept nogil
# The same for `count` raw keys at a time, which is faster.
# REQUIRES: count <= FIND_TOGETHER.
cdef void series_find_many(
    SeriesTable *table, const Key *keys, uint32_t count, uint32_t *found
) noexcept nogil

# ---- level 3 ----

# Finds or creates, from checked bytes. Takes the lock. 0: no room, or no memory.
# When max_series exist, or the index is over its memory_limit, idle series are evicted (tried once
# a second at most); if that is not enough, the set collapses. Then the series returned has
# SERIES_OVERFLOW and no alias (each point of it comes here again), and *source is source_hash of
# the set as it was sent.
# REQUIRES: the caller holds references to resource, scope and metric.
cdef uint32_t series_add(
    SeriesTable *table, Scan *scan, uint32_t resource, uint32_t scope, uint32_t metric,
    Span attributes, uint64_t *source
) noexcept nogil

# ---- attributes ----

# The canonical value of attribute `key` (a string id): the first of point, scope and resource that
# has it decides. A string id; 0: absent.
cdef uint32_t series_attribute(
    SeriesTable *table, const Series *series, uint32_t key
) noexcept nogil
# The same by the key's text, for code that has no ids. NULL: absent.
cdef const Entry *series_attribute_named(
    SeriesTable *table, const Series *series, const char *key
) noexcept nogil


# The key of raw attribute bytes, for level 2.
cdef inline Key raw_key(
    uint32_t resource, uint32_t scope, uint32_t metric, Span bytes
) noexcept nogil:
    cdef Key key = key_of(bytes.p, bytes.n)
    key.prefix[0] = resource
    key.prefix[1] = scope
    key.prefix[2] = metric
    return key
