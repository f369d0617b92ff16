"""What queries ask of the series table; the contract is in identity/catalog.pxd."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

import numpy as np

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    load32_acquire, load32_relaxed, pthread_mutex_lock, pthread_mutex_unlock,
)
from urpo_store.engine.identity.intern cimport (
    Entry, Key, KeyTable, entry_bytes, key_of, table_find, table_get,
)
from urpo_store.engine.identity.series cimport series_attribute
from urpo_store.engine.identity.sets cimport Pair
from urpo_store.engine.identity.types cimport (
    Metric, Resource, Scope, Series, metric_get, resource_get, scope_get, series_get,
)

from urpo_store.engine.identity.values import decode_value, encode_value


cdef void attribute_column(
    SeriesTable *table, const uint32_t *ids, size_t count, uint32_t key, uint32_t *out
) noexcept nogil:
    cdef Series *series
    cdef size_t i
    for i in range(count):
        series = series_get(table, ids[i])
        out[i] = series_attribute(table, series, key) if series != NULL else 0


cdef void service_column(
    SeriesTable *table, const uint32_t *ids, size_t count, uint32_t *out
) noexcept nogil:
    cdef Series *series
    cdef size_t i
    for i in range(count):
        series = series_get(table, ids[i])
        out[i] = resource_get(table, series.resource).service if series != NULL else 0


cdef void resource_column(
    SeriesTable *table, const uint32_t *ids, size_t count, uint32_t *out
) noexcept nogil:
    cdef Series *series
    cdef size_t i
    for i in range(count):
        series = series_get(table, ids[i])
        out[i] = series.resource if series != NULL else 0


cdef void scope_column(
    SeriesTable *table, const uint32_t *ids, size_t count, uint32_t *out
) noexcept nogil:
    cdef Series *series
    cdef size_t i
    for i in range(count):
        series = series_get(table, ids[i])
        out[i] = series.scope if series != NULL else 0


cdef uint32_t find_string(SeriesTable *table, bytes text):
    cdef Key key = key_of(<const uint8_t *>text, len(text))
    return table_find(&table.strings, &key)


# Text with half of a surrogate pair has no UTF-8, so nothing that is stored has it.

cdef uint32_t find_text(SeriesTable *table, str text) except? 0:
    try:
        return find_string(table, text.encode())
    except UnicodeEncodeError:
        return 0


cdef uint32_t find_value(SeriesTable *table, object value) except? 0:
    try:
        return find_string(table, encode_value(value))
    except UnicodeEncodeError:
        return 0


cdef bytes string_bytes(SeriesTable *table, uint32_t id):
    cdef Entry *entry = table_get(&table.strings, id) if id else NULL
    if entry == NULL:
        raise KeyError(f"{id} is no id of a stored string")
    return PyBytes_FromStringAndSize(<const char *>entry_bytes(entry), entry.length)


cdef uint32_t ids_given(KeyTable *table) noexcept nogil:
    """One more than the highest id ever given."""
    cdef uint32_t limit
    pthread_mutex_lock(&table.lock)
    limit = table.next_id
    pthread_mutex_unlock(&table.lock)
    return limit


cdef list metric_ids(SeriesTable *table, uint32_t name):
    """Ids of all metrics, or of those whose name has this id."""
    cdef list found = []
    cdef Metric *metric
    cdef uint32_t id
    for id in range(1, ids_given(&table.metrics)):
        metric = metric_get(table, id)
        if metric != NULL and (name == 0 or metric.name == name):
            found.append(id)
    return found


cdef object series_ids(SeriesTable *table, const Metric *metric):
    """The ids of a metric's series, as a numpy array."""
    cdef uint32_t *copy
    cdef size_t count
    cdef uint32_t[::1] view
    with nogil:
        # The list moves when it grows, and entries move when series are evicted: copied as a whole.
        pthread_mutex_lock(&table.lock)
        count = metric.series_count
        copy = <uint32_t *>mem_alloc(table.account, count * sizeof(uint32_t))
        if copy != NULL and count:
            memcpy(copy, metric.series, count * sizeof(uint32_t))
        pthread_mutex_unlock(&table.lock)
    if copy == NULL:
        raise MemoryError(f"no memory to list {count} series")
    ids = np.empty(count, np.uint32)
    if count:
        view = ids
        memcpy(&view[0], copy, count * sizeof(uint32_t))
    mem_free(table.account, copy)
    return ids


cdef list catalog_streams(SeriesTable *table, str name):
    cdef uint32_t name_id = 0
    cdef uint32_t id
    cdef Metric *metric
    cdef list found = []
    if name is not None:
        name_id = find_text(table, name)
        if name_id == 0:
            return []
    for id in metric_ids(table, name_id):
        metric = metric_get(table, id)
        if metric == NULL:
            continue
        ids = series_ids(table, metric)
        if len(ids):
            found.append((
                string_bytes(table, metric.name).decode(),
                metric.kind,
                metric.temporality,
                metric.monotonic,
                string_bytes(table, metric.unit).decode(),
                # Acquire: the string was complete before its id was stored.
                string_bytes(table, load32_acquire(&metric.description)).decode(),
                ids,
            ))
    return found


cdef dict catalog_producers(SeriesTable *table):
    cdef Resource *resource
    cdef uint32_t id
    cdef dict found = {}
    for id in range(1, ids_given(&table.resources)):
        resource = resource_get(table, id)
        # A record stays on its page for a while after its strings are gone.
        if resource != NULL and load32_relaxed(&resource.dropped) == 0:
            service = decode_value(string_bytes(table, resource.service))
            found[service] = found.get(service, 0) + 1
    return found


cdef dict attributes_of(SeriesTable *table, const Pair *pairs, uint32_t count):
    cdef uint32_t i
    cdef list items = [
        (string_bytes(table, pairs[i].key).decode(),
         decode_value(string_bytes(table, pairs[i].value)))
        for i in range(count)
    ]
    # By name: the order of ids means nothing to a reader.
    items.sort(key=lambda item: item[0])
    return dict(items)


cdef object series_identity(SeriesTable *table, uint32_t id):
    cdef Series *series = series_get(table, id)
    cdef Metric *metric
    cdef Resource *resource
    cdef Scope *scope
    if series == NULL:
        raise KeyError(f"{id} is no id of a stored series")
    metric = metric_get(table, series.metric)
    resource = resource_get(table, series.resource)
    scope = scope_get(table, series.scope)
    return (
        string_bytes(table, metric.name).decode(),
        metric.kind,
        metric.temporality,
        metric.monotonic,
        string_bytes(table, metric.unit).decode(),
        decode_value(string_bytes(table, resource.service)),
        attributes_of(table, series.pairs, series.pair_count),
        attributes_of(table, resource.pairs, resource.pair_count),
        (
            string_bytes(table, scope.name).decode(),
            string_bytes(table, scope.version).decode(),
            string_bytes(table, scope.schema_url).decode(),
            attributes_of(table, scope.pairs, scope.pair_count),
        ),
    )
