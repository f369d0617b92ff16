"""Collapse; the contract is in identity/collapse.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport strlen

from urpo_store.engine.memory.atomics cimport load_relaxed
from urpo_store.engine.wire.types cimport Span
from urpo_store.engine.identity.creation cimport create_series, find_canonical
from urpo_store.engine.identity.intern cimport Key, key_of, table_hash
from urpo_store.engine.identity.key_ranks cimport count_values, rank_of
from urpo_store.engine.identity.sets cimport Set, same_span, set_hash
from urpo_store.engine.identity.types cimport (
    SERIES_OVERFLOW, Metric, metric_get, resource_get, scope_get,
)

cdef enum:
    # Sets that collapse before the distinct values of a metric's keys are counted again.
    RECOUNT = 65536
    # Series beyond the limits, however small max_series is.
    SPARE = 16


cdef inline bint is_within(SeriesTable *table, uint32_t series, uint64_t bytes) noexcept nogil:
    return table.series_count < series and load_relaxed(&table.account.bytes) <= bytes


cdef bint has_room(SeriesTable *table) noexcept nogil:
    return is_within(table, table.max_series, table.memory_limit)


cdef uint64_t source_hash(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, const Set *set
) noexcept nogil:
    cdef uint64_t parts[3]
    cdef Key key
    parts[0] = set_hash(set)
    parts[1] = resource_get(table, resource).content
    parts[2] = scope_get(table, scope).content
    key = key_of(<const uint8_t *>parts, sizeof(parts))
    # The metric's id will do: its record is where sources are remembered.
    key.prefix[0] = metric
    return table_hash(&table.strings, &key)


cdef void refresh_ranks(SeriesTable *table, Metric *metric) noexcept nogil:
    # When sets first collapse, and when the series have doubled or RECOUNT sets have collapsed
    # since: a store that has room never counts.
    metric.collapses += 1
    if metric.collapses >= RECOUNT or metric.series_count >= 2 * metric.counted:
        metric.collapses = 0
        metric.counted = metric.series_count
        count_values(table, metric)


cdef bint collapse_one(
    SeriesTable *table, const Metric *metric, Set *set, Span overflow
) noexcept nogil:
    """Collapses the key that ranks first of those that are not collapsed. False: all are."""
    cdef size_t i, chosen = set.count
    cdef uint32_t best = 0, rank
    for i in range(set.count):
        if same_span(set.items[i].value, overflow):
            continue
        rank = rank_of(table, metric, set.items[i].key)
        if chosen == set.count or rank < best:
            chosen = i
            best = rank
    if chosen == set.count:
        return False
    set.items[chosen].value = overflow
    return True


cdef uint32_t collapse(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric_id, Set *set
) noexcept nogil:
    cdef Metric *metric = metric_get(table, metric_id)
    cdef uint32_t id, most = table.max_series + table.max_series // 4 + SPARE
    cdef Span overflow
    overflow.p = <const uint8_t *>OVERFLOW_VALUE
    overflow.n = strlen(OVERFLOW_VALUE)
    refresh_ranks(table, metric)
    while collapse_one(table, metric, set, overflow):
        id = find_canonical(table, resource, scope, metric_id, set)
        if id:
            return id
        if is_within(table, most, table.memory_limit):
            return create_series(
                table, resource, scope, metric_id, set, NULL, SERIES_OVERFLOW)
    id = find_canonical(table, resource, scope, metric_id, set)
    if id == 0 and is_within(table, 2 * table.max_series + SPARE,
                             table.memory_limit + table.memory_limit // 4):
        id = create_series(table, resource, scope, metric_id, set, NULL, SERIES_OVERFLOW)
    return id
