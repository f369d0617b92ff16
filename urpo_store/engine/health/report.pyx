"""From a service's record to its health; the contract is in health/report.pxd."""
from libc.math cimport NAN, isnan
from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport pthread_mutex_lock, pthread_mutex_unlock
from urpo_store.engine.memory.failures cimport failure
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.health.choice cimport FOUND_MAX, Choice, choose_sources, find_slots
from urpo_store.engine.health.latency cimport (
    COMPONENTS, Component, quantile_of, source_components, source_words,
)
from urpo_store.engine.health.sources cimport PREFER_SPANS
from urpo_store.engine.health.types cimport SECOND, TENS, HealthService, Slot, Source

cdef struct Interval:
    int64_t begin, end

cdef struct Report:
    Choice choice
    int64_t covered             # ns that the increments cover together
    double p50, p95, p99        # seconds; NaN: not known


# ---- the report ----------------------------------------------------------------------------------

cdef object record_report(HealthService *service, int64_t window, int64_t at, int64_t now):
    cdef Report report
    cdef int64_t end, low, last_seen
    cdef int verdict = OK
    cdef bint beyond
    with nogil:
        pthread_mutex_lock(&service.lock)
        last_seen = service.last_seen
        # Now reaches on to the newest point: clocks that are ahead by less than 5 minutes are seen
        # too.
        end = max(now, last_seen) if at < 0 or at == now else at
        low = end - window
        # Slots so far behind the newest point may have been dropped; or for want of memory.
        beyond = low < service.shed_until or (
            last_seen != INT64_MIN and low < last_seen - (TENS - 1) * 10 * <int64_t>SECOND)
        if not beyond:
            verdict = summarise(service, low, end, &report)
        pthread_mutex_unlock(&service.lock)
    if verdict != OK:
        raise failure(verdict, "add up the health of a service")
    return None if beyond else fields_of(service, &report, last_seen)


cdef tuple fields_of(HealthService *service, const Report *report, int64_t last_seen):
    cdef const Choice *choice = &report.choice
    name = service.name[:service.name_length].decode("utf-8", "replace")
    seen = None if last_seen == INT64_MIN else last_seen
    if choice.count == 0:
        return (name, None, None, None, None, None, None, None, None, seen)
    rate = choice.requests * SECOND / report.covered if report.covered > 0 else None
    error_rate = None
    if choice.can_fail and choice.failable > 0:
        # A counter of errors may be ahead of the histogram that counts requests.
        error_rate = min(1.0, choice.errors / choice.failable)
    return (
        name, rate, error_rate, round(choice.requests),
        round(choice.errors) if choice.can_fail else None,
        or_none(report.p50), or_none(report.p95), or_none(report.p99), source_names(choice), seen)


cdef object or_none(double value):
    return None if isnan(value) else value


cdef str source_names(const Choice *choice):
    names = []
    cdef const Source *source
    cdef uint32_t i
    for i in range(choice.count):
        source = choice.sources[i]
        name = source.name[:source.name_length].decode("utf-8", "replace")
        if source.meaning.preference >= PREFER_SPANS:
            name = "spans:" + name
        if name not in names:
            names.append(name)
    return ", ".join(names)


# ---- the figures ---------------------------------------------------------------------------------

cdef int summarise(HealthService *service, int64_t low, int64_t high,
                   Report *report) noexcept nogil:
    """OK or NO_MEMORY."""
    cdef size_t size = 0, most
    cdef uint32_t i
    cdef void *block
    report.covered = 0
    report.p50 = report.p95 = report.p99 = NAN
    choose_sources(service, low, high, &report.choice)
    if report.choice.count == 0:
        return OK
    for i in range(report.choice.count):
        size += source_words(report.choice.sources[i])
    most = report.choice.count * <size_t>FOUND_MAX
    block = mem_alloc(service.account, 2 * most * sizeof(Interval) + 8 * size)
    if block == NULL:
        return NO_MEMORY
    measure(report, low, high, <Interval *>block, most, size)
    mem_free(service.account, block)
    return OK


cdef void measure(Report *report, int64_t low, int64_t high, Interval *intervals, size_t most,
                  size_t size) noexcept nogil:
    """The time covered, and latencies. Behind 2 * `most` intervals is room for `size` words."""
    cdef Slot *found[FOUND_MAX]
    cdef Component components[COMPONENTS]
    cdef Source *source
    cdef Interval *spare = intervals + most
    cdef Interval *swap
    cdef uint64_t *words = <uint64_t *>(spare + most)
    cdef size_t interval_count = 0, done = 0, n
    cdef uint32_t i
    memset(words, 0, 8 * size)
    for i in range(report.choice.count):
        source = report.choice.sources[i]
        n = find_slots(source, low, high, found)
        interval_count = merge_intervals(intervals, interval_count, found, n, spare)
        swap = intervals
        intervals = spare
        spare = swap
        done += source_components(source, found, n, words, &components[done])
        words += source_words(source)
    report.covered = union_length(intervals, interval_count)
    report.p50 = quantile_of(components, done, 0.5)
    report.p95 = quantile_of(components, done, 0.95)
    report.p99 = quantile_of(components, done, 0.99)


# ---- the time covered ----------------------------------------------------------------------------

cdef size_t merge_intervals(const Interval *sorted, size_t count, Slot **found, size_t n,
                            Interval *more) noexcept nogil:
    """Merges what slots cover into a list of intervals sorted by end, into `more`. Returns its
    length.

    Sorts `found`.
    """
    cdef size_t i = 0
    cdef size_t k = 0
    cdef size_t at = 0
    cdef size_t j
    cdef Slot *slot
    # Found slots are nearly in order: an insertion sort moves little.
    for k in range(1, n):
        slot = found[k]
        j = k
        while j > 0 and found[j - 1].last > slot.last:
            found[j] = found[j - 1]
            j -= 1
        found[j] = slot
    k = 0
    while i < count or k < n:
        if k == n or (i < count and sorted[i].end <= found[k].last):
            more[at] = sorted[i]
            i += 1
        else:
            more[at].begin = found[k].covered
            more[at].end = found[k].last
            k += 1
        at += 1
    return at


cdef int64_t union_length(const Interval *intervals, size_t count) noexcept nogil:
    """The length of the union of intervals sorted by end."""
    cdef int64_t length = 0
    cdef int64_t left
    cdef size_t i = count
    cdef const Interval *interval
    if count == 0:
        return 0
    left = intervals[count - 1].end
    while i > 0:
        i -= 1
        interval = &intervals[i]
        left = min(left, interval.end)
        if interval.begin < left:
            length += left - interval.begin
            left = interval.begin
    return length
