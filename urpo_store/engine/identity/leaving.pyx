"""How records leave; the contract is in identity/leaving.pxd."""
from libc.stdint cimport uint32_t

from urpo_store.engine.memory.alloc cimport mem_free
from urpo_store.engine.memory.atomics cimport (
    pthread_mutex_lock, pthread_mutex_unlock, store32_relaxed,
)
from urpo_store.engine.memory.epoch cimport epoch_retire, release_fn
from urpo_store.engine.identity.intern cimport (
    KeyTable, table_get, table_release, table_release_behind_drain, table_remove,
)
from urpo_store.engine.identity.overflow cimport sources_free, total_free
from urpo_store.engine.identity.pages cimport page_get, page_put
from urpo_store.engine.identity.types cimport (
    Metric, Resource, Scope, metric_get, resource_get, scope_get,
)


# ---- unlinked ------------------------------------------------------------------------------------
#
# Without memory to remember it, a retired record is never freed, and stays counted.

cdef void release_pairs(SeriesTable *table, Pair *pairs, uint32_t count) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        table_release(&table.strings, pairs[i].key)
        table_release(&table.strings, pairs[i].value)


cdef bint is_last(KeyTable *of, uint32_t id) noexcept nogil:
    return table_get(of, id).refs == 1


cdef void drop_resource(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef Resource *resource = resource_get(table, id)
    cdef uint32_t i
    if is_last(&table.resources, id):
        # First: a thread that is inside and sees 0 here is waited for before the strings go.
        store32_relaxed(&resource.dropped, 1)
        if table.hooks.on_resource_gone != NULL:
            table.hooks.on_resource_gone(table.hooks.context, table, resource)
        for i in range(resource.alias_count):
            table_remove(&table.resource_aliases, resource.aliases[i])
        release_pairs(table, resource.pairs, resource.pair_count)
        table_release(&table.strings, resource.service)
        epoch_retire(table.epochs, leave_resource, table, resource, False)
    table_release(&table.resources, id)


cdef void drop_scope(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef Scope *scope = scope_get(table, id)
    cdef uint32_t i
    if is_last(&table.scopes, id):
        for i in range(scope.alias_count):
            table_remove(&table.scope_aliases, scope.aliases[i])
        release_pairs(table, scope.pairs, scope.pair_count)
        table_release(&table.strings, scope.name)
        table_release(&table.strings, scope.version)
        table_release(&table.strings, scope.schema_url)
        epoch_retire(table.epochs, leave_scope, table, scope, False)
    table_release(&table.scopes, id)


cdef void drop_metric(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef Metric *metric = metric_get(table, id)
    if is_last(&table.metrics, id):
        store32_relaxed(&metric.dropped, 1)
        table_release(&table.strings, metric.name)
        table_release(&table.strings, metric.unit)
        table_release(&table.strings, metric.description)
        epoch_retire(table.epochs, leave_metric, table, metric, False)
    table_release(&table.metrics, id)


cdef void retire_series(SeriesTable *table, Series *series) noexcept nogil:
    epoch_retire(table.epochs, leave_series, table, series, True)
    table_release_behind_drain(&table.series, series.id)


# ---- off its page --------------------------------------------------------------------------------

cdef void leave_page(
    SeriesTable *table, void **pages, uint32_t id, void *item, release_fn free
) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    # Another record may have the id by now.
    if page_get(pages, id) == item:
        page_put(pages, id, NULL)
    pthread_mutex_unlock(&table.lock)
    epoch_retire(table.epochs, free, table, item, False)


cdef void leave_resource(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    leave_page(table, table.resource_pages, (<Resource *>item).id, item, free_resource)


cdef void leave_scope(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    leave_page(table, table.scope_pages, (<Scope *>item).id, item, free_scope)


cdef void leave_metric(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    leave_page(table, table.metric_pages, (<Metric *>item).id, item, free_metric)


cdef void leave_series(void *context, void *item) noexcept nogil:
    """Nothing in the ring refers to the series any more, so its points can go too."""
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Series *series = <Series *>item
    if table.hooks.walk_lock != NULL:
        pthread_mutex_lock(table.hooks.walk_lock)
    if table.hooks.on_gone != NULL:
        table.hooks.on_gone(table.hooks.context, table, series)
    leave_page(table, table.series_pages, series.id, series, free_series)
    if table.hooks.walk_lock != NULL:
        pthread_mutex_unlock(table.hooks.walk_lock)


# ---- freed ---------------------------------------------------------------------------------------

cdef void free_resource(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    mem_free(table.account, (<Resource *>item).pairs)
    mem_free(table.account, item)


cdef void free_scope(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    mem_free(table.account, (<Scope *>item).pairs)
    mem_free(table.account, item)


cdef void free_metric(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Metric *metric = <Metric *>item
    sources_free(table, metric)
    mem_free(table.account, metric.fattest)
    mem_free(table.account, metric.series)
    mem_free(table.account, metric)


cdef void free_series(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Series *series = <Series *>item
    total_free(table, series)
    mem_free(table.account, series.pairs)
    mem_free(table.account, series)
