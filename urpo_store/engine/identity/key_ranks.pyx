"""Which attribute keys have most values; the contract is in identity/key_ranks.pxd."""
from libc.stdint cimport uint32_t
from libc.stdlib cimport qsort
from libc.string cimport memcpy

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_free, mem_grow
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.wire.types cimport Span
from urpo_store.engine.identity.sets cimport Pair, find_span
from urpo_store.engine.identity.types cimport Metric, Series, SeriesTable, series_get

cdef enum:
    # Series of a metric that are looked at, evenly spread over all of them: enough to tell a key
    # with thousands of values from one with ten.
    SAMPLE = 4096

# How many distinct values a key has.
cdef struct KeyCount:
    uint32_t key
    uint32_t values

# A growing array of pairs, and one of what they come to.
cdef struct Sample:
    Account *account
    Pair *pairs
    size_t pair_count, pair_capacity
    KeyCount *keys
    size_t key_count, key_capacity


cdef inline int compare_pairs(const Pair *a, const Pair *b) noexcept nogil:
    if a.key != b.key:
        return 1 if a.key > b.key else -1
    return (a.value > b.value) - (a.value < b.value)


cdef int by_pair(const void *a, const void *b) noexcept nogil:
    return compare_pairs(<const Pair *>a, <const Pair *>b)


cdef int by_values(const void *a, const void *b) noexcept nogil:
    cdef const KeyCount *x = <const KeyCount *>a
    cdef const KeyCount *y = <const KeyCount *>b
    if x.values != y.values:
        return 1 if x.values < y.values else -1
    return (x.key > y.key) - (x.key < y.key)


cdef int collect_pairs(SeriesTable *table, const Metric *metric, Sample *sample) noexcept nogil:
    """The pairs of a sample of the metric's series, sorted. OK, or NO_MEMORY."""
    cdef size_t step = metric.series_count // SAMPLE + 1, i = 0
    cdef Series *series
    while i < metric.series_count:
        series = series_get(table, metric.series[i])
        i += step
        if series.pair_count == 0:
            continue
        if mem_grow(sample.account, <void **>&sample.pairs, &sample.pair_capacity,
                    sample.pair_count + series.pair_count, sizeof(Pair)) != OK:
            return NO_MEMORY
        memcpy(sample.pairs + sample.pair_count, series.pairs, series.pair_count * sizeof(Pair))
        sample.pair_count += series.pair_count
    if sample.pair_count:
        qsort(sample.pairs, sample.pair_count, sizeof(Pair), by_pair)
    return OK


cdef int count_keys(Sample *sample) noexcept nogil:
    """The keys of sorted pairs, with their numbers of distinct values. OK, or NO_MEMORY."""
    cdef const Pair *pair
    cdef size_t i
    for i in range(sample.pair_count):
        pair = &sample.pairs[i]
        if i and compare_pairs(&sample.pairs[i - 1], pair) == 0:
            continue
        if sample.key_count == 0 or sample.keys[sample.key_count - 1].key != pair.key:
            if mem_grow(sample.account, <void **>&sample.keys, &sample.key_capacity,
                        sample.key_count + 1, sizeof(KeyCount)) != OK:
                return NO_MEMORY
            sample.keys[sample.key_count].key = pair.key
            sample.keys[sample.key_count].values = 0
            sample.key_count += 1
        sample.keys[sample.key_count - 1].values += 1
    return OK


cdef void count_values(SeriesTable *table, Metric *metric) noexcept nogil:
    cdef Sample sample
    cdef uint32_t *order = NULL
    cdef size_t i
    sample.account = table.account
    sample.pairs = NULL
    sample.keys = NULL
    sample.pair_count = sample.pair_capacity = sample.key_count = sample.key_capacity = 0
    if collect_pairs(table, metric, &sample) == OK and count_keys(&sample) == OK:
        if sample.key_count:
            order = <uint32_t *>mem_alloc(table.account, sample.key_count * sizeof(uint32_t))
    if order != NULL:
        qsort(sample.keys, sample.key_count, sizeof(KeyCount), by_values)
        for i in range(sample.key_count):
            order[i] = sample.keys[i].key
        mem_free(table.account, metric.fattest)
        metric.fattest = order
        metric.fattest_count = <uint32_t>sample.key_count
    mem_free(table.account, sample.pairs)
    mem_free(table.account, sample.keys)


cdef uint32_t rank_of(SeriesTable *table, const Metric *metric, Span key) noexcept nogil:
    cdef uint32_t id = find_span(&table.strings, key)
    cdef uint32_t i
    for i in range(metric.fattest_count):
        if metric.fattest[i] == id:
            return i + 1
    return 0
