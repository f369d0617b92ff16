"""Filing points in the health record of their service; the contract is in health/filing.pxd."""
cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.memory.alloc cimport mem_realloc
from urpo_store.engine.memory.atomics cimport bits_to_double
from urpo_store.engine.points.slots cimport (
    FLAG_INT, FLAG_MAX, FLAG_STALE, KIND_EXPONENTIAL, KIND_SUM, ROW_HISTOGRAM, Point,
    payload_layout_words, payload_row_words,
)
from urpo_store.engine.health.exponential cimport (
    Exponential, read_exponential, subtract_exponential,
)
from urpo_store.engine.health.slots cimport (
    scheme_for, slot_at, slot_first, vector_add, vector_add_exponential,
)
from urpo_store.engine.health.types cimport (
    FUTURE_SECONDS, RECENT, SECOND, HealthSeries, HealthService, Slot, Source,
)


# What a point holds, as far as health wants it.
cdef struct Held:
    double count                # a sum's value, or the count
    int32_t scheme              # of its buckets; -1: none
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
    bint placed                 # it is known into which buckets it fell
    bint baseline               # it adds nothing: the point only says where the series stands
    bint before_us              # the first point of a series that began before we knew its service
    Exponential grown           # of an exponential histogram: what its buckets grew by since the
                                # last point


cdef void health_file(HealthService *service, HealthSeries *series, const Point *point,
                      int64_t start, const uint64_t *payload, int64_t now) noexcept nogil:
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


cdef void file_point(HealthService *service, HealthSeries *series, const Point *point,
                     int64_t start, const uint64_t *payload) noexcept nogil:
    """Steps 2 to 5."""
    cdef int64_t time = point.timestamp
    cdef Source *source = series.source
    cdef int64_t heard
    cdef Held held
    cdef Increment increment
    cdef Slot *slot
    if not read_held(service, series, point, payload, &held):
        return
    # Two times are remembered. A point before both covers the time since its start.
    heard = source.latest if source.latest < time else source.before if source.before < time else 0
    if time > source.latest:
        source.before = source.latest
        source.latest = time
    compare(service, series, point, start, heard, &held, &increment)
    slot = slot_of(service, source, time, start, &increment)
    if slot != NULL:
        add_increment(service, series, slot, time, &held, &increment)
    keep_last(series, point, start, &held)


# ---- what it holds -------------------------------------------------------------------------------

cdef bint read_held(HealthService *service, HealthSeries *series, const Point *point,
                    const uint64_t *payload, Held *held) noexcept nogil:
    """False: its value is negative or NaN, and counts nothing."""
    cdef uint32_t size
    held.scheme = -1
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
        held.scheme = scheme_for(service, series, True, <const double *>(payload + 1), 0)
        read_exponential(payload, &held.sent)
        held.counts = held.sent.counts
        held.size = held.sent.size
    elif size != 0 and payload_row_words(payload[0]) == ROW_HISTOGRAM + size + 1:
        held.scheme = scheme_for(service, series, False, <const double *>(payload + 1), size)
        held.counts = held.row + ROW_HISTOGRAM
        held.size = size + 1
    if point.flags & FLAG_MAX:
        held.maximum = bits_to_double(held.row[2]) * series.multiplier / series.divisor
    return True


cdef inline double number(uint64_t value, uint32_t flags) noexcept nogil:
    return <double><int64_t>value if flags & FLAG_INT else bits_to_double(value)


# ---- what it adds --------------------------------------------------------------------------------

cdef void compare(HealthService *service, HealthSeries *series, const Point *point, int64_t start,
                  int64_t heard, const Held *held, Increment *increment) noexcept nogil:
    """Finds what the point adds to which values, and since when.

    `heard`: the time at which its source was heard of before.
    """
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
    increment.placed = held.scheme == series.scheme
    if not reset and increment.placed and held.scheme >= 0:
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


cdef bint was_reset(HealthSeries *series, const Point *point, int64_t start,
                    const Held *held) noexcept nogil:
    """Whether start time or totals say that the series began anew. (Buckets: see compare.)"""
    if start > series.start and series.start != 0:
        return True
    if series.kind != KIND_SUM:
        return point.value < series.value
    if point.flags & series.flags & FLAG_INT:
        return <int64_t>point.value < <int64_t>series.value
    return held.count < number(series.value, series.flags)


cdef inline bint any_fell(const uint64_t *new, const uint64_t *old, uint32_t size) noexcept nogil:
    cdef uint32_t fell = 0
    cdef uint32_t i
    for i in range(size):
        fell |= new[i] < old[i]
    return fell != 0


# ---- where it goes -------------------------------------------------------------------------------

cdef Slot *slot_of(HealthService *service, Source *source, int64_t time, int64_t start,
                   const Increment *increment) noexcept nogil:
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


cdef void add_increment(HealthService *service, HealthSeries *series, Slot *slot, int64_t time,
                        const Held *held, const Increment *increment) noexcept nogil:
    cdef bint same = increment.since_last and held.scheme == series.scheme
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
    if held.scheme < 0 or not increment.placed or not increment.count > 0:
        return
    if series.kind == KIND_EXPONENTIAL:
        buckets = &increment.grown if same else &held.sent
        vector_add_exponential(service, slot, held.scheme, buckets, bits_to_double(held.row[4]),
                               held.maximum)
    else:
        vector_add(service, slot, held.scheme, held.counts, series.counts if same else NULL,
                   held.size, held.maximum)


# ---- what the series remembers -------------------------------------------------------------------

cdef void keep_last(HealthSeries *series, const Point *point, int64_t start,
                    const Held *held) noexcept nogil:
    if series.cumulative:
        if held.scheme >= 0 or series.scheme >= 0:
            keep_counts(series, held.scheme, held.counts, held.size)
            if series.kind == KIND_EXPONENTIAL and held.scheme >= 0:
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


cdef void keep_counts(HealthSeries *series, int32_t scheme, const uint64_t *counts,
                      uint32_t size) noexcept nogil:
    """These are the last counts. Without memory the series remembers none."""
    cdef void *moved
    if scheme >= 0 and size > series.capacity:
        moved = mem_realloc(series.service.account, series.counts, 8 * <size_t>size)
        if moved == NULL:
            series.scheme = -1
            return
        series.counts = <uint64_t *>moved
        series.capacity = size
    series.scheme = scheme
    if scheme >= 0:
        series.size = size
        if size:
            memcpy(series.counts, counts, 8 * <size_t>size)
