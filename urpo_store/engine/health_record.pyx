"""The health record of one service; the contract is in health_record.pxd."""
cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from urpo_store.engine.alloc cimport Account, mem_alloc, mem_calloc, mem_free, mem_realloc
from urpo_store.engine.atomics cimport (
    bits_to_double, load_relaxed, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
)
from urpo_store.engine.health_sources cimport Meaning
from urpo_store.engine.points cimport (
    FLAG_INT, FLAG_MAX, FLAG_STALE, KIND_EXPONENTIAL, KIND_SUM, Point, ROW_EXPONENTIAL,
    ROW_HISTOGRAM, TEMPORALITY_CUMULATIVE, payload_layout_words, payload_row_words,
)
from urpo_store.engine.quantile cimport fold_exponential, fold_index

cdef enum:
    # Vector.scale of explicit buckets; no exponential scale comes near it.
    EXPLICIT_SCALE = 0x7FFFFFFF


# Exponential counts on their way into a slot or a series: at most BUCKETS positive ones, which
# stand in `room` or, where nothing had to be changed, in the payload itself.
cdef struct Exponential:
    int32_t scale, offset
    uint32_t size
    uint64_t zero
    const uint64_t *counts
    uint64_t room[BUCKETS]


cdef uint64_t *vector_counts(Vector *vector) noexcept nogil:
    return <uint64_t *>(vector + 1)


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
    source.forgotten = service.forgotten
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


cdef void health_forget(HealthService *service) noexcept nogil:
    cdef uint32_t i
    for i in range(service.source_count):
        service.forgotten = max(service.forgotten, service.sources[i].forgotten)
        source_free(service, service.sources[i])
        service.sources[i] = NULL
    service.source_count = 0
    service.shed_until = service.last_seen


# --- slots ---

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


# The slot of a point's time, made if need be. NULL: older than the slots, or no memory.
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


# The slot of first points with this start and time, made if need be. NULL: no memory.
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


# Adds new - old (old NULL: new) in explicit buckets.
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


# The layout of a histogram point, made if need be. -1: too many layouts, or no memory.
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


# Reads the exponential counts of a payload, downscaled to BUCKETS. Negative values count as zeros:
# durations have none.
cdef void read_exponential(const uint64_t *payload, Exponential *out) noexcept nogil:
    cdef const uint64_t *layout = payload + 1
    cdef uint32_t row_words = payload_row_words(payload[0])
    cdef const uint64_t *row = layout + payload_layout_words(payload[0])
    cdef uint32_t positive = <uint32_t>(layout[0] >> 32)
    cdef uint32_t i
    cdef int64_t shift = 0
    cdef int32_t first, last
    out.scale = <int32_t>layout[0]
    out.offset = <int32_t>layout[1]
    out.zero = row[3]
    out.size = 0
    for i in range(ROW_EXPONENTIAL + positive, row_words):
        out.zero += row[i]
    out.counts = row + ROW_EXPONENTIAL
    if positive <= BUCKETS:
        out.size = positive
        return
    first = out.offset
    last = <int32_t>(out.offset + <int64_t>positive - 1)
    while <int64_t>last - first >= BUCKETS:
        first = first >> 1
        last = last >> 1
        shift += 1
    out.size = <uint32_t>(<int64_t>last - first + 1)
    memset(out.room, 0, 8 * <size_t>out.size)
    fold_exponential(out.counts, positive, out.offset, shift, out.room, first)
    out.counts = out.room
    out.scale -= <int32_t>shift
    out.offset = first


cdef bint any_count(const HealthSeries *last) noexcept nogil:
    cdef uint32_t i
    for i in range(last.size):
        if last.counts[i] != 0:
            return True
    return False


# *out = sent - what the series had last, at the coarser of both scales. 0: some bucket fell.
cdef bint subtract_exponential(const HealthSeries *last, const Exponential *sent, Exponential *out) noexcept nogil:
    cdef uint64_t folded[BUCKETS]
    cdef const uint64_t *old = last.counts
    cdef int32_t old_offset = last.offset
    cdef uint32_t old_size = last.size
    cdef uint64_t *room = out.room
    cdef uint32_t fell = 0
    cdef int32_t index
    cdef int64_t shift
    cdef uint32_t i
    if sent.zero < last.zero:
        return False
    out.zero = sent.zero - last.zero
    out.scale = sent.scale
    out.offset = sent.offset
    out.size = sent.size
    out.counts = room
    if old_size == 0:
        memcpy(room, sent.counts, 8 * <size_t>sent.size)
        return True
    if sent.size == 0:
        return not any_count(last)
    if last.scale >= sent.scale:
        memcpy(room, sent.counts, 8 * <size_t>sent.size)
    else:
        # Such a stream gained scale without a new start; it is compared at the old one.
        shift = <int64_t>sent.scale - last.scale
        out.scale = last.scale
        out.offset = fold_index(sent.offset, shift)
        index = fold_index(<int32_t>(sent.offset + <int64_t>sent.size - 1), shift)
        out.size = <uint32_t>(<int64_t>index - out.offset + 1)
        memset(room, 0, 8 * <size_t>out.size)
        fold_exponential(sent.counts, sent.size, sent.offset, shift, room, out.offset)
    if last.scale > out.scale:
        shift = <int64_t>last.scale - out.scale
        old_offset = fold_index(last.offset, shift)
        index = fold_index(<int32_t>(last.offset + <int64_t>last.size - 1), shift)
        old_size = <uint32_t>(<int64_t>index - old_offset + 1)
        memset(folded, 0, 8 * <size_t>old_size)
        fold_exponential(last.counts, last.size, last.offset, shift, folded, old_offset)
        old = folded
    # Where the old counts reach further than the new ones, something fell.
    while old_size != 0 and old[old_size - 1] == 0:
        old_size -= 1
    while old_size != 0 and old[0] == 0:
        old += 1
        old_offset += 1
        old_size -= 1
    if old_size == 0:
        old_offset = out.offset
    if old_offset < out.offset or <int64_t>old_offset + old_size > <int64_t>out.offset + out.size:
        return False
    room += <int64_t>old_offset - out.offset
    for i in range(old_size):
        fell |= room[i] < old[i]
        room[i] -= old[i]
    if fell:
        return False
    # What did not grow is cut off at both ends, so that a slot is only as wide as what happened in it.
    while out.size != 0 and out.room[out.size - 1] == 0:
        out.size -= 1
    i = 0
    while i < out.size and out.room[i] == 0:
        i += 1
    out.counts = out.room + i
    out.offset += <int32_t>i
    out.size -= i
    return True


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


# A point of a series that counts requests or errors. `start` is 0 where unknown.
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
    cdef int64_t time = point.timestamp
    cdef Source *source = series.source
    cdef int64_t heard
    cdef Held held
    cdef Increment increment
    cdef Slot *slot
    if not read_held(service, series, point, payload, &held):
        return
    heard = source.latest if source.latest < time else source.before
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
