"""The health record of one service; the contract is in health/record.pxd."""
cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free, mem_realloc
from urpo_store.engine.memory.atomics cimport (
    bits_to_double, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock,
    pthread_mutex_unlock,
)
from urpo_store.engine.points.slots cimport (
    FLAG_INT, FLAG_MAX, FLAG_STALE, KIND_EXPONENTIAL, KIND_SUM, ROW_HISTOGRAM,
    TEMPORALITY_CUMULATIVE, Point, payload_layout_words, payload_row_words,
)
from urpo_store.engine.health.exponential cimport (
    Exponential, read_exponential, subtract_exponential,
)
from urpo_store.engine.health.slots cimport (
    layout_for, slot_at, slot_first, slot_free, vector_add, vector_add_exponential,
)
from urpo_store.engine.health.sources cimport Meaning
from urpo_store.engine.health.types cimport (
    FUTURE_SECONDS, RECENT, SECOND, SECONDS, SOURCES, TENS, HealthSeries, HealthService, Slot,
    Source,
)


# --- making and freeing ---

cdef char *copy_text(Account *account, const uint8_t *text, uint32_t length) noexcept nogil:
    cdef char *copy = <char *>mem_alloc(account, length + 1)
    if copy != NULL:
        memcpy(copy, text, length)
        copy[length] = 0
    return copy


cdef HealthService *health_service_new(Account *account, const uint8_t *name, uint32_t length, uint32_t id) noexcept nogil:
    cdef HealthService *service = <HealthService *>mem_calloc(account, sizeof(HealthService))
    if service == NULL:
        return NULL
    service.name = copy_text(account, name, length)
    if service.name == NULL or pthread_mutex_init(&service.lock, NULL) != 0:
        mem_free(account, service.name)
        mem_free(account, service)
        return NULL
    service.index_account = account
    service.account = account
    service.name_length = length
    service.id = id
    service.first_seen = INT64_MAX
    service.last_seen = INT64_MIN
    service.shed_until = INT64_MIN
    return service


cdef void source_free(HealthService *service, Source *source) noexcept nogil:
    cdef Account *account = service.account
    cdef uint32_t i
    cdef int place
    for place in range(SECONDS):
        slot_free(account, source.seconds[place])
    for place in range(TENS):
        slot_free(account, source.tens[place])
    for i in range(source.first_count):
        slot_free(account, source.firsts[i])
    for i in range(source.layout_count):
        mem_free(account, source.layouts[i].bounds)
    mem_free(service.index_account, source.name)
    mem_free(service.index_account, source)


cdef void health_service_free(HealthService *service) noexcept nogil:
    cdef Account *account = service.index_account
    cdef uint32_t i
    while service.series != NULL:
        health_series_free(service.series)
    for i in range(service.source_count):
        source_free(service, service.sources[i])
    pthread_mutex_destroy(&service.lock)
    mem_free(account, service.name)
    mem_free(account, service)


cdef Source *source_for(HealthService *service, const Meaning *meaning, const uint8_t *name, uint32_t length) noexcept nogil:
    cdef Source *source
    cdef uint32_t i
    for i in range(service.source_count):
        source = service.sources[i]
        if (source.meaning.protocol == meaning.protocol and source.meaning.role == meaning.role
                and source.meaning.preference == meaning.preference
                and source.name_length == length and memcmp(source.name, name, length) == 0):
            return source
    if service.source_count == SOURCES:
        return NULL
    source = <Source *>mem_calloc(service.index_account, sizeof(Source))
    if source == NULL:
        return NULL
    source.name = copy_text(service.index_account, name, length)
    if source.name == NULL:
        mem_free(service.index_account, source)
        return NULL
    source.name_length = length
    source.meaning = meaning[0]
    source.latest = INT64_MIN
    source.before = INT64_MIN
    service.sources[service.source_count] = source
    service.source_count += 1
    return source


cdef HealthSeries *health_series_new(HealthService *service, const Meaning *meaning, const uint8_t *name, uint32_t length, uint32_t kind, uint32_t temporality, bint collapsed) noexcept nogil:
    cdef HealthSeries *series = <HealthSeries *>mem_calloc(service.index_account, sizeof(HealthSeries))
    if series == NULL:
        return NULL
    pthread_mutex_lock(&service.lock)
    series.source = source_for(service, meaning, name, length)
    if series.source != NULL:
        series.next = service.series
        if series.next != NULL:
            series.next.previous = series
        service.series = series
    pthread_mutex_unlock(&service.lock)
    if series.source == NULL:
        mem_free(service.index_account, series)
        return NULL
    series.service = service
    series.kind = kind
    series.cumulative = temporality == TEMPORALITY_CUMULATIVE
    series.is_error = meaning.is_error
    series.collapsed = collapsed
    series.multiplier = meaning.multiplier
    series.divisor = meaning.divisor
    series.layout = -1
    return series


cdef void health_series_free(HealthSeries *series) noexcept nogil:
    cdef HealthService *service = series.service
    if series.cumulative and series.primed and series.time > series.source.forgotten:
        series.source.forgotten = series.time
    if series.previous != NULL:
        series.previous.next = series.next
    else:
        series.service.series = series.next
    if series.next != NULL:
        series.next.previous = series.previous
    mem_free(service.account, series.counts)
    mem_free(service.index_account, series)


# --- filing ---

# The series remembers these counts as its last ones. Without memory it remembers none.
cdef void remember(HealthSeries *series, int32_t layout, const uint64_t *counts, uint32_t size) noexcept nogil:
    cdef void *moved
    if layout >= 0 and size > series.capacity:
        moved = mem_realloc(series.service.account, series.counts, 8 * <size_t>size)
        if moved == NULL:
            series.layout = -1
            return
        series.counts = <uint64_t *>moved
        series.capacity = size
    series.layout = layout
    if layout >= 0:
        series.size = size
        if size:
            memcpy(series.counts, counts, 8 * <size_t>size)


cdef inline bint any_fell(const uint64_t *new, const uint64_t *old, uint32_t size) noexcept nogil:
    cdef uint32_t fell = 0
    cdef uint32_t i
    for i in range(size):
        fell |= new[i] < old[i]
    return fell != 0


cdef inline double number(uint64_t value, uint32_t flags) noexcept nogil:
    return <double><int64_t>value if flags & FLAG_INT else bits_to_double(value)


@cython.cdivision(True)
cdef bint sent_before(HealthSeries *series, int64_t start, int64_t time) noexcept nogil:
    cdef int i
    for i in range(RECENT):
        if series.recent_time[i] == time and series.recent_start[i] == start:
            return True
    series.recent_start[series.recent_next] = start
    series.recent_time[series.recent_next] = time
    series.recent_next = (series.recent_next + 1) % RECENT
    return False


# What a point holds, as far as health wants it.
cdef struct Held:
    double count                # a sum's value, or the count
    int32_t layout              # of its buckets; -1 none
    const uint64_t *row
    const uint64_t *counts      # of its buckets, `size` of them
    uint32_t size
    double maximum              # seconds; -INFINITY unknown
    Exponential sent            # of an exponential histogram: its buckets

# What a point adds, and what is known of that.
cdef struct Increment:
    double count
    int64_t covered             # since when it counts
    bint since_last             # it is against the series' last point
    bint placed                 # into which buckets it fell is known
    bint baseline               # nothing is known of it: the point only says where the series stands
    bint before_us              # the first point of a series that is older than what we know of its service
    Exponential grown           # of an exponential histogram, since the last point: what its buckets grew by


cdef bint read_held(HealthService *service, HealthSeries *series, const Point *point, const uint64_t *payload,
                    Held *held) noexcept nogil:
    """False: negative or NaN, no count of anything."""
    cdef uint32_t size
    held.layout = -1
    held.maximum = -INFINITY
    held.row = NULL
    held.counts = NULL
    held.size = 0
    if series.kind == KIND_SUM:
        held.count = number(point.value, point.flags)
        return held.count >= 0
    held.count = <double>point.value
    if payload == NULL or series.multiplier == 0:
        return True
    size = payload_layout_words(payload[0])
    held.row = payload + 1 + size
    if series.kind == KIND_EXPONENTIAL:
        held.layout = layout_for(service, series, True, <const double *>(payload + 1), 0)
        read_exponential(payload, &held.sent)
        held.counts = held.sent.counts
        held.size = held.sent.size
    elif size != 0 and payload_row_words(payload[0]) == ROW_HISTOGRAM + size + 1:
        held.layout = layout_for(service, series, False, <const double *>(payload + 1), size)
        held.counts = held.row + ROW_HISTOGRAM
        held.size = size + 1
    if point.flags & FLAG_MAX:
        held.maximum = bits_to_double(held.row[2]) * series.multiplier / series.divisor
    return True


cdef bint was_reset(HealthSeries *series, const Point *point, int64_t start, const Held *held) noexcept nogil:
    """Whether start time or totals say that the series began anew; its buckets are looked at apart."""
    if start > series.start and series.start != 0:
        return True
    if series.kind != KIND_SUM:
        return point.value < series.value
    if point.flags & series.flags & FLAG_INT:
        return <int64_t>point.value < <int64_t>series.value
    return held.count < number(series.value, series.flags)


# Against which values, and since when, the point counts. `heard`: when its source was heard of before.
cdef void compare(HealthService *service, HealthSeries *series, const Point *point, int64_t start, int64_t heard,
                  const Held *held, Increment *increment) noexcept nogil:
    cdef int64_t time = point.timestamp
    cdef bint reset
    increment.count = held.count
    increment.since_last = False
    increment.placed = True
    increment.baseline = False
    increment.before_us = False
    if not series.cumulative:
        increment.covered = start
        if start == 0:
            increment.covered = series.time if series.primed and series.time < time else time
        return
    if not series.primed:
        increment.before_us = start < service.first_seen
        increment.covered = start if increment.before_us else max(start, heard)
        # Its total may hold what a series counted here before it was evicted.
        increment.baseline = start == 0 or start < series.source.forgotten
        return
    reset = was_reset(series, point, start, held)
    increment.placed = held.layout == series.layout
    if not reset and increment.placed and held.layout >= 0:
        if series.kind == KIND_EXPONENTIAL:
            reset = not subtract_exponential(series, &held.sent, &increment.grown)
        else:
            reset = any_fell(held.counts, series.counts, held.size)
    increment.since_last = not reset
    increment.placed = increment.placed or reset or series.value == 0
    increment.covered = max(series.time, start) if reset else series.time
    if reset:
        return
    # Unsigned, so that integers beyond 2**53 lose nothing before the difference is taken.
    if series.kind != KIND_SUM or point.flags & series.flags & FLAG_INT:
        increment.count = <double>(point.value - series.value)
    else:
        increment.count -= number(series.value, series.flags)


cdef Slot *slot_of(HealthService *service, Source *source, int64_t time, int64_t start, const Increment *increment) noexcept nogil:
    """Where an increment goes; NULL: nowhere."""
    cdef Slot *slot
    if increment.baseline:
        return NULL
    if increment.before_us:
        if start < time - 3600 * <int64_t>SECOND:
            return NULL
        return slot_first(service, source, time, start)
    slot = slot_at(service, source, time)
    if slot == NULL:
        service.dropped += 1
    return slot


cdef void add_increment(HealthService *service, HealthSeries *series, Slot *slot, int64_t time, const Held *held,
                        const Increment *increment) noexcept nogil:
    cdef bint same = increment.since_last and held.layout == series.layout
    cdef const Exponential *buckets
    if time < slot.first:
        slot.first = time
    if time > slot.last:
        slot.last = time
    if increment.covered < slot.covered:
        slot.covered = increment.covered
    slot.count += increment.count
    if series.is_error:
        slot.errors += increment.count
    if held.layout < 0 or not increment.placed or not increment.count > 0:
        return
    if series.kind == KIND_EXPONENTIAL:
        buckets = &increment.grown if same else &held.sent
        vector_add_exponential(service, slot, held.layout, buckets.scale, buckets.offset, buckets.counts,
                               buckets.size, buckets.zero, bits_to_double(held.row[4]), held.maximum)
    else:
        vector_add(service, slot, held.layout, held.counts, series.counts if same else NULL, held.size, held.maximum)


cdef void remember_point(HealthSeries *series, const Point *point, int64_t start, const Held *held) noexcept nogil:
    if series.cumulative:
        if held.layout >= 0 or series.layout >= 0:
            remember(series, held.layout, held.counts, held.size)
            if series.kind == KIND_EXPONENTIAL and held.layout >= 0:
                series.scale = held.sent.scale
                series.offset = held.sent.offset
                series.zero = held.sent.zero
        series.start = start
        series.value = point.value
        series.flags = point.flags
    # Deltas that come late do not move it back.
    if point.timestamp > series.time or not series.primed:
        series.time = point.timestamp
    series.primed = True


cdef void file_point(HealthService *service, HealthSeries *series, const Point *point, int64_t start, const uint64_t *payload) noexcept nogil:
    """A point of a series that counts requests or errors; `start` is 0 where unknown."""
    cdef int64_t time = point.timestamp
    cdef Source *source = series.source
    cdef int64_t heard
    cdef Held held
    cdef Increment increment
    cdef Slot *slot
    if not read_held(service, series, point, payload, &held):
        return
    # Two are remembered; a point that comes later than both covers the time since its start.
    heard = source.latest if source.latest < time else source.before if source.before < time else 0
    if time > source.latest:
        source.before = source.latest
        source.latest = time
    compare(service, series, point, start, heard, &held, &increment)
    slot = slot_of(service, source, time, start, &increment)
    if slot != NULL:
        add_increment(service, series, slot, time, &held, &increment)
    remember_point(series, point, start, &held)


cdef void health_file(HealthService *service, HealthSeries *series, const Point *point, int64_t start, const uint64_t *payload, int64_t now) noexcept nogil:
    cdef int64_t time = point.timestamp
    if time > now + FUTURE_SECONDS * <int64_t>SECOND:
        return
    if time > service.last_seen:
        service.last_seen = time
    if time < service.first_seen:
        service.first_seen = time
    if series == NULL or point.flags & FLAG_STALE:
        return
    if start >= time or start < 0:
        start = 0               # a start at the point itself says nothing about what came before
    if series.cumulative:
        if series.primed and (time < series.time or (time == series.time and not series.collapsed)):
            return
    elif not series.collapsed and sent_before(series, start, time):
        return
    file_point(service, series, point, start, payload)
