# What series refer to: resources, scopes and metrics, each stored once and counted.
#
# They are found and made as series are: looked up by raw bytes without a lock; if that fails,
# decoded, interned and (resources and scopes) aliased under SeriesTable.lock. How a record leaves
# is in identity/leaving.pxd.
from libc.stdint cimport uint32_t

from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.sets cimport Set
from urpo_store.engine.identity.types cimport SeriesTable

# ---- look-ups: no lock; 0: not known. REQUIRES: the caller is inside an epoch ----

cdef uint32_t resource_find(SeriesTable *table, Span body) noexcept nogil
cdef uint32_t scope_find(SeriesTable *table, Span body, Span schema_url) noexcept nogil
cdef uint32_t metric_find(
    SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name,
    Span unit
) noexcept nogil
# Tried before metric_find: the metric that came after `previous` last time, if it is the same.
cdef uint32_t metric_guess(
    SeriesTable *table, uint32_t previous, uint32_t kind, uint32_t temporality, uint32_t monotonic,
    Span name, Span unit
) noexcept nogil
# Notes that `metric` came after `previous`, for the next guess; a `previous` of 0 is none.
cdef void metric_follows(SeriesTable *table, uint32_t previous, uint32_t metric) noexcept nogil

# ---- find or make, from checked bytes ----
#
# Each takes the lock, and a reference that the caller gives back by *_release. 0: no memory.

cdef uint32_t resource_add(SeriesTable *table, Scan *scan, Span body) noexcept nogil
cdef uint32_t scope_add(
    SeriesTable *table, Scan *scan, Span body, Span schema_url
) noexcept nogil
cdef uint32_t metric_add(
    SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name,
    Span unit, Span description
) noexcept nogil
cdef void resource_release(SeriesTable *table, uint32_t id) noexcept nogil
cdef void scope_release(SeriesTable *table, uint32_t id) noexcept nogil
cdef void metric_release(SeriesTable *table, uint32_t id) noexcept nogil

# How long raw bytes may be to be kept as an alias of the set that they say: padding would cost us,
# not its sender.
cdef size_t alias_limit(const Set *set) noexcept nogil
