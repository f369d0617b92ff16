# What queries ask of the series table: streams, columns of attributes, identities.
#
# An id means something only inside the caller's epoch, in which records and strings stay as they
# are. Only the series of a metric are listed under SeriesTable.lock. No Python object is made under
# it.
#
# REQUIRES of all: the caller is inside an epoch.
from libc.stdint cimport uint32_t

from urpo_store.engine.identity.types cimport SeriesTable

# Columns: one u32 for each of the `count` series, 0 where there is no such series.
# The value id of attribute `key` (a string id); 0 where absent too.
cdef void attribute_column(
    SeriesTable *table, const uint32_t *ids, size_t count, uint32_t key, uint32_t *out
) noexcept nogil
# The value id of the service's name.
cdef void service_column(
    SeriesTable *table, const uint32_t *ids, size_t count, uint32_t *out
) noexcept nogil
# The ids of resource and scope.
cdef void resource_column(
    SeriesTable *table, const uint32_t *ids, size_t count, uint32_t *out
) noexcept nogil
cdef void scope_column(
    SeriesTable *table, const uint32_t *ids, size_t count, uint32_t *out
) noexcept nogil

# The id of a string (a key, or a canonical value), of a text, or of exactly this typed value; 0:
# not known.
cdef uint32_t find_string(SeriesTable *table, bytes text)
cdef uint32_t find_text(SeriesTable *table, str text) except? 0
cdef uint32_t find_value(SeriesTable *table, object value) except? 0
# Raises KeyError for an id that is not in use.
cdef bytes string_bytes(SeriesTable *table, uint32_t id)

# [(name, kind, temporality, monotonic, unit, description, ids)] of all metrics, or of those of a
# name. Raises MemoryError.
cdef list catalog_streams(SeriesTable *table, str name)
# {service: number of its resources}
cdef dict catalog_producers(SeriesTable *table)
# (metric, kind, temporality, monotonic, unit, service, attributes, resource, scope) of a series.
# Raises KeyError for an id that is not in use.
cdef object series_identity(SeriesTable *table, uint32_t id)
