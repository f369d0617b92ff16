"""Points of collapsed sources; the contract is in identity/overflow.pxd."""
from libc.math cimport isfinite
from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, bits_to_double, double_to_bits, load_relaxed, pthread_mutex_lock,
    pthread_mutex_unlock,
)
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport (
    FLAG_INT, FLAG_MAX, FLAG_MIN, FLAG_STALE, FLAG_SUM, KIND_EXPONENTIAL, KIND_HISTOGRAM, KIND_SUM,
    ROW_EXPONENTIAL, ROW_HISTOGRAM, TEMPORALITY_CUMULATIVE, Point, payload_layout_words,
    payload_row_words,
)
from urpo_store.engine.identity.types cimport (
    Metric, Series, SeriesTable, Sources, Total, metric_get, series_get,
)

cdef enum:
    FIRST_SLOTS = 64            # doubled whenever half of them are taken

# The last cumulative point of a source; its layout and row words follow.
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

# The running total of a collapsed series; its layout and row words follow.
cdef struct Total:
    int64_t time                # of the newest point that showed it
    int64_t start               # when it was 0; 0 for sums that may fall
    uint64_t value
    uint32_t is_int
    uint32_t has_sum            # every increase so far had a sum
    uint32_t layout, row        # words

# A point as its source sent it.
cdef struct Sent:
    Point *point
    int64_t start
    uint64_t *words             # layout words, then row words; NULL: none
    uint32_t layout, row


cdef inline uint64_t *words_of_last(const Last *last) noexcept nogil:
    return <uint64_t *>(last + 1)


cdef inline uint64_t *words_of_total(const Total *total) noexcept nogil:
    return <uint64_t *>(total + 1)


# ---- sources -------------------------------------------------------------------------------------

cdef inline Source *slots_of(Sources *sources) noexcept nogil:
    return <Source *>(sources + 1)


cdef void sources_free(SeriesTable *table, Metric *metric) noexcept nogil:
    cdef size_t i
    if metric.sources != NULL:
        for i in range(<size_t>metric.sources.mask + 1):
            mem_free(table.account, slots_of(metric.sources)[i].last)
        mem_free(table.account, metric.sources)
        metric.sources = NULL


cdef Source *slot_of(Sources *sources, uint64_t hash) noexcept nogil:
    """The slot of a source, or the empty one where it would stand."""
    cdef uint64_t at = hash & sources.mask
    while slots_of(sources)[at].hash != 0 and slots_of(sources)[at].hash != hash:
        at = (at + 1) & sources.mask
    return &slots_of(sources)[at]


cdef Source *find_source(SeriesTable *table, Metric *metric, uint64_t hash) noexcept nogil:
    """The slot of a source, empty if it is new; NULL: no memory. One slot in two stays empty."""
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


cdef Last *last_new(SeriesTable *table, const Sent *sent) noexcept nogil:
    cdef size_t size = (sent.layout + sent.row) * sizeof(uint64_t)
    cdef Last *last = <Last *>mem_alloc(table.account, sizeof(Last) + size)
    if last == NULL:
        return NULL
    last.time = sent.point.timestamp
    last.start = sent.start
    last.value = sent.point.value
    last.flags = sent.point.flags & (FLAG_INT | FLAG_SUM)
    last.layout = sent.layout
    last.row = sent.row
    if size:
        memcpy(words_of_last(last), sent.words, size)
    return last


cdef bint same_layout(const Last *last, const Sent *sent) noexcept nogil:
    cdef size_t size = last.layout * sizeof(uint64_t)
    return (last.layout == sent.layout and last.row == sent.row
            and (size == 0 or memcmp(words_of_last(last), sent.words, size) == 0))


cdef inline double as_double(uint64_t value, bint is_int) noexcept nogil:
    return <double>(<int64_t>value) if is_int else bits_to_double(value)


cdef inline uint32_t first_count(uint32_t kind) noexcept nogil:
    """Where a row's bucket counts begin."""
    return ROW_HISTOGRAM if kind == KIND_HISTOGRAM else ROW_EXPONENTIAL


cdef bint is_reset(const Metric *metric, const Last *last, const Sent *sent) noexcept nogil:
    """Whether the source began again since its last point: its start time says so, or a value fell.

    A start that only moved within what was already counted is a jittering clock, not a reset.
    REQUIRES: same_layout.
    """
    cdef const uint64_t *before
    cdef const uint64_t *row
    cdef uint32_t i
    if metric.kind == KIND_SUM and not metric.monotonic:
        return False
    if sent.start != 0 and sent.start > last.start and sent.start >= last.time:
        return True
    if metric.kind == KIND_SUM:
        return (as_double(sent.point.value, sent.point.flags & FLAG_INT)
                < as_double(last.value, last.flags & FLAG_INT))
    if sent.point.value < last.value:
        return True
    before = words_of_last(last) + last.layout
    row = sent.words + sent.layout
    for i in range(first_count(metric.kind), last.row):
        if row[i] < before[i]:
            return True
    # The zero bucket.
    return metric.kind == KIND_EXPONENTIAL and row[3] < before[3]


# ---- totals --------------------------------------------------------------------------------------

cdef void total_free(SeriesTable *table, Series *series) noexcept nogil:
    mem_free(table.account, series.total)
    series.total = NULL


cdef Total *total_for(
    SeriesTable *table, Series *series, const Sent *sent, int64_t start
) noexcept nogil:
    """The running total; made, or begun again at `start` if the layout changed. NULL: no memory."""
    cdef Total *total = series.total
    cdef size_t layout = sent.layout * sizeof(uint64_t)
    if total != NULL and total.layout == sent.layout and total.row == sent.row:
        if layout == 0 or memcmp(words_of_total(total), sent.words, layout) == 0:
            return total
    total = <Total *>mem_calloc(
        table.account, sizeof(Total) + layout + sent.row * sizeof(uint64_t))
    if total == NULL:
        return NULL
    total.is_int = 1
    total.has_sum = 1
    total.start = start
    # Time goes on where the old total ends.
    total.time = series.total.time if series.total != NULL else INT64_MIN
    total.layout = sent.layout
    total.row = sent.row
    if layout:
        memcpy(words_of_total(total), sent.words, layout)
    mem_free(table.account, series.total)
    series.total = total
    return total


cdef void add_difference(
    Total *total, uint64_t now, bint now_int, uint64_t before, bint before_int
) noexcept nogil:
    """total += now - before; exact while all are integers and the total fits."""
    cdef uint64_t sum
    cdef double increase
    if total.is_int and now_int and before_int:
        # Unsigned, so that it wraps as int64 would. Floats tell whether it fits, well inside the
        # limit.
        sum = total.value + now - before
        increase = (<double>(<int64_t>now) - <double>(<int64_t>before)
                    + <double>(<int64_t>total.value))
        if -9.2e18 < increase < 9.2e18:
            total.value = sum
            return
        total.value = double_to_bits(increase)
        total.is_int = 0
        return
    increase = as_double(now, now_int) - as_double(before, before_int)
    total.value = double_to_bits(as_double(total.value, total.is_int) + increase)
    total.is_int = 0


cdef void add_number(Total *total, Point *point, const Last *before) noexcept nogil:
    """Adds a source's increase; its point then shows the total. `before` NULL: all of its value."""
    cdef bint is_int = point.flags & FLAG_INT != 0
    if before == NULL:
        add_difference(total, point.value, is_int, 0, True)
    else:
        add_difference(total, point.value, is_int, before.value, before.flags & FLAG_INT != 0)
    point.value = total.value
    point.flags = (point.flags & ~<uint32_t>FLAG_INT) | (FLAG_INT if total.is_int else 0)


cdef void add_row(
    uint32_t kind, Total *total, const uint64_t *now, const uint64_t *before, bint has_sum
) noexcept nogil:
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


cdef void add_histogram(
    uint32_t kind, Total *total, Sent *sent, const Last *before
) noexcept nogil:
    """Adds a source's increase; its point then shows the total. `before` NULL: all of its row."""
    cdef Point *point = sent.point
    cdef uint64_t *row
    cdef bint has_sum = (point.flags & FLAG_SUM != 0
                         and (before == NULL or before.flags & FLAG_SUM != 0))
    total.value += point.value - (0 if before == NULL else before.value)
    if sent.words != NULL:
        row = sent.words + sent.layout
        add_row(kind, total, row,
                NULL if before == NULL else words_of_last(before) + sent.layout, has_sum)
        memcpy(row, words_of_total(total) + sent.layout, sent.row * sizeof(uint64_t))
        row[1] = row[2] = 0
    point.value = total.value
    # Extremes of one source say nothing of the total.
    point.flags &= ~<uint32_t>(FLAG_MIN | FLAG_MAX | FLAG_SUM)
    if total.has_sum:
        point.flags |= FLAG_SUM


# ---- points --------------------------------------------------------------------------------------

cdef int accumulate(
    SeriesTable *table, Metric *metric, Series *series, uint64_t hash, Sent *sent
) noexcept nogil:
    """As overflow_point, under the lock; leaves the total's start in sent.start."""
    cdef Point *point = sent.point
    cdef bint may_fall = metric.kind == KIND_SUM and not metric.monotonic
    cdef bint short = load_relaxed(&table.account.bytes) > table.memory_limit
    cdef Source *source
    cdef Last *last
    cdef Last *kept
    cdef Total *total = NULL
    cdef bint known
    if short and not is_source(metric, hash):
        return BASELINE
    source = find_source(table, metric, hash)
    if source == NULL:
        return NO_MEMORY
    if source.hash == 0 and metric.sources.count >= OVERFLOW_SOURCES:
        return BASELINE
    last = source.last
    if last != NULL:
        if short and sent.layout + sent.row > last.layout + last.row:
            return BASELINE
        if point.timestamp <= last.time:
            # Sent again, or late: its increase is in the total already.
            return BASELINE
    known = last != NULL and same_layout(last, sent)
    if known or may_fall:
        # Before anything is changed, so that a failure changes nothing.
        total = total_for(table, series, sent, 0 if may_fall else last.time)
        if total == NULL:
            return NO_MEMORY
    kept = last_new(table, sent)
    if kept == NULL:
        return NO_MEMORY
    if source.hash == 0:
        source.hash = hash
        metric.sources.count += 1
    source.last = kept
    if total == NULL:
        mem_free(table.account, last)
        return BASELINE
    # A source that began again adds all that it says; so does a new one, of a sum that may fall.
    if metric.kind == KIND_SUM:
        add_number(total, point, NULL if not known or is_reset(metric, last, sent) else last)
    else:
        add_histogram(metric.kind, total, sent,
                      NULL if not known or is_reset(metric, last, sent) else last)
    mem_free(table.account, last)
    # A total that is larger is never shown at an earlier time: that would look like a fall, a
    # reset.
    if point.timestamp < total.time:
        point.timestamp = total.time
    total.time = point.timestamp
    sent.start = total.start
    return OK


cdef int overflow_point(
    SeriesTable *table, uint32_t id, uint64_t hash, Point *point, int64_t *start, uint64_t *payload
) noexcept nogil:
    cdef Series *series = series_get(table, id)
    cdef Metric *metric = metric_get(table, series.metric)
    cdef bint is_number = metric.kind == KIND_SUM
    cdef int verdict = OK
    cdef Sent sent
    add_relaxed(&table.overflowed_points, 1)
    if point.flags & FLAG_STALE:
        # That one source has ended says nothing of the others.
        verdict = BASELINE
    elif metric.temporality == TEMPORALITY_CUMULATIVE:
        sent.point = point
        sent.start = start[0]
        sent.words = NULL
        sent.layout = sent.row = 0
        if not is_number and payload != NULL:
            sent.words = payload + 1
            sent.layout = payload_layout_words(payload[0])
            sent.row = payload_row_words(payload[0])
        if (is_number and point.flags & FLAG_INT == 0
                and not isfinite(bits_to_double(point.value))):
            # Nothing can be told from it, and nothing added to it would ever be told again.
            verdict = BASELINE
        else:
            pthread_mutex_lock(&table.lock)
            verdict = accumulate(table, metric, series, hash | 1, &sent)
            pthread_mutex_unlock(&table.lock)
            start[0] = sent.start
    if verdict == BASELINE:
        add_relaxed(&table.baseline_points, 1)
    return verdict
