"""Canonical series; the contract is in identity/creation.pxd."""
from libc.stdint cimport uint32_t

from urpo_store.engine.memory.alloc cimport mem_calloc, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport add_relaxed, store32_relaxed, store_ptr_release
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.identity.idle cimport second_now
from urpo_store.engine.identity.intern cimport (
    Entry, Key, table_find, table_intern, table_put, table_release, table_retain,
)
from urpo_store.engine.identity.pages cimport page_make, page_put
from urpo_store.engine.identity.records cimport alias_limit
from urpo_store.engine.identity.sets cimport Set, set_copy_pairs, set_find, set_intern, set_key
from urpo_store.engine.identity.types cimport (
    ALIASES, SERIES_OVERFLOW, Metric, Series, metric_get, series_get,
)


cdef inline Key canonical_key(
    uint32_t resource, uint32_t scope, uint32_t metric, const Set *set
) noexcept nogil:
    cdef Key key = set_key(set)
    key.prefix[0] = resource
    key.prefix[1] = scope
    key.prefix[2] = metric
    return key


cdef uint32_t find_canonical(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Set *set
) noexcept nogil:
    cdef Key key
    if not set_find(set):
        return 0
    key = canonical_key(resource, scope, metric, set)
    return table_find(&table.series, &key)


cdef Series *allocate(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric_id, Set *set
) noexcept nogil:
    """A record with its id, its pairs, its page, and room in its metric's list: all that can fail.
    NULL: no memory, nothing changed."""
    cdef Metric *metric = metric_get(table, metric_id)
    cdef Series *series = <Series *>mem_calloc(table.account, sizeof(Series))
    cdef Key key
    if series == NULL:
        return NULL
    series.pairs = set_copy_pairs(set)
    if series.pairs != NULL and mem_grow(
            table.account, <void **>&metric.series, &metric.series_capacity,
            metric.series_count + 1, sizeof(uint32_t)) == OK:
        key = canonical_key(resource, scope, metric_id, set)
        series.id = table_intern(&table.series, &key)
    if series.id and page_make(table.account, table.series_pages, series.id) == OK:
        return series
    if series.id:
        table_release(&table.series, series.id)
    mem_free(table.account, series.pairs)
    mem_free(table.account, series)
    return NULL


cdef uint32_t create_series(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric_id, Set *set,
    const Key *alias, uint32_t flags
) noexcept nogil:
    cdef Metric *metric = metric_get(table, metric_id)
    cdef Series *series
    if set_intern(set) != OK:
        return 0
    series = allocate(table, resource, scope, metric_id, set)
    if series == NULL:
        return 0
    # From here on nothing can fail. The series takes over what it refers to.
    set.interned = False
    table_retain(&table.resources, resource)
    table_retain(&table.scopes, scope)
    table_retain(&table.metrics, metric_id)
    series.resource = resource
    series.scope = scope
    series.metric = metric_id
    series.pair_count = <uint32_t>set.count
    series.flags = flags
    series.seen = second_now()
    if table.hooks.on_new != NULL:
        table.hooks.on_new(table.hooks.context, table, series)
    # Published: from here on it is found by its id, then by its metric, and last by its alias.
    page_put(table.series_pages, series.id, series)
    metric.series[metric.series_count] = series.id
    metric.series_count += 1
    if series.id >= table.series_limit:
        store32_relaxed(&table.series_limit, series.id + 1)
    store32_relaxed(&table.series_count, table.series_count + 1)
    if flags & SERIES_OVERFLOW:
        add_relaxed(&table.overflowed_series, 1)
    if alias != NULL:
        add_alias(table, series.id, alias, set)
    return series.id


cdef void add_alias(
    SeriesTable *table, uint32_t id, const Key *alias, const Set *set
) noexcept nogil:
    cdef Series *series = series_get(table, id)
    cdef Entry *entry
    if series.alias_count < ALIASES and alias.length <= alias_limit(set):
        entry = table_put(&table.aliases, alias, id)
        if entry != NULL:
            # Release: level 1 reads the first one without a lock.
            store_ptr_release(<void **>&series.aliases[series.alias_count], entry)
            series.alias_count += 1
