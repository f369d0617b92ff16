"""Collapsed sources; the contract is in identity/overflow.pxd."""
from libc.math cimport isfinite
from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, bits_to_double, double_to_bits, load_relaxed, pthread_mutex_lock,
    pthread_mutex_unlock,
)
from urpo_store.engine.points.slots cimport (
    FLAG_INT, FLAG_MAX, FLAG_MIN, FLAG_STALE, FLAG_SUM, KIND_EXPONENTIAL, KIND_HISTOGRAM, KIND_SUM,
    ROW_EXPONENTIAL, ROW_HISTOGRAM, TEMPORALITY_CUMULATIVE, Point, payload_layout_words,
    payload_row_words,
)
from urpo_store.engine.identity.types cimport (
    OVERFLOW_SOURCES, Metric, Series, SeriesTable, Sources, Total, metric_get, series_get,
)

cdef enum:
    FIRST_SLOTS = 64            # doubled whenever half of them are taken


# The last cumulative point of a source; layout and row words follow.
cdef struct Last:
    int64_t time
    int64_t start
    uint64_t value
    uint32_t flags              # FLAG_INT, FLAG_SUM
    uint32_t layout, row        # words

cdef struct Source:
    uint64_t hash               # 0: empty
    Last *last

cdef struct Sources:            # mask + 1 slots follow
    uint32_t count
    uint32_t mask

# The running total of a collapsed series; layout and row words follow.
cdef struct Total:
    int64_t time                # of the newest point that showed it
    int64_t start               # when it was 0; 0 for sums that may fall
    uint64_t value
    uint32_t is_int
    uint32_t has_sum            # every increase so far had a sum
    uint32_t layout, row


cdef inline uint64_t *words_of_last(Last *last) noexcept nogil:
    return <uint64_t *>(last + 1)


cdef inline uint64_t *words_of_total(Total *total) noexcept nogil:
    return <uint64_t *>(total + 1)


cdef inline Source *slots_of(Sources *sources) noexcept nogil:
    return <Source *>(sources + 1)


cdef void sources_free(SeriesTable *table, Metric *metric) noexcept nogil:
    cdef size_t i
    if metric.sources != NULL:
        for i in range(<size_t>metric.sources.mask + 1):
            mem_free(table.account, slots_of(metric.sources)[i].last)
        mem_free(table.account, metric.sources)
        metric.sources = NULL


cdef void total_free(SeriesTable *table, Series *series) noexcept nogil:
    mem_free(table.account, series.total)
    series.total = NULL


cdef Source *slot_of(Sources *sources, uint64_t hash) noexcept nogil:
    """The slot of a source, or the empty one where it would stand."""
    cdef uint64_t at = hash & sources.mask
    while slots_of(sources)[at].hash != 0 and slots_of(sources)[at].hash != hash:
        at = (at + 1) & sources.mask
    return &slots_of(sources)[at]


cdef Source *find_source(SeriesTable *table, Metric *metric, uint64_t hash) noexcept nogil:
    """The source's slot, empty if it is new; NULL: no memory. One slot in two stays empty."""
    cdef Sources *old = metric.sources
    cdef Sources *sources = old
    cdef size_t slots, i
    if old == NULL or 2 * (old.count + 1) > old.mask:
        slots = 2 * (<size_t>old.mask + 1) if old != NULL else FIRST_SLOTS
        sources = <Sources *>mem_calloc(table.account, sizeof(Sources) + slots * sizeof(Source))
        if sources == NULL:
            return NULL
        sources.mask = <uint32_t>(slots - 1)
        if old != NULL:
            sources.count = old.count
            for i in range(<size_t>old.mask + 1):
                if slots_of(old)[i].hash:
                    slot_of(sources, slots_of(old)[i].hash)[0] = slots_of(old)[i]
            mem_free(table.account, old)
        metric.sources = sources
    return slot_of(sources, hash)


cdef bint is_source(Metric *metric, uint64_t hash) noexcept nogil:
    return metric.sources != NULL and slot_of(metric.sources, hash).hash == hash


cdef Last *remember(SeriesTable *table, const Point *point, int64_t start, const uint64_t *words,
                    uint32_t layout, uint32_t row) noexcept nogil:
    cdef Last *last = <Last *>mem_alloc(table.account, sizeof(Last) + (layout + row) * sizeof(uint64_t))
    if last == NULL:
        return NULL
    last.time = point.timestamp
    last.start = start
    last.value = point.value
    last.flags = point.flags & (FLAG_INT | FLAG_SUM)
    last.layout = layout
    last.row = row
    if layout + row:
        memcpy(words_of_last(last), words, (layout + row) * sizeof(uint64_t))
    return last


cdef bint same_layout(const Last *last, const uint64_t *words, uint32_t layout, uint32_t row) noexcept nogil:
    return (last.layout == layout and last.row == row
            and (layout == 0 or memcmp(<const uint64_t *>(last + 1), words, layout * sizeof(uint64_t)) == 0))


cdef inline double as_double(uint64_t value, bint is_int) noexcept nogil:
    return <double>(<int64_t>value) if is_int else bits_to_double(value)


cdef void add_number(Total *total, uint64_t now, bint now_int, uint64_t before, bint before_int) noexcept nogil:
    """total += now - before; exact while all are integers and the total fits."""
    cdef uint64_t sum
    cdef double increase
    if total.is_int and now_int and before_int:
        # Unsigned, so that it wraps as int64 would; whether it fits is asked of floats, well inside the limit.
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


cdef inline uint32_t first_count(uint32_t kind) noexcept nogil:
    """Where a row's bucket counts begin."""
    return ROW_HISTOGRAM if kind == KIND_HISTOGRAM else ROW_EXPONENTIAL


cdef bint reset(const Metric *metric, const Last *last, const Point *point, int64_t start, const uint64_t *row) noexcept nogil:
    """Whether the source began anew since its last point: by its start time, or because something fell.

    A start that only moved within what was already counted is a jittering clock, not a reset.
    """
    cdef const uint64_t *before = <const uint64_t *>(last + 1) + last.layout
    cdef uint32_t i
    if metric.kind == KIND_SUM and not metric.monotonic:
        return False
    if start != 0 and start > last.start and start >= last.time:
        return True
    if metric.kind == KIND_SUM:
        return as_double(point.value, point.flags & FLAG_INT) < as_double(last.value, last.flags & FLAG_INT)
    if point.value < last.value:
        return True
    for i in range(first_count(metric.kind), last.row):
        if row[i] < before[i]:
            return True
    return metric.kind == KIND_EXPONENTIAL and row[3] < before[3]


cdef Total *total_of(SeriesTable *table, Series *series, const uint64_t *words, uint32_t layout, uint32_t row, int64_t start) noexcept nogil:
    """The running total; made, or begun anew at `start` when the layout has changed."""
    cdef Total *total = series.total
    if total != NULL and total.layout == layout and total.row == row:
        if layout == 0 or memcmp(words_of_total(total), words, layout * sizeof(uint64_t)) == 0:
            return total
    total = <Total *>mem_calloc(table.account, sizeof(Total) + (layout + row) * sizeof(uint64_t))
    if total == NULL:
        return NULL
    total.is_int = 1
    total.has_sum = 1
    total.start = start
    # Time goes on where the old total ends.
    total.time = series.total.time if series.total != NULL else INT64_MIN
    total.layout = layout
    total.row = row
    if layout:
        memcpy(words_of_total(total), words, layout * sizeof(uint64_t))
    mem_free(table.account, series.total)
    series.total = total
    return total


cdef void add_row(uint32_t kind, Total *total, const uint64_t *now, const uint64_t *before, bint has_sum) noexcept nogil:
    """Adds the increase of a histogram's row: its sum as float64, its counts as integers."""
    cdef uint64_t *row = words_of_total(total) + total.layout
    cdef uint32_t i
    cdef double sum = bits_to_double(row[0]) + bits_to_double(now[0])
    if before != NULL:
        sum -= bits_to_double(before[0])
    if not has_sum or not isfinite(sum):
        total.has_sum = 0
    row[0] = double_to_bits(sum) if total.has_sum else 0
    if kind == KIND_EXPONENTIAL:
        row[3] += now[3] - (before[3] if before != NULL else 0)
        row[4] = now[4]
    for i in range(first_count(kind), total.row):
        row[i] += now[i] - (before[i] if before != NULL else 0)


cdef int overflow_point(SeriesTable *table, uint32_t id, uint64_t hash, Point *point, int64_t *start, uint64_t *payload) noexcept nogil:
    cdef Series *series = series_get(table, id)
    cdef Metric *metric = metric_get(table, series.metric)
    cdef int verdict = 1
    add_relaxed(&table.overflowed_points, 1)
    if point.flags & FLAG_STALE:
        # That one source has ended says nothing of the others.
        verdict = 0
    elif metric.temporality == TEMPORALITY_CUMULATIVE:
        pthread_mutex_lock(&table.lock)
        verdict = accumulate(table, metric, series, hash | 1, point, start, payload)
        pthread_mutex_unlock(&table.lock)
    if verdict == 0:
        add_relaxed(&table.baseline_points, 1)
    return verdict


cdef int accumulate(SeriesTable *table, Metric *metric, Series *series, uint64_t hash, Point *point,
                    int64_t *start, uint64_t *payload) noexcept nogil:
    cdef bint is_number = metric.kind == KIND_SUM
    cdef bint is_int = is_number and point.flags & FLAG_INT != 0
    cdef bint may_fall = is_number and not metric.monotonic
    cdef uint64_t *words = NULL
    cdef uint32_t layout = 0, row = 0
    cdef Source *source
    cdef Last *last
    cdef Last *kept
    cdef Total *total
    cdef bint known, began, has_sum, short
    if not is_number and payload != NULL:
        words = payload + 1
        layout = payload_layout_words(payload[0])
        row = payload_row_words(payload[0])
    if is_number and not is_int and not isfinite(bits_to_double(point.value)):
        # Nothing can be told from it, and nothing added to it would ever be told again.
        return 0
    # Sources are remembered within the index' share of memory alone; beyond it new ones are baselines, and
    # so is a point that would need more room than its source's last one.
    short = load_relaxed(&table.account.bytes) > table.memory_limit
    if short and not is_source(metric, hash):
        return 0
    source = find_source(table, metric, hash)
    if source == NULL:
        return -1
    if source.hash == 0 and metric.sources.count >= OVERFLOW_SOURCES:
        return 0
    last = source.last
    if short and last != NULL and layout + row > last.layout + last.row:
        return 0
    if last != NULL and point.timestamp <= last.time:
        # Sent again, or late: its increase is in the total already.
        return 0
    known = last != NULL and same_layout(last, words, layout, row)
    if known or may_fall:
        # Before anything is changed, so that a failure changes nothing.
        total = total_of(table, series, words, layout, row, 0 if may_fall else last.time)
        if total == NULL:
            return -1
    kept = remember(table, point, start[0], words, layout, row)
    if kept == NULL:
        return -1
    if source.hash == 0:
        source.hash = hash
        metric.sources.count += 1
    source.last = kept
    if not known and not may_fall:
        mem_free(table.account, last)
        return 0
    began = not known or reset(metric, last, point, start[0], words + layout if words != NULL else NULL)
    if is_number:
        # Of a sum that may fall, what a source first says is its share of the total.
        add_number(total, point.value, is_int, 0 if began else last.value, began or last.flags & FLAG_INT != 0)
        point.value = total.value
        point.flags = (point.flags & ~<uint32_t>FLAG_INT) | (FLAG_INT if total.is_int else 0)
    else:
        has_sum = point.flags & FLAG_SUM != 0 and (began or last.flags & FLAG_SUM != 0)
        total.value += point.value - (0 if began else last.value)
        if words != NULL:
            add_row(metric.kind, total, words + layout, NULL if began else words_of_last(last) + layout, has_sum)
            memcpy(words + layout, words_of_total(total) + layout, row * sizeof(uint64_t))
            words[layout + 1] = words[layout + 2] = 0
        point.value = total.value
        # Extremes of one source say nothing of the total.
        point.flags &= ~<uint32_t>(FLAG_MIN | FLAG_MAX | FLAG_SUM)
        if total.has_sum:
            point.flags |= FLAG_SUM
    mem_free(table.account, last)
    # A total that is larger is never shown at an earlier time: that would look like a fall, a reset.
    if point.timestamp < total.time:
        point.timestamp = total.time
    total.time = point.timestamp
    start[0] = total.start
    return 1
