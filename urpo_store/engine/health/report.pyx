"""From a service's record to its health; the contract is in health/report.pxd."""
cimport cython
from libc.math cimport INFINITY, NAN, isnan
from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    bits_to_double, double_to_bits, pthread_mutex_lock, pthread_mutex_unlock,
)
from urpo_store.engine.points.quantile cimport (
    common_bounds, fold_explicit, fold_exponential, fold_index, quantile_explicit,
    quantile_exponential, rank_explicit, rank_exponential,
)
from urpo_store.engine.health.slots cimport vector_counts
from urpo_store.engine.health.sources cimport (
    PREFER_SPANS, PROTOCOLS, PROTOCOL_CELERY, PROTOCOL_FAAS, PROTOCOL_GENAI, PROTOCOL_HTTP,
    PROTOCOL_MCP, PROTOCOL_MESSAGING, PROTOCOL_RPC, PROTOCOL_SERVER, ROLE_ERRORS,
)
from urpo_store.engine.health.types cimport (
    BUCKETS, FIRSTS, LAYOUTS, SECOND, SECONDS, TENS, HealthService, Layout, Slot, Source, Vector,
)

cdef enum:
    FOUND_MAX = SECONDS + TENS + FIRSTS
    COMPONENTS = PROTOCOLS * LAYOUTS

cdef struct Interval:
    int64_t begin, end

# Counts that can be added up: all vectors of one layout in the window.
cdef struct Component:
    const Layout *layout
    const double *bounds        # seconds
    uint64_t *counts
    uint32_t size               # bounds (explicit) or counts (exponential)
    uint64_t total
    double maximum
    int32_t scale, offset
    uint64_t zero
    double zero_threshold

cdef struct Report:
    bint heard                  # some source has data in the window
    bint can_fail
    double count                # requests
    double failable             # requests of sources that can carry errors
    double errors
    int64_t covered
    double p50, p95, p99
    uint32_t chosen_count
    Source *chosen[PROTOCOLS]


# --- which slots, which sources ---

cdef inline bint within(const Slot *slot, int64_t low, int64_t high) noexcept nogil:
    return slot != NULL and low < slot.last <= high


# The slots of the window, about in order of time. `found` has room for FOUND_MAX.
@cython.cdivision(True)
cdef size_t find_slots(Source *source, int64_t low, int64_t high, Slot **found) noexcept nogil:
    cdef size_t n = 0
    cdef int64_t first, last, index, newest = min(high, source.latest)
    cdef uint32_t i
    low = max(low, 0)
    # Before its first increment a source has no slots, and no latest time to look back from.
    if newest > low:
        first = low // (10 * <int64_t>SECOND)
        last = (newest - 1) // (10 * <int64_t>SECOND)
        first = max(first, last - TENS + 1)
        for index in range(first, last + 1):
            if within(source.tens[index % TENS], low, high):
                found[n] = source.tens[index % TENS]
                n += 1
        first = low // SECOND
        last = (newest - 1) // SECOND
        first = max(first, last - SECONDS + 1)
        for index in range(first, last + 1):
            if within(source.seconds[index % SECONDS], low, high):
                found[n] = source.seconds[index % SECONDS]
                n += 1
    for i in range(source.first_count):
        if within(source.firsts[i], low, high) and source.firsts[i].start >= low:
            found[n] = source.firsts[i]
            n += 1
    return n


cdef bint chosen_protocol(const Report *report, uint32_t protocol) noexcept nogil:
    cdef uint32_t i
    for i in range(report.chosen_count):
        if report.chosen[i].meaning.protocol == protocol:
            return True
    return False


cdef bint better(const Source *source, double count, const Source *best, double best_count) noexcept nogil:
    if best == NULL or (count > 0) != (best_count > 0):
        return best == NULL or count > 0
    return source.meaning.preference < best.meaning.preference


# Fills chosen, and the sums that need no buckets.
cdef void choose(HealthService *service, int64_t low, int64_t high, Report *report) noexcept nogil:
    cdef Slot *found[FOUND_MAX]
    cdef Source *source
    cdef Source *best[PROTOCOLS]
    cdef double count[PROTOCOLS]
    cdef double errors[PROTOCOLS]
    cdef double counted[PROTOCOLS]      # faas.errors and alike, beside the source itself
    cdef double n_count, n_errors
    cdef uint32_t i
    cdef int protocol
    cdef size_t n, k
    for protocol in range(PROTOCOLS):
        best[protocol] = NULL
        count[protocol] = 0
        errors[protocol] = 0
        counted[protocol] = 0
    for i in range(service.source_count):
        source = service.sources[i]
        n = find_slots(source, low, high, found)
        if n == 0:
            continue
        n_count = 0
        n_errors = 0
        for k in range(n):
            n_count += found[k].count
            n_errors += found[k].errors
        protocol = <int>source.meaning.protocol
        if source.meaning.role == ROLE_ERRORS:
            counted[protocol] += n_errors
        elif better(source, n_count, best[protocol], count[protocol]):
            best[protocol] = source
            count[protocol] = n_count
            errors[protocol] = n_errors
    for protocol in range(PROTOCOLS):
        source = best[protocol]
        if source == NULL:
            continue
        if source.meaning.preference >= PREFER_SPANS:
            # PROTOCOL_SERVER comes last, so what could be the same requests is chosen by now; but consumer
            # spans look ahead at Celery.
            if protocol == PROTOCOL_MESSAGING and best[PROTOCOL_CELERY] != NULL:
                continue
            if protocol == PROTOCOL_SERVER and server_measured(report):
                continue
        report.chosen[report.chosen_count] = source
        report.chosen_count += 1
        report.heard = True
        report.count += count[protocol]
        if source.meaning.can_fail:
            report.can_fail = True
            report.failable += count[protocol]
            report.errors += errors[protocol] + counted[protocol]


# A server protocol has a source that does not come from spans.
cdef bint server_measured(const Report *report) noexcept nogil:
    cdef uint32_t i
    cdef uint32_t protocol
    for i in range(report.chosen_count):
        protocol = report.chosen[i].meaning.protocol
        if report.chosen[i].meaning.preference < PREFER_SPANS and (
                protocol == PROTOCOL_HTTP or protocol == PROTOCOL_RPC or protocol == PROTOCOL_FAAS
                or protocol == PROTOCOL_GENAI or protocol == PROTOCOL_MCP):
            return True
    return False


# --- the time covered ---

# Adds found slots to a list of intervals sorted by end. `more` is room for the result; returns its length.
cdef size_t merge_intervals(const Interval *sorted, size_t count, Slot **found, size_t n, Interval *more) noexcept nogil:
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


# The length of the union of intervals sorted by end.
cdef int64_t union_length(const Interval *intervals, size_t count) noexcept nogil:
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


# --- latency ---

# One pass finds scale and range of an exponential component, so that the next can add.
cdef void widen(Component *component, const Vector *vector) noexcept nogil:
    cdef int32_t target, first, last
    cdef int64_t shift
    if vector.size == 0:
        return
    first = vector.offset
    last = <int32_t>(vector.offset + <int64_t>vector.size - 1)
    target = vector.scale
    if component.size != 0:
        target = min(target, component.scale)
        shift = <int64_t>vector.scale - target
        first = fold_index(first, shift)
        last = fold_index(last, shift)
        shift = <int64_t>component.scale - target
        first = min(first, fold_index(component.offset, shift))
        last = max(last, fold_index(<int32_t>(component.offset + <int64_t>component.size - 1), shift))
    while <int64_t>last - first >= BUCKETS:
        first = first >> 1
        last = last >> 1
        target -= 1
    component.scale = target
    component.offset = first
    component.size = <uint32_t>(<int64_t>last - first + 1)


cdef void add_vectors(Component *components, Slot **found, size_t n) noexcept nogil:
    cdef const Vector *vector
    cdef Component *component
    cdef const uint64_t *counts
    cdef uint64_t *sums
    cdef size_t i
    cdef uint32_t k
    for i in range(n):
        vector = found[i].vectors
        while vector != NULL:
            component = &components[vector.layout]
            if component.layout.exponential:
                widen(component, vector)
            vector = vector.next
    for i in range(n):
        vector = found[i].vectors
        while vector != NULL:
            component = &components[vector.layout]
            counts = vector_counts(<Vector *>vector)
            component.maximum = max(component.maximum, vector.maximum)
            if component.layout.exponential:
                fold_exponential(counts, vector.size, vector.offset, <int64_t>vector.scale - component.scale,
                                 component.counts, component.offset)
                component.zero += vector.zero
                component.zero_threshold = max(component.zero_threshold, vector.zero_threshold)
            else:
                sums = component.counts
                for k in range(vector.size):
                    sums[k] += counts[k]
            vector = vector.next


# Explicit components of one source become one, at the bounds that they share, if there are any.
# `bounds` and `sums` have room for the shortest. Returns the number of components left.
cdef size_t merge_components(Component *components, size_t count, double *bounds, uint64_t *sums) noexcept nogil:
    cdef Component *component
    cdef Component *target = NULL
    cdef size_t kept = 0
    cdef size_t n = 0
    cdef size_t explicits = 0
    cdef size_t i
    for i in range(count):
        component = &components[i]
        if component.layout.exponential:
            continue
        if explicits == 0:
            n = component.size
            memcpy(bounds, component.bounds, 8 * n)
        else:
            n = common_bounds(bounds, n, component.bounds, component.size, bounds)
        explicits += 1
    if explicits < 2 or n == 0:
        return count
    memset(sums, 0, 8 * (n + 1))
    for i in range(count):
        component = &components[i]
        if component.layout.exponential:
            components[kept] = component[0]
            kept += 1
            continue
        fold_explicit(component.bounds, component.size, component.counts, bounds, n, sums)
        if target == NULL:
            components[kept] = component[0]
            target = &components[kept]
            kept += 1
        else:
            target.total += component.total
            target.maximum = max(target.maximum, component.maximum)
    target.bounds = bounds
    target.counts = sums
    target.size = <uint32_t>n
    return kept


cdef double component_quantile(const Component *component, double q) noexcept nogil:
    if component.layout.exponential:
        return quantile_exponential(
            q, component.scale, component.zero, component.zero_threshold, component.offset, component.counts,
            component.size, 0, NULL, 0) * component.layout.multiplier / component.layout.divisor
    return quantile_explicit(q, component.bounds, component.size, component.counts, component.maximum)


cdef double rank_below(const Component *components, size_t count, double x) noexcept nogil:
    cdef double rank = 0
    cdef const Component *component
    cdef size_t i
    for i in range(count):
        component = &components[i]
        if component.layout.exponential:
            rank += rank_exponential(
                x * component.layout.divisor / component.layout.multiplier, component.scale, component.zero,
                component.zero_threshold, component.offset, component.counts, component.size)
        else:
            rank += rank_explicit(x, component.bounds, component.size, component.counts, component.maximum)
    return rank


# The smallest x >= 0 below which q of all observations lie. Bit patterns of non-negative floats are in
# the order of their values, so halving them finds x to the last bit in 63 steps.
cdef double mixture_quantile(const Component *components, size_t count, double q) noexcept nogil:
    cdef uint64_t low = 0
    cdef uint64_t high = double_to_bits(INFINITY)
    cdef uint64_t middle
    cdef double total = 0
    cdef size_t i
    for i in range(count):
        total += <double>components[i].total
    while low < high:
        middle = low + (high - low) // 2
        if rank_below(components, count, bits_to_double(middle)) >= q * total:
            high = middle
        else:
            low = middle + 1
    return bits_to_double(low)


cdef double quantile_of(const Component *components, size_t count, double q) noexcept nogil:
    if count == 0:
        return NAN
    if count == 1:
        return component_quantile(components, q)
    return mixture_quantile(components, count, q)


# --- the report ---

# Words needed for the components of one source, and for merging them.
cdef size_t source_words(const Source *source) noexcept nogil:
    cdef size_t words = 0
    cdef size_t most = 0
    cdef uint32_t i
    for i in range(source.layout_count):
        words += BUCKETS if source.layouts[i].exponential else source.layouts[i].size + 1
        most = max(most, <size_t>source.layouts[i].size)
    return words + 2 * most + 1


cdef int summarise(HealthService *service, int64_t low, int64_t high, Report *report) noexcept nogil:
    cdef Slot *found[FOUND_MAX]
    cdef Component components[COMPONENTS]
    cdef Component *component
    cdef Source *source
    cdef Interval *intervals
    cdef Interval *spare
    cdef Interval *swap
    cdef uint64_t *words
    cdef void *block
    cdef size_t size = 0
    cdef size_t interval_count = 0
    cdef size_t done = 0                # components that are final
    cdef size_t n, k, count
    cdef uint32_t i, j
    memset(report, 0, sizeof(Report))
    report.p50 = NAN
    report.p95 = NAN
    report.p99 = NAN
    choose(service, low, high, report)
    if not report.heard:
        return 0
    for i in range(report.chosen_count):
        size += source_words(report.chosen[i])
    n = report.chosen_count * <size_t>FOUND_MAX
    block = mem_alloc(service.account, 2 * n * sizeof(Interval) + 8 * size)
    if block == NULL:
        return -1
    intervals = <Interval *>block
    spare = intervals + n
    words = <uint64_t *>(spare + n)
    memset(words, 0, 8 * size)
    for i in range(report.chosen_count):
        source = report.chosen[i]
        n = find_slots(source, low, high, found)
        interval_count = merge_intervals(intervals, interval_count, found, n, spare)
        swap = intervals
        intervals = spare
        spare = swap
        component = &components[done]
        memset(component, 0, source.layout_count * sizeof(Component))
        for j in range(source.layout_count):
            component[j].layout = &source.layouts[j]
            component[j].bounds = source.layouts[j].seconds
            component[j].counts = words
            component[j].maximum = -INFINITY
            if source.layouts[j].exponential:
                words += BUCKETS
            else:
                component[j].size = source.layouts[j].size
                words += source.layouts[j].size + 1
        add_vectors(component, found, n)
        count = 0
        for j in range(source.layout_count):
            component[j].total = component[j].zero
            n = component[j].size if component[j].layout.exponential else component[j].size + 1
            for k in range(n):
                component[j].total += component[j].counts[k]
            if component[j].total != 0:
                component[count] = component[j]
                count += 1
        n = 0
        for j in range(source.layout_count):
            n = max(n, <size_t>source.layouts[j].size)
        done += merge_components(component, count, <double *>words, words + n)
        words += 2 * n + 1
    report.covered = union_length(intervals, interval_count)
    report.p50 = quantile_of(components, done, 0.5)
    report.p95 = quantile_of(components, done, 0.95)
    report.p99 = quantile_of(components, done, 0.99)
    mem_free(service.account, block)
    return 0


cdef object or_none(double value):
    return None if isnan(value) else value


cdef str source_names(const Report *report):
    names = []
    cdef const Source *source
    cdef uint32_t i
    for i in range(report.chosen_count):
        source = report.chosen[i]
        name = source.name[:source.name_length].decode("utf-8", "replace")
        if source.meaning.preference >= PREFER_SPANS:
            name = "spans:" + name
        if name not in names:
            names.append(name)
    return ", ".join(names)


cdef object record_report(HealthService *service, int64_t window, int64_t at, int64_t now):
    cdef Report report
    cdef int64_t end, low, last_seen
    cdef int failed = 0
    cdef bint beyond
    with nogil:
        pthread_mutex_lock(&service.lock)
        last_seen = service.last_seen
        # Now reaches on to the newest point: clocks that are ahead by less than 5 minutes are seen too.
        end = max(now, last_seen) if at < 0 or at == now else at
        low = end - window
        # Slots that far behind the newest point may have been dropped.
        beyond = last_seen != INT64_MIN and low < last_seen - (TENS - 1) * 10 * <int64_t>SECOND
        # Or have been dropped for want of memory.
        beyond = beyond or low < service.shed_until
        if not beyond:
            failed = summarise(service, low, end, &report)
        pthread_mutex_unlock(&service.lock)
    if failed:
        raise MemoryError
    if beyond:
        return None
    name = service.name[:service.name_length].decode("utf-8", "replace")
    seen = None if last_seen == INT64_MIN else last_seen
    if not report.heard:
        return (name, None, None, None, None, None, None, None, None, seen)
    rate = report.count * SECOND / report.covered if report.covered > 0 else None
    error_rate = None
    if report.can_fail and report.failable > 0:
        # A counter of errors may be ahead of the histogram that counts requests.
        error_rate = min(1.0, report.errors / report.failable)
    return (
        name, rate, error_rate, round(report.count), round(report.errors) if report.can_fail else None,
        or_none(report.p50), or_none(report.p95), or_none(report.p99), source_names(&report), seen)
