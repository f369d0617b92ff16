# Canonical series: found by their decoded set, or created.
#
# The set's keys and values may not have ids yet. A series holds a reference to each of its strings,
# to its resource, its scope and its metric.
#
# REQUIRES of all: the caller holds SeriesTable.lock, and a reference to resource, scope and metric.
from libc.stdint cimport uint32_t

from urpo_store.engine.identity.intern cimport Key
from urpo_store.engine.identity.sets cimport Set
from urpo_store.engine.identity.types cimport SeriesTable

# The series of a set; 0: there is none.
cdef uint32_t find_canonical(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Set *set
) noexcept nogil
# A new series of the set, published. `flags`: SERIES_OVERFLOW or 0. `alias`: the raw key that it
# came by; NULL: it gets none. 0: no memory.
# REQUIRES: find_canonical of the set returned 0 under this hold of the lock.
cdef uint32_t create_series(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Set *set,
    const Key *alias, uint32_t flags
) noexcept nogil
# Binds one more raw key to a series, if it has room (ALIASES) and the key is not padded
# (alias_limit).
cdef void add_alias(
    SeriesTable *table, uint32_t id, const Key *alias, const Set *set
) noexcept nogil
