# What queries ask of the series table: streams, columns of attributes, identities.
#
# Ids mean something only inside the caller's epoch, in which records and strings stay as they are. Only the
# series of a metric are listed under SeriesTable.lock; Python objects are built after it is dropped.
from libc.stdint cimport uint32_t

from urpo_store.engine.identity.types cimport SeriesTable

# The value id of attribute `key` of each series, 0 where absent.
cdef void attribute_column(SeriesTable *table, const uint32_t *ids, size_t count, uint32_t key, uint32_t *out) noexcept nogil
# The value id of the service's name, the id of the resource, or that of the scope of each series.
cdef void service_column(SeriesTable *table, const uint32_t *ids, size_t count, uint32_t *out) noexcept nogil
cdef void resource_column(SeriesTable *table, const uint32_t *ids, size_t count, uint32_t *out) noexcept nogil
cdef void scope_column(SeriesTable *table, const uint32_t *ids, size_t count, uint32_t *out) noexcept nogil
# The id of a string (a key, or a canonical value), of a text, or of exactly this typed value; 0: not known.
cdef uint32_t find_string(SeriesTable *table, bytes text)
cdef uint32_t find_text(SeriesTable *table, str text) except? 0
cdef uint32_t find_value(SeriesTable *table, object value) except? 0
cdef bytes string_bytes(SeriesTable *table, uint32_t id)
# [(name, kind, temporality, monotonic, unit, description, ids)] of all metrics, or of those of a name.
cdef list catalog_streams(SeriesTable *table, str name)
# {service: number of its resources}
cdef dict catalog_producers(SeriesTable *table)
cdef object series_identity(SeriesTable *table, uint32_t id)
