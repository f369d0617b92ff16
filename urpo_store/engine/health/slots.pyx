"""Slots of time and the bucket counts in them; the contract is in health/slots.pxd."""
cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport load_relaxed
from urpo_store.engine.points.quantile cimport fold_exponential
from urpo_store.engine.health.exponential cimport BucketRange, Exponential, range_cover
from urpo_store.engine.health.types cimport (
    BUCKETS, FIRSTS, FUTURE_SECONDS, SCHEMES, SECOND, SECONDS, TENS, HealthSeries, HealthService,
    Scheme, Slot, Source, Vector,
)

cdef enum:
    EXPLICIT_SCALE = 0x7FFFFFFF     # Vector.scale of explicit buckets; no exponential scale is that
    TEN_SECONDS = 10_000_000_000    # ns


# ---- where a point goes --------------------------------------------------------------------------

@cython.cdivision(True)
cdef Slot *slot_at(HealthService *service, Source *source, int64_t time) noexcept nogil:
    cdef int64_t index = (time - 1) // SECOND
    cdef Slot **place = &source.seconds[index % SECONDS]
    cdef Slot *pushed_out = place[0]
    if pushed_out != NULL and pushed_out.index == index:
        return pushed_out
    if pushed_out != NULL and pushed_out.index > index:
        # A newer second has its place: the point is more than five minutes behind that.
        return ten_at(service, source, time)
    if pushed_out != NULL:
        place[0] = NULL
        slot_fold(service, source, pushed_out)
    return slot_put(service, place, index)


@cython.cdivision(True)
cdef Slot *ten_at(HealthService *service, Source *source, int64_t time) noexcept nogil:
    """The ten-second slot of a time. NULL: a newer one has its place, or no memory."""
    cdef int64_t index = (time - 1) // TEN_SECONDS
    cdef Slot **place = &source.tens[index % TENS]
    cdef Slot *slot = place[0]
    if slot != NULL and slot.index >= index:
        return slot if slot.index == index else NULL
    if slot != NULL:
        place[0] = NULL
        slot_free(service.account, slot)
    return slot_put(service, place, index)


cdef Slot *slot_put(HealthService *service, Slot **place, int64_t index) noexcept nogil:
    """Makes the slot of an empty place. NULL: no memory."""
    # Making one may drop old slots, but none of this place: it is empty.
    cdef Slot *slot = slot_new(service)
    if slot != NULL:
        slot.index = index
        place[0] = slot
    return slot


cdef Slot *slot_first(HealthService *service, Source *source, int64_t time,
                      int64_t start) noexcept nogil:
    cdef Slot *slot
    cdef uint32_t i = 0
    # Slots that no window ending at the newest point reaches any more are freed on the way.
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
        # Into the one that needs the least change: the nearest start among those of about the same
        # time.
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


cdef inline int64_t distance(const Slot *slot, int64_t time, int64_t start) noexcept nogil:
    cdef int64_t between = slot.last - time if slot.last > time else time - slot.last
    return between + (slot.start - start if slot.start > start else start - slot.start)


# ---- making, folding, dropping -------------------------------------------------------------------

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


cdef void shed_oldest(HealthService *service) noexcept nogil:
    """Drops the slot of the service whose newest point is the oldest."""
    cdef Slot **oldest = NULL
    cdef Source *source
    cdef uint32_t i, j
    # Tens are older than seconds.
    for i in range(service.source_count):
        source = service.sources[i]
        for j in range(TENS):
            if source.tens[j] != NULL and (
                    oldest == NULL or source.tens[j].last < oldest[0].last):
                oldest = &source.tens[j]
    if oldest == NULL:
        for i in range(service.source_count):
            source = service.sources[i]
            for j in range(SECONDS):
                if source.seconds[j] != NULL and (
                        oldest == NULL or source.seconds[j].last < oldest[0].last):
                    oldest = &source.seconds[j]
    if oldest != NULL:
        service.shed_until = max(service.shed_until, oldest[0].last)
        slot_free(service.account, oldest[0])
        oldest[0] = NULL


@cython.cdivision(True)
cdef void slot_fold(HealthService *service, Source *source, Slot *old) noexcept nogil:
    """Takes a second's slot into the ten seconds of its time, and gives it back."""
    cdef int64_t index = (old.last - 1) // TEN_SECONDS
    cdef Slot **place = &source.tens[index % TENS]
    if place[0] == NULL or place[0].index < index:
        slot_free(service.account, place[0])
        old.index = index
        place[0] = old
    elif place[0].index == index:
        slot_merge(service, place[0], old)
    else:
        slot_free(service.account, old)


cdef void slot_merge(HealthService *service, Slot *slot, Slot *old) noexcept nogil:
    """Adds `old` to `slot` and frees it. Without memory its buckets are lost, not its count."""
    cdef Vector *vector
    slot.first = min(slot.first, old.first)
    slot.last = max(slot.last, old.last)
    slot.covered = min(slot.covered, old.covered)
    slot.count += old.count
    slot.errors += old.errors
    while old.vectors != NULL:
        vector = old.vectors
        old.vectors = vector.next
        if vector_of(slot, vector.scheme) == NULL:
            vector.next = slot.vectors
            slot.vectors = vector
        else:
            vector_merge(service, slot, vector)
            mem_free(service.account, vector)
    slot_free(service.account, old)


cdef void vector_merge(HealthService *service, Slot *slot, const Vector *vector) noexcept nogil:
    cdef Exponential added
    if vector.scale == EXPLICIT_SCALE:
        vector_add(service, slot, vector.scheme, vector_counts(vector), NULL, vector.size,
                   vector.maximum)
        return
    added.scale = vector.scale
    added.offset = vector.offset
    added.size = vector.size
    added.zero = vector.zero
    added.counts = vector_counts(vector)
    vector_add_exponential(service, slot, vector.scheme, &added, vector.zero_threshold,
                           vector.maximum)


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


# ---- vectors -------------------------------------------------------------------------------------

cdef void vector_add(HealthService *service, Slot *slot, uint32_t scheme, const uint64_t *new,
                     const uint64_t *old, uint32_t size, double maximum) noexcept nogil:
    cdef Vector *vector = vector_of(slot, scheme)
    cdef uint64_t *counts
    cdef uint32_t i
    if vector == NULL:
        vector = vector_new(service, slot, scheme, size)
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


cdef void vector_add_exponential(HealthService *service, Slot *slot, uint32_t scheme,
                                 const Exponential *added, double zero_threshold,
                                 double maximum) noexcept nogil:
    cdef Vector *vector
    if added.size != 0:
        vector = vector_widen(service, slot, scheme, added)
    else:
        vector = vector_of(slot, scheme)
        if vector == NULL:
            vector = vector_new(service, slot, scheme, 0)
    if vector == NULL:
        return
    if added.size != 0:
        fold_exponential(added.counts, added.size, added.offset,
                         <int64_t>added.scale - vector.scale, vector_counts(vector), vector.offset)
    vector.zero += added.zero
    if zero_threshold > vector.zero_threshold:
        vector.zero_threshold = zero_threshold
    if maximum > vector.maximum:
        vector.maximum = maximum


cdef Vector *vector_widen(HealthService *service, Slot *slot, uint32_t scheme,
                          const Exponential *added) noexcept nogil:
    """Makes the slot's vector hold the buckets of `added` too, perhaps at a coarser scale.

    Returns the vector, which may have moved. NULL: no memory, nothing changed.
    """
    cdef Vector *vector = vector_of(slot, scheme)
    cdef BucketRange wanted
    cdef uint64_t folded[BUCKETS]
    cdef uint32_t size
    wanted.any = False
    range_cover(&wanted, added.scale, added.offset, added.size)
    if vector != NULL:
        range_cover(&wanted, vector.scale, vector.offset, vector.size)
    size = <uint32_t>(<int64_t>wanted.last - wanted.first + 1)
    if (vector != NULL and vector.size == size and vector.scale == wanted.scale
            and vector.offset == wanted.first):
        return vector
    memset(folded, 0, 8 * size)
    if vector != NULL and vector.size != 0:
        fold_exponential(vector_counts(vector), vector.size, vector.offset,
                         <int64_t>vector.scale - wanted.scale, folded, wanted.first)
    if vector == NULL or vector.capacity < size:
        vector = vector_grow(service, slot, scheme, vector, size)
        if vector == NULL:
            return NULL
    memcpy(vector_counts(vector), folded, 8 * size)
    vector.scale = wanted.scale
    vector.offset = wanted.first
    vector.size = size
    return vector


cdef Vector *vector_grow(HealthService *service, Slot *slot, uint32_t scheme, Vector *old,
                         uint32_t size) noexcept nogil:
    """A vector with room for `size` counts in the place of `old` (NULL: there is none), without
    them.

    NULL: no memory, nothing changed.
    """
    cdef uint32_t capacity = (size + 15) & ~15u
    cdef Vector **link = &slot.vectors
    cdef Vector *grown
    if old == NULL:
        return vector_new(service, slot, scheme, capacity)
    grown = <Vector *>mem_alloc(service.account, sizeof(Vector) + 8 * <size_t>capacity)
    if grown == NULL:
        return NULL
    grown[0] = old[0]
    grown.capacity = capacity
    while link[0] != old:
        link = &link[0].next
    link[0] = grown
    mem_free(service.account, old)
    return grown


cdef Vector *vector_of(Slot *slot, uint32_t scheme) noexcept nogil:
    cdef Vector *vector = slot.vectors
    while vector != NULL and vector.scheme != scheme:
        vector = vector.next
    return vector


cdef Vector *vector_new(HealthService *service, Slot *slot, uint32_t scheme,
                        uint32_t capacity) noexcept nogil:
    cdef Vector *vector = <Vector *>mem_calloc(service.account,
                                               sizeof(Vector) + 8 * <size_t>capacity)
    if vector != NULL:
        vector.scheme = scheme
        vector.capacity = capacity
        vector.maximum = -INFINITY
        vector.next = slot.vectors
        slot.vectors = vector
    return vector


# ---- schemes -------------------------------------------------------------------------------------

cdef int32_t scheme_for(HealthService *service, HealthSeries *series, bint exponential,
                        const double *bounds, uint32_t size) noexcept nogil:
    cdef Source *source = series.source
    cdef Scheme *scheme
    cdef uint32_t i
    cdef int32_t known = series.scheme
    if known >= 0:
        scheme = &source.schemes[known]
        if same_bounds(scheme, exponential, bounds, size):
            return known
    for i in range(source.scheme_count):
        scheme = &source.schemes[i]
        if (scheme.multiplier == series.multiplier and scheme.divisor == series.divisor
                and same_bounds(scheme, exponential, bounds, size)):
            return <int32_t>i
    if source.scheme_count == SCHEMES:
        return -1
    scheme = &source.schemes[source.scheme_count]
    scheme.bounds = <double *>mem_alloc(service.account, 16 * <size_t>size)
    if scheme.bounds == NULL:
        return -1
    scheme.exponential = exponential
    scheme.size = size
    scheme.multiplier = series.multiplier
    scheme.divisor = series.divisor
    scheme.seconds = scheme.bounds + size
    for i in range(size):
        scheme.bounds[i] = bounds[i]
        scheme.seconds[i] = bounds[i] * series.multiplier / series.divisor
    source.scheme_count += 1
    return <int32_t>(source.scheme_count - 1)


cdef inline bint same_bounds(const Scheme *scheme, bint exponential, const double *bounds,
                             uint32_t size) noexcept nogil:
    return (scheme.exponential == exponential and scheme.size == size
            and (size == 0 or memcmp(scheme.bounds, bounds, 8 * <size_t>size) == 0))
