"""Slots of time and the bucket counts in them; the contract is in health/slots.pxd."""
cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport load_relaxed
from urpo_store.engine.points.quantile cimport fold_exponential, fold_index
from urpo_store.engine.health.types cimport (
    BUCKETS, FIRSTS, FUTURE_SECONDS, LAYOUTS, SECOND, SECONDS, TENS, HealthSeries, HealthService,
    Layout, Slot, Source, Vector,
)

cdef enum:
    # Vector.scale of explicit buckets; no exponential scale comes near it.
    EXPLICIT_SCALE = 0x7FFFFFFF


# --- slots ---

cdef void vectors_free(Account *account, Slot *slot) noexcept nogil:
    cdef Vector *vector
    while slot.vectors != NULL:
        vector = slot.vectors
        slot.vectors = vector.next
        mem_free(account, vector)


cdef void slot_free(Account *account, Slot *slot) noexcept nogil:
    if slot != NULL:
        vectors_free(account, slot)
        mem_free(account, slot)

cdef void shed_oldest(HealthService *service) noexcept nogil:
    """Drops the slot of the service whose newest point is the oldest; those of tens are older than seconds."""
    cdef Slot **oldest = NULL
    cdef Source *source
    cdef uint32_t i, j
    for i in range(service.source_count):
        source = service.sources[i]
        for j in range(TENS):
            if source.tens[j] != NULL and (oldest == NULL or source.tens[j].last < oldest[0].last):
                oldest = &source.tens[j]
    if oldest == NULL:
        for i in range(service.source_count):
            source = service.sources[i]
            for j in range(SECONDS):
                if source.seconds[j] != NULL and (oldest == NULL or source.seconds[j].last < oldest[0].last):
                    oldest = &source.seconds[j]
    if oldest != NULL:
        service.shed_until = max(service.shed_until, oldest[0].last)
        slot_free(service.account, oldest[0])
        oldest[0] = NULL


cdef Slot *slot_new(HealthService *service) noexcept nogil:
    cdef Slot *slot
    cdef int _
    for _ in range(2):
        if service.most and load_relaxed(&service.account.bytes) > service.most:
            shed_oldest(service)
    slot = <Slot *>mem_calloc(service.account, sizeof(Slot))
    if slot != NULL:
        slot.first = INT64_MAX
        slot.last = INT64_MIN
        slot.covered = INT64_MAX
    return slot


# Adds `old` to `slot`, and gives `old` back. What has no memory loses its buckets, not its count.
cdef void slot_merge(HealthService *service, Slot *slot, Slot *old) noexcept nogil:
    cdef Vector *vector
    cdef uint64_t *counts
    slot.first = min(slot.first, old.first)
    slot.last = max(slot.last, old.last)
    slot.covered = min(slot.covered, old.covered)
    slot.count += old.count
    slot.errors += old.errors
    while old.vectors != NULL:
        vector = old.vectors
        old.vectors = vector.next
        if vector_of(slot, vector.layout) == NULL:
            vector.next = slot.vectors
            slot.vectors = vector
            continue
        counts = vector_counts(vector)
        if vector.scale == EXPLICIT_SCALE:
            vector_add(service, slot, vector.layout, counts, NULL, vector.size, vector.maximum)
        else:
            vector_add_exponential(service, slot, vector.layout, vector.scale, vector.offset, counts, vector.size,
                                   vector.zero, vector.zero_threshold, vector.maximum)
        mem_free(service.account, vector)
    slot_free(service.account, old)


# The ten-second slot of a time takes `old` in.
@cython.cdivision(True)
cdef void slot_fold(HealthService *service, Source *source, Slot *old) noexcept nogil:
    cdef int64_t index = (old.last - 1) // (10 * <int64_t>SECOND)
    cdef Slot **place = &source.tens[index % TENS]
    if place[0] == NULL or place[0].index < index:
        if place[0] != NULL:
            slot_free(service.account, place[0])
        old.index = index
        place[0] = old
    elif place[0].index == index:
        slot_merge(service, place[0], old)
    else:
        slot_free(service.account, old)


@cython.cdivision(True)
cdef Slot *slot_at(HealthService *service, Source *source, int64_t time) noexcept nogil:
    cdef int64_t index = (time - 1) // SECOND
    cdef Slot **place = &source.seconds[index % SECONDS]
    cdef Slot *slot = place[0]
    if slot != NULL and slot.index == index:
        return slot
    if slot == NULL or slot.index < index:
        if slot != NULL:
            place[0] = NULL
            slot_fold(service, source, slot)
        slot = slot_new(service)
        if slot != NULL:
            slot.index = index
            place[0] = slot
        return slot
    # A newer second stands there: this one is more than five minutes behind it.
    index = (time - 1) // (10 * <int64_t>SECOND)
    place = &source.tens[index % TENS]
    slot = place[0]
    if slot != NULL and slot.index >= index:
        return slot if slot.index == index else NULL
    if slot != NULL:
        place[0] = NULL
        slot_free(service.account, slot)
    slot = slot_new(service)
    if slot != NULL:
        slot.index = index
        place[0] = slot
    return slot


cdef Slot *slot_first(HealthService *service, Source *source, int64_t time, int64_t start) noexcept nogil:
    cdef Slot *slot
    cdef uint32_t i = 0
    # Those that no window ending at the newest point reaches any more are given back here.
    while i < source.first_count:
        slot = source.firsts[i]
        if slot.start == start and slot.last == time:
            return slot
        if slot.start < service.last_seen - (3600 + FUTURE_SECONDS) * <int64_t>SECOND:
            source.first_count -= 1
            source.firsts[i] = source.firsts[source.first_count]
            slot_free(service.account, slot)
        else:
            i += 1
    if source.first_count == FIRSTS:
        # Merge into the one that needs the least change: the nearest start among those of about the same time.
        slot = source.firsts[0]
        for i in range(source.first_count):
            if distance(source.firsts[i], time, start) < distance(slot, time, start):
                slot = source.firsts[i]
        slot.start = min(slot.start, start)
        return slot
    slot = slot_new(service)
    if slot != NULL:
        slot.start = start
        source.firsts[source.first_count] = slot
        source.first_count += 1
    return slot


cdef int64_t distance(const Slot *slot, int64_t time, int64_t start) noexcept nogil:
    cdef int64_t between = slot.last - time if slot.last > time else time - slot.last
    return between + (slot.start - start if slot.start > start else start - slot.start)


# --- vectors ---

cdef uint64_t *vector_counts(Vector *vector) noexcept nogil:
    return <uint64_t *>(vector + 1)

cdef Vector *vector_of(Slot *slot, uint32_t layout) noexcept nogil:
    cdef Vector *vector = slot.vectors
    while vector != NULL and vector.layout != layout:
        vector = vector.next
    return vector


cdef Vector *vector_new(HealthService *service, Slot *slot, uint32_t layout, uint32_t capacity) noexcept nogil:
    cdef Vector *vector = <Vector *>mem_calloc(service.account, sizeof(Vector) + 8 * <size_t>capacity)
    if vector != NULL:
        vector.layout = layout
        vector.capacity = capacity
        vector.maximum = -INFINITY
        vector.next = slot.vectors
        slot.vectors = vector
    return vector


cdef void vector_add(HealthService *service, Slot *slot, uint32_t layout, const uint64_t *new, const uint64_t *old, uint32_t size, double maximum) noexcept nogil:
    cdef Vector *vector = vector_of(slot, layout)
    cdef uint64_t *counts
    cdef uint32_t i
    if vector == NULL:
        vector = vector_new(service, slot, layout, size)
        if vector == NULL:
            return
        vector.size = size
        vector.scale = EXPLICIT_SCALE
    counts = vector_counts(vector)
    if old != NULL:
        for i in range(size):
            counts[i] += new[i] - old[i]
    else:
        for i in range(size):
            counts[i] += new[i]
    if maximum > vector.maximum:
        vector.maximum = maximum


# Makes room for bucket indexes [low, high] of `scale`, downscaling to BUCKETS at most. Returns the
# vector (it may move in its slot's list), or NULL: no memory, nothing changed.
cdef Vector *vector_widen(HealthService *service, Slot *slot, uint32_t layout, int32_t scale, int32_t low, int32_t high) noexcept nogil:
    cdef Vector *vector = vector_of(slot, layout)
    cdef Vector *grown
    cdef Vector **link
    cdef uint64_t folded[BUCKETS]
    cdef uint64_t *counts
    cdef int32_t target = scale
    cdef int32_t first = low
    cdef int32_t last = high
    cdef int64_t shift
    cdef uint32_t size, capacity
    if vector != NULL and vector.size != 0:
        target = min(scale, vector.scale)
        first = fold_index(low, <int64_t>scale - target)
        last = fold_index(high, <int64_t>scale - target)
        shift = <int64_t>vector.scale - target
        first = min(first, fold_index(vector.offset, shift))
        last = max(last, fold_index(<int32_t>(vector.offset + <int64_t>vector.size - 1), shift))
    while <int64_t>last - first >= BUCKETS:
        first = first >> 1
        last = last >> 1
        target -= 1
    size = <uint32_t>(<int64_t>last - first + 1)
    if vector != NULL and vector.size != 0 and vector.scale == target and vector.offset == first and vector.size == size:
        return vector
    memset(folded, 0, 8 * size)
    if vector != NULL and vector.size != 0:
        fold_exponential(vector_counts(vector), vector.size, vector.offset, <int64_t>vector.scale - target, folded, first)
    if vector == NULL or vector.capacity < size:
        capacity = (size + 15) & ~15u
        grown = <Vector *>mem_alloc(service.account, sizeof(Vector) + 8 * <size_t>capacity)
        if grown == NULL:
            return NULL
        if vector == NULL:
            memset(grown, 0, sizeof(Vector))
            grown.layout = layout
            grown.maximum = -INFINITY
            grown.next = slot.vectors
            slot.vectors = grown
        else:
            grown[0] = vector[0]
            link = &slot.vectors
            while link[0] != vector:
                link = &link[0].next
            link[0] = grown
            mem_free(service.account, vector)
        grown.capacity = capacity
        vector = grown
    counts = vector_counts(vector)
    memcpy(counts, folded, 8 * size)
    vector.scale = target
    vector.offset = first
    vector.size = size
    return vector


cdef void vector_add_exponential(HealthService *service, Slot *slot, uint32_t layout, int32_t scale, int32_t offset, const uint64_t *counts, uint32_t size, uint64_t zero, double zero_threshold, double maximum) noexcept nogil:
    cdef Vector *vector
    if size != 0:
        vector = vector_widen(service, slot, layout, scale, offset, <int32_t>(offset + <int64_t>size - 1))
        if vector == NULL:
            return
        fold_exponential(counts, size, offset, <int64_t>scale - vector.scale, vector_counts(vector), vector.offset)
    else:
        vector = vector_of(slot, layout)
        if vector == NULL:
            vector = vector_new(service, slot, layout, 0)
            if vector == NULL:
                return
    vector.zero += zero
    if zero_threshold > vector.zero_threshold:
        vector.zero_threshold = zero_threshold
    if maximum > vector.maximum:
        vector.maximum = maximum


# --- layouts ---

cdef inline bint same_bounds(const Layout *layout, const double *bounds) noexcept nogil:
    return layout.size == 0 or memcmp(layout.bounds, bounds, 8 * <size_t>layout.size) == 0


cdef int32_t layout_for(HealthService *service, HealthSeries *series, bint exponential, const double *bounds, uint32_t size) noexcept nogil:
    cdef Source *source = series.source
    cdef Layout *layout
    cdef uint32_t i
    cdef int32_t known = series.layout
    if known >= 0:
        layout = &source.layouts[known]
        if layout.exponential == exponential and layout.size == size and same_bounds(layout, bounds):
            return known
    for i in range(source.layout_count):
        layout = &source.layouts[i]
        if (layout.exponential == exponential and layout.size == size and layout.multiplier == series.multiplier
                and layout.divisor == series.divisor and same_bounds(layout, bounds)):
            return <int32_t>i
    if source.layout_count == LAYOUTS:
        return -1
    layout = &source.layouts[source.layout_count]
    layout.bounds = <double *>mem_alloc(service.account, 16 * <size_t>size)
    if layout.bounds == NULL:
        return -1
    layout.exponential = exponential
    layout.size = size
    layout.multiplier = series.multiplier
    layout.divisor = series.divisor
    layout.seconds = layout.bounds + size
    for i in range(size):
        layout.bounds[i] = bounds[i]
        layout.seconds[i] = bounds[i] * series.multiplier / series.divisor
    source.layout_count += 1
    return <int32_t>(source.layout_count - 1)
