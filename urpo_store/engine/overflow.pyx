"""Collapsed sources; the contract is in overflow.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.alloc cimport mem_alloc, mem_calloc, mem_free
from urpo_store.engine.atomics cimport (
    add_relaxed, bits_to_double, double_to_bits, pthread_mutex_lock, pthread_mutex_unlock,
)
from urpo_store.engine.points cimport (
    FLAG_INT, FLAG_MAX, FLAG_MIN, FLAG_STALE, KIND_EXPONENTIAL, KIND_HISTOGRAM, KIND_SUM, Point,
    ROW_EXPONENTIAL, ROW_HISTOGRAM, TEMPORALITY_CUMULATIVE, payload_layout_words,
    payload_row_words,
)
from urpo_store.engine.series cimport (
    Metric, OVERFLOW_SOURCES, Series, SeriesTable, Sources, Total, metric_get, series_get,
)

cdef enum:
    SOURCE_SLOTS = 2 * OVERFLOW_SOURCES     # a power of two, half full at most


# The last cumulative point of a source; layout and row words follow.
cdef struct Last:
    int64_t time
    int64_t start
    uint64_t value
    uint32_t is_int
    uint32_t layout, row        # words

cdef struct Source:
    uint64_t hash               # 0: empty
    Last *last

cdef struct Sources:
    uint32_t count
    Source slots[SOURCE_SLOTS]

# The running total of a collapsed series; layout and row words follow.
cdef struct Total:
    uint64_t value
    uint32_t is_int
    uint32_t layout, row


cdef inline uint64_t *words_of_last(Last *last) noexcept nogil:
    return <uint64_t *>(last + 1)


cdef inline uint64_t *words_of_total(Total *total) noexcept nogil:
    return <uint64_t *>(total + 1)


cdef void sources_free(SeriesTable *table, Metric *metric) noexcept nogil:
    cdef size_t i
    if metric.sources != NULL:
        for i in range(SOURCE_SLOTS):
            mem_free(table.account, metric.sources.slots[i].last)
        mem_free(table.account, metric.sources)
        metric.sources = NULL


cdef void total_free(SeriesTable *table, Series *series) noexcept nogil:
    mem_free(table.account, series.total)
    series.total = NULL


cdef Source *find_source(SeriesTable *table, Metric *metric, uint64_t hash) noexcept nogil:
    """The source's slot, empty if it is new; NULL: no memory."""
    cdef size_t at
    if metric.sources == NULL:
        # Zeros cost no memory before they are touched.
        metric.sources = <Sources *>mem_calloc(table.account, sizeof(Sources))
        if metric.sources == NULL:
            return NULL
    hash |= 1
    at = hash % SOURCE_SLOTS
    while metric.sources.slots[at].hash != 0 and metric.sources.slots[at].hash != hash:
        at = (at + 1) % SOURCE_SLOTS
    return &metric.sources.slots[at]


cdef Last *remember(SeriesTable *table, const Point *point, int64_t start, const uint64_t *words,
                    uint32_t layout, uint32_t row) noexcept nogil:
    cdef Last *last = <Last *>mem_alloc(table.account, sizeof(Last) + (layout + row) * sizeof(uint64_t))
    if last == NULL:
        return NULL
    last.time = point.timestamp
    last.start = start
    last.value = point.value
    last.is_int = point.flags & FLAG_INT
    last.layout = layout
    last.row = row
    if layout + row:
        memcpy(words_of_last(last), words, (layout + row) * sizeof(uint64_t))
    return last


cdef bint same_layout(const Last *last, const uint64_t *words, uint32_t layout, uint32_t row) noexcept nogil:
    return (last.layout == layout and last.row == row
            and memcmp(<const uint64_t *>(last + 1), words, layout * sizeof(uint64_t)) == 0)


cdef inline double as_double(uint64_t value, bint is_int) noexcept nogil:
    return <double>(<int64_t>value) if is_int else bits_to_double(value)


cdef void add_number(Total *total, uint64_t now, bint now_int, uint64_t before, bint before_int) noexcept nogil:
    """total += now - before; exact while all are integers and the total fits."""
    cdef uint64_t sum
    cdef double increase
    if total.is_int and now_int and before_int:
        # In two steps, each checked: wrapped unsigned sums tell an overflow by their sign.
        sum = total.value + now - before
        increase = <double>(<int64_t>now) - <double>(<int64_t>before) + <double>(<int64_t>total.value)
        if -9.2e18 < increase < 9.2e18:
            total.value = sum
            return
        total.value = double_to_bits(increase)
        total.is_int = 0
        return
    increase = as_double(now, now_int) - as_double(before, before_int)
    total.value = double_to_bits(as_double(total.value, total.is_int) + increase)
    total.is_int = 0


cdef bint reset(const Metric *metric, const Last *last, const Point *point, int64_t start) noexcept nogil:
    if start != 0 and start > last.start and start >= last.time:
        return True
    if metric.kind != KIND_SUM:
        return point.value < last.value
    if not metric.monotonic:
        return False
    return as_double(point.value, point.flags & FLAG_INT) < as_double(last.value, last.is_int)


cdef Total *total_of(SeriesTable *table, Series *series, const uint64_t *words, uint32_t layout, uint32_t row) noexcept nogil:
    """The running total; made, or begun anew when the layout has changed."""
    cdef Total *total = series.total
    if total != NULL and total.layout == layout and total.row == row:
        if memcmp(words_of_total(total), words, layout * sizeof(uint64_t)) == 0:
            return total
    total = <Total *>mem_calloc(table.account, sizeof(Total) + (layout + row) * sizeof(uint64_t))
    if total == NULL:
        return NULL
    total.is_int = 1
    total.layout = layout
    total.row = row
    if layout:
        memcpy(words_of_total(total), words, layout * sizeof(uint64_t))
    mem_free(table.account, series.total)
    series.total = total
    return total


cdef void add_row(uint32_t kind, Total *total, const uint64_t *now, const uint64_t *before) noexcept nogil:
    """Adds the increase of a histogram's row: its sum as float64, its counts as integers."""
    cdef uint64_t *row = words_of_total(total) + total.layout
    cdef uint32_t first = ROW_HISTOGRAM if kind == KIND_HISTOGRAM else ROW_EXPONENTIAL
    cdef uint32_t i
    cdef double sum = bits_to_double(row[0]) + bits_to_double(now[0])
    if before != NULL:
        sum -= bits_to_double(before[0])
    row[0] = double_to_bits(sum)
    if kind == KIND_EXPONENTIAL:
        row[3] += now[3] - (before[3] if before != NULL else 0)
        row[4] = now[4]
    for i in range(first, total.row):
        row[i] += now[i] - (before[i] if before != NULL else 0)


cdef int overflow_point(SeriesTable *table, uint32_t id, uint64_t hash, Point *point, int64_t *start, uint64_t *payload) noexcept nogil:
    cdef Series *series = series_get(table, id)
    cdef Metric *metric = metric_get(table, series.metric)
    cdef int verdict
    add_relaxed(&table.overflowed_points, 1)
    if metric.temporality != TEMPORALITY_CUMULATIVE or point.flags & FLAG_STALE:
        return 1
    pthread_mutex_lock(&table.lock)
    verdict = accumulate(table, metric, series, hash, point, start, payload)
    if verdict == 0:
        add_relaxed(&table.baseline_points, 1)
    pthread_mutex_unlock(&table.lock)
    return verdict


cdef int accumulate(SeriesTable *table, Metric *metric, Series *series, uint64_t hash, Point *point,
                    int64_t *start, uint64_t *payload) noexcept nogil:
    cdef Source *source = find_source(table, metric, hash)
    cdef Last *last
    cdef Last *kept
    cdef Total *total
    cdef uint64_t *words = payload + 1 if payload != NULL else NULL
    cdef uint32_t layout = payload_layout_words(payload[0]) if payload != NULL else 0
    cdef uint32_t row = payload_row_words(payload[0]) if payload != NULL else 0
    cdef bint is_number = metric.kind == KIND_SUM
    cdef bint known
    if source == NULL:
        return -1
    if is_number:
        layout = row = 0
    if source.hash == 0 and metric.sources.count >= OVERFLOW_SOURCES:
        return 0
    last = source.last
    if last != NULL and point.timestamp <= last.time:
        # Sent again, or late: its increase is in the total already.
        return 0
    kept = remember(table, point, start[0], words, layout, row)
    if kept == NULL:
        return -1
    if source.hash == 0:
        source.hash = hash | 1
        metric.sources.count += 1
    source.last = kept
    known = last != NULL and same_layout(last, words, layout, row)
    if not known and (metric.kind != KIND_SUM or metric.monotonic):
        mem_free(table.account, last)
        return 0
    total = total_of(table, series, words, layout, row)
    if total == NULL:
        mem_free(table.account, last)
        return -1
    if not known:
        # A sum that may fall: the total is the sum of its sources' last values.
        add_number(total, point.value, point.flags & FLAG_INT, 0, 1)
    elif is_number:
        if reset(metric, last, point, start[0]):
            add_number(total, point.value, point.flags & FLAG_INT, 0, 1)
        else:
            add_number(total, point.value, point.flags & FLAG_INT, last.value, last.is_int)
    elif reset(metric, last, point, start[0]):
        total.value += point.value
        add_row(metric.kind, total, words + layout, NULL)
    else:
        total.value += point.value - last.value
        add_row(metric.kind, total, words + layout, words_of_last(last) + layout)
    mem_free(table.account, last)
    point.value = total.value
    if is_number:
        point.flags &= ~<uint32_t>FLAG_INT
        if total.is_int:
            point.flags |= FLAG_INT
    else:
        # Extremes of one source say nothing of the total.
        point.flags &= ~<uint32_t>(FLAG_MIN | FLAG_MAX)
        memcpy(words + layout, words_of_total(total) + layout, row * sizeof(uint64_t))
        words[layout + 1] = words[layout + 2] = 0
    # The total begins when this store first had to collapse, which is no start that a source sent.
    start[0] = 0
    return 1
