"""Eviction of idle series; the contract, and why no point is lost, are in identity/idle.pxd."""
from libc.stdint cimport uint32_t

from urpo_store.engine.memory.atomics cimport (
    add_relaxed, load32_relaxed, load32_seq_cst, pthread_mutex_lock, pthread_mutex_unlock,
    store32_relaxed, store32_seq_cst,
)
from urpo_store.engine.identity.intern cimport table_remove
from urpo_store.engine.identity.leaving cimport (
    drop_metric, drop_resource, drop_scope, release_pairs, retire_series,
)
from urpo_store.engine.identity.types cimport Metric, metric_get, series_get


cdef void evict_series(SeriesTable *table, Series *series) noexcept nogil:
    """V5."""
    cdef uint32_t i
    if table.hooks.on_evict != NULL:
        table.hooks.on_evict(table.hooks.context, table, series)
    for i in range(series.alias_count):
        table_remove(&table.aliases, series.aliases[i])
    metric_get(table, series.metric).gone += 1
    release_pairs(table, series.pairs, series.pair_count)
    drop_resource(table, series.resource)
    drop_scope(table, series.scope)
    drop_metric(table, series.metric)
    store32_relaxed(&table.series_count, table.series_count - 1)
    add_relaxed(&table.evicted_series, 1)
    retire_series(table, series)


cdef inline bint is_idle(uint32_t seen, uint32_t now) noexcept nogil:
    return seen + IDLE_SECONDS <= now


cdef uint32_t evict_idle(SeriesTable *table, uint32_t now, uint32_t most) noexcept nogil:
    cdef uint32_t id, evicted = 0
    cdef Series *series
    for id in range(1, table.series_limit):
        series = series_get(table, id)
        if series == NULL or series.flags & SERIES_EVICTED:
            continue
        if not is_idle(load32_relaxed(&series.seen), now):                              # V1
            continue
        store32_seq_cst(&series.flags, series.flags | SERIES_EVICTED)                   # V2
        if not is_idle(load32_seq_cst(&series.seen), now):                              # V3
            store32_relaxed(&series.flags, series.flags & ~<uint32_t>SERIES_EVICTED)    # V4
            continue
        evict_series(table, series)                                                     # V5
        evicted += 1
        if evicted == most:
            break
    if evicted:
        compact_lists(table)
    return evicted


cdef void compact_lists(SeriesTable *table) noexcept nogil:
    """Takes evicted series out of their metrics' lists, which stay in order of creation."""
    cdef Metric *metric
    cdef uint32_t id, limit = table.metrics.next_id
    cdef size_t i, kept
    for id in range(1, limit):
        metric = metric_get(table, id)
        if metric == NULL or metric.gone == 0:
            continue
        kept = 0
        for i in range(metric.series_count):
            if not series_get(table, metric.series[i]).flags & SERIES_EVICTED:
                metric.series[kept] = metric.series[i]
                kept += 1
        metric.series_count = kept
        metric.gone = 0


cdef uint32_t series_evict_idle(SeriesTable *table, uint32_t now, uint32_t most) noexcept nogil:
    cdef uint32_t evicted
    pthread_mutex_lock(&table.lock)
    evicted = evict_idle(table, now, most)
    pthread_mutex_unlock(&table.lock)
    return evicted
