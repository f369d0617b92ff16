"""Which attribute keys have most values; the contract is in identity/key_ranks.pxd."""
from libc.stdint cimport uint32_t
from libc.stdlib cimport qsort
from libc.string cimport memcpy

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free, mem_grow
from urpo_store.engine.wire.types cimport Span
from urpo_store.engine.identity.records cimport find_span
from urpo_store.engine.identity.sets cimport Pair
from urpo_store.engine.identity.types cimport Metric, Series, SeriesTable, series_get

cdef enum:
    SAMPLE = 4096               # series of a metric that are looked at to count its keys' values


cdef int by_pair(const void *a, const void *b) noexcept nogil:
    return compare_pairs(<const Pair *>a, <const Pair *>b)


cdef inline int compare_pairs(const Pair *a, const Pair *b) noexcept nogil:
    if a.key != b.key:
        return 1 if a.key > b.key else -1
    return (a.value > b.value) - (a.value < b.value)


# How many distinct values a key has.
cdef struct KeyCount:
    uint32_t key
    uint32_t values


cdef int by_values(const void *a, const void *b) noexcept nogil:
    cdef const KeyCount *x = <const KeyCount *>a
    cdef const KeyCount *y = <const KeyCount *>b
    if x.values != y.values:
        return 1 if x.values < y.values else -1
    return (x.key > y.key) - (x.key < y.key)


cdef void count_values(SeriesTable *table, Metric *metric) noexcept nogil:
    """Orders the metric's keys by falling number of distinct values among its series.

    Counted when sets first collapse, and again when the series have doubled or RECOUNT sets collapsed, not
    as they come: a store that has room pays nothing for it. Of many series SAMPLE are looked at, evenly spread: enough to tell
    a key with thousands of values from one with ten. Without memory the old order stays.
    """
    cdef Pair *pairs = NULL
    cdef KeyCount *counts = NULL
    cdef uint32_t *order
    cdef size_t capacity = 0, total = 0, keys = 0, key_capacity = 0, i
    cdef Series *series
    cdef bint failed = False
    cdef size_t step = metric.series_count // SAMPLE + 1
    i = 0
    while i < metric.series_count:
        series = series_get(table, metric.series[i])
        i += step
        if series.pair_count == 0:
            continue
        if mem_grow(table.account, <void **>&pairs, &capacity, total + series.pair_count, sizeof(Pair)) != 0:
            failed = True
            break
        memcpy(pairs + total, series.pairs, series.pair_count * sizeof(Pair))
        total += series.pair_count
    if not failed and total:
        qsort(pairs, total, sizeof(Pair), by_pair)
        for i in range(total):
            if i and compare_pairs(&pairs[i - 1], &pairs[i]) == 0:
                continue
            if keys == 0 or counts[keys - 1].key != pairs[i].key:
                if mem_grow(table.account, <void **>&counts, &key_capacity, keys + 1, sizeof(KeyCount)) != 0:
                    failed = True
                    break
                counts[keys].key = pairs[i].key
                counts[keys].values = 0
                keys += 1
            counts[keys - 1].values += 1
    order = <uint32_t *>mem_alloc(table.account, keys * sizeof(uint32_t)) if not failed and keys else NULL
    if order != NULL:
        qsort(counts, keys, sizeof(KeyCount), by_values)
        for i in range(keys):
            order[i] = counts[i].key
        mem_free(table.account, metric.fattest)
        metric.fattest = order
        metric.fattest_count = <uint32_t>keys
    mem_free(table.account, pairs)
    mem_free(table.account, counts)


cdef uint32_t rank_of(SeriesTable *table, const Metric *metric, Span key) noexcept nogil:
    """The key's place among the metric's keys by distinct values; a key that is new comes first, for
    nothing that is stored needs it."""
    cdef uint32_t id = find_span(table, key)
    cdef uint32_t i
    for i in range(metric.fattest_count):
        if metric.fattest[i] == id:
            return i + 1
    return 0
