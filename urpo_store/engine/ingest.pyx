"""From a request's bytes to points that queries see; the contract is in ingest.pxd.

Points are staged as slots (points/slots.pxd) and leave staging memory only in `publish`. A slot whose point
was refused after it was staged is voided: series 0, which the drain and every reader pass over.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, load32_relaxed, load_ptr_acquire, monotonic_ns, store_relaxed, wall_ns,
)
from urpo_store.engine.memory.status cimport NO_MEMORY, OK, STOPPED
from urpo_store.engine.points.slots cimport SERIES_START, Point, ext_slots
from urpo_store.engine.wire.scanner cimport wire_scan
from urpo_store.engine.wire.types cimport (
    REJECT_MEMORY, REJECT_NONE, Scan, WireMetric, WirePoint, WireScope,
)
from urpo_store.engine.identity.overflow cimport overflow_point
from urpo_store.engine.identity.records cimport (
    metric_add, metric_release, resource_add, resource_release, scope_add, scope_release,
)
from urpo_store.engine.identity.series cimport series_add, series_find, series_follows, series_touch
from urpo_store.engine.identity.types cimport SERIES_OVERFLOW, Series, resource_get, series_get
from urpo_store.engine.health.services cimport health_lock, health_observe, health_unlock
from urpo_store.engine.health.types cimport HealthService
from urpo_store.engine.drain cimport drain_help, drain_wanted
from urpo_store.engine.refusals cimport refuse
from urpo_store.engine.request cimport Request, Staging, numbers_reserve, staging_of, staging_trim
from urpo_store.engine.resolve cimport (
    NO_ROOM, resolve_begin, resolve_next, resolve_point, resolve_rest, resolve_take,
)
from urpo_store.engine.ring cimport ring_claim, ring_publish, ring_used
from urpo_store.engine.store cimport Store


cdef enum:
    PREFETCH_SLOTS = 32         # 1 KiB ahead

cdef extern from *:
    void __builtin_prefetch(const void *address) noexcept nogil


cdef int remember(Request *request) noexcept nogil:
    """Keeps what the first pass found."""
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef size_t i
    if numbers_reserve(request.store, &staging.known, staging.known_count + scan.point_count) != OK:
        return NO_MEMORY
    for i in range(scan.point_count):
        staging.known.at[staging.known_count + i] = scan.points[i].series
    staging.known_count += scan.point_count
    return OK


# ---- creation -------------------------------------------------------------------------------------

cdef bint create_series(Request *request, WirePoint *point) noexcept nogil:
    """Resolves a point whose series is not known, creating what is missing. False: no memory.

    Every part that is added here takes a reference, which the new series shares; ours are dropped at
    once, for what the series holds stays and what nothing holds should go.
    """
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WireMetric *wire_metric = &scan.metrics[point.metric]
    cdef WireScope *wire_scope = &scan.scopes[wire_metric.scope]
    cdef uint32_t resource, scope, metric, series = 0
    cdef uint64_t source = 0
    # Of now: a series that is made, or touched, while a long request is under way has just been seen.
    request.second = <uint32_t>(monotonic_ns() // 1000000000)
    resource = resource_add(&store.table, scan, scan.resources[wire_scope.resource].body)
    scope = scope_add(&store.table, scan, wire_scope.body, wire_scope.schema_url)
    metric = metric_add(&store.table, wire_metric.kind, wire_metric.temporality, wire_metric.monotonic,
                        wire_metric.name, wire_metric.unit, wire_metric.description)
    if resource and scope and metric:
        staging.resources.at[wire_scope.resource] = resource
        staging.scopes.at[wire_metric.scope] = scope
        staging.metrics.at[point.metric] = metric
        # Another point of this request may have made it just now.
        series = series_find(&store.table, resource, scope, metric, point.attributes)
        if series == 0 or not series_touch(series_get(&store.table, series), request.second):
            series = series_add(&store.table, scan, resource, scope, metric, point.attributes, &source)
    if resource:
        resource_release(&store.table, resource)
    if scope:
        scope_release(&store.table, scope)
    if metric:
        metric_release(&store.table, metric)
    if series == 0:
        return False
    point.series = series
    # Atomic for the sake of SERIES_EVICTED, which may be set meanwhile; SERIES_OVERFLOW never changes.
    if load32_relaxed(&series_get(&store.table, series).flags) & SERIES_OVERFLOW:
        return (collapse(request, point, source)
                and (point.series == 0
                     or resolve_take(request, scan, point, series_get(&store.table, series)) == OK))
    if request.previous != NULL:
        series_follows(&store.table, request.previous.id, series)
    request.previous = series_get(&store.table, series)
    return resolve_take(request, scan, point, request.previous) == OK and point.series != 0


cdef bint collapse(Request *request, WirePoint *point, uint64_t source) noexcept nogil:
    """Makes a collapsed source's point one of the series that stands for it. False: no memory.

    A running total has no start time of its own, so the point is staged anew behind a START slot of
    its own when its start changes.
    """
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef Point *staged = &scan.slots[point.slot]
    cdef Point *moved
    cdef int64_t start = scan.slots[point.slot - staged.start].timestamp
    cdef int64_t before = start
    cdef uint32_t behind = ext_slots(staged.payload)
    cdef int verdict = overflow_point(&request.store.table, point.series, source, staged, &start,
                                      <uint64_t *>(staged + 1) if staged.payload else NULL)
    if verdict < 0:
        return False
    if verdict == 0:
        # A baseline: nothing to store, but the point was good.
        staged.series = 0
        point.series = 0
        return True
    if start != before:
        if mem_grow(&request.store.account, <void **>&scan.slots, &scan.slot_capacity,
                    scan.slot_count + 2 + behind, sizeof(Point)) != 0:
            return False
        staged = &scan.slots[point.slot]
        moved = &scan.slots[scan.slot_count]
        memset(moved, 0, sizeof(Point))
        moved.timestamp = start
        moved.series = SERIES_START
        moved += 1
        memcpy(moved, staged, (1 + behind) * sizeof(Point))
        moved.start = 1
        staged.series = 0
        point.slot = <uint32_t>(scan.slot_count + 1)
        scan.slot_count += 2 + behind
    return True


# ---- publication ----------------------------------------------------------------------------------

cdef void publish_claim(Store *store, Point *slots, uint64_t count) noexcept nogil:
    cdef uint64_t position
    while not ring_claim(&store.ring, count, &position):
        # Lock-free among running producers: when the ring is full the one that needs room makes it.
        drain_help(store, count)
    ring_publish(&store.ring, position, slots, count)
    # What the drain gives up while this call is under way waits for its end, so it is not woken at half, as
    # behind a request, but when room gets short.
    if ring_used(&store.ring) * 4 > store.ring.capacity * 3:
        drain_wanted(store)


cdef void publish(Store *store, Point *slots, size_t count) noexcept nogil:
    """Publishes staged slots, in claims of at most a quarter of the ring.

    A claim begins with a START slot. Where a run is cut between two points that share one, the slot in
    front of the cut, which has been published, is overwritten with a copy of that START slot: after this
    the slots mean nothing any more.
    """
    cdef size_t most = store.ring.capacity // 4
    cdef size_t begin = 0, at = 0, start_at = 0, next_at
    cdef Point start
    if count <= most:
        publish_claim(store, slots, count)
        return
    while at < count:
        # So many slots are beyond the caches by now, and where the next one is depends on this one.
        __builtin_prefetch(slots + at + PREFETCH_SLOTS)
        if slots[at].series == SERIES_START:
            start_at = at
            next_at = at + 1
        else:
            slots[at].start = <uint32_t>(at - start_at)
            next_at = at + 1 + ext_slots(slots[at].payload)
        if next_at - begin > most and at > begin + 1:
            publish_claim(store, slots + begin, at - begin)
            begin = at
            if slots[at].series != SERIES_START:
                start = slots[start_at]
                begin = at - 1
                slots[begin] = start
                start_at = begin
            continue
        at = next_at
    if count > begin:
        publish_claim(store, slots + begin, count - begin)


cdef void file_for_health(Request *request) noexcept nogil:
    """Adds the batch's points to the health of their services; one lock a run of one resource."""
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef HealthService *service = NULL
    cdef HealthService *wanted
    cdef WirePoint *point
    cdef Point *staged
    cdef Series *series
    cdef size_t i
    for i in range(staging.filed_count):
        point = &scan.points[staging.filed.at[i]]
        if point.series == 0 or point.reason != REJECT_NONE:
            continue
        series = series_get(&store.table, point.series)
        # Acquire: whoever set it may have done so after this series was published.
        wanted = <HealthService *>load_ptr_acquire(&resource_get(&store.table, series.resource).health)
        if wanted == NULL:
            continue
        if wanted != service:
            if service != NULL:
                health_unlock(service)
            service = wanted
            health_lock(service)
        staged = &scan.slots[point.slot]
        health_observe(&store.health, service, series, staged,
                       scan.slots[point.slot - staged.start].timestamp,
                       <uint64_t *>(staged + 1) if staged.payload else NULL, request.now)
    if service != NULL:
        health_unlock(service)


cdef uint32_t settle_new(Request *request, WirePoint *point) noexcept nogil:
    """Creates what a point without a series needs, or says why it is refused."""
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef uint32_t reason = point.reason
    cdef uint32_t scope = scan.metrics[point.metric].scope
    if reason == REJECT_NONE:
        reason = staging.refused.at[scan.scopes[scope].resource]
    if reason == REJECT_NONE:
        reason = staging.refused_scopes.at[scope]
    if reason == REJECT_NONE:
        # Without room for one set of a metric, the others are not tried: a request of a million points
        # would take long to refuse.
        if staging.metrics.at[point.metric] == NO_ROOM:
            reason = REJECT_MEMORY
        elif not create_series(request, point):
            reason = REJECT_MEMORY
            staging.metrics.at[point.metric] = NO_ROOM
    return reason


cdef int store_batch(Request *request) noexcept nogil:
    """Steps 3 to 5 for the points gathered in the scan."""
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WirePoint *point
    cdef uint32_t reason
    cdef uint64_t accepted = 0, published = 0
    cdef size_t i
    for i in range(scan.point_count):
        point = &scan.points[i]
        staging.bad_exemplars += point.bad_exemplars
        if point.series == 0 or point.reason != REJECT_NONE:
            reason = settle_new(request, point)
            if reason != REJECT_NONE:
                refuse(request, point, reason)
                continue
        accepted += 1
        published += point.series != 0
    staging.accepted += accepted
    if accepted:
        store_relaxed(&store.counters.last_arrival, <uint64_t>request.now)
    if published:
        # Before they are published: that overwrites slots where a claim has to be cut.
        file_for_health(request)
        # Counted before they are visible, so that no drain can count more than were published.
        add_relaxed(&store.counters.published_points, published)
        publish(store, scan.slots, scan.slot_count)
    if request.stale:
        add_relaxed(&store.counters.stale_points, request.stale)
    return OK


cdef int take_batch(Request *request) noexcept nogil:
    cdef int verdict = resolve_rest(request)
    if verdict != OK:
        return verdict
    verdict = remember(request) if request.staging.scan.dry else store_batch(request)
    resolve_next(request)
    return verdict


cdef int on_batch(void *context, Scan *scan) noexcept nogil:
    cdef Request *request = <Request *>context
    # STOPPED: more points than are staged at a time, and not all of the request has been looked at.
    return take_batch(request) if scan.dry or request.checked else STOPPED


cdef int pass_over(Request *request, const uint8_t *data, size_t length) noexcept nogil:
    cdef Scan *scan = &request.staging.scan
    cdef int verdict
    scan.batch = PART if scan.dry or request.checked else BATCH
    resolve_begin(request)
    verdict = wire_scan(scan, data, length)
    return take_batch(request) if verdict == OK else verdict


cdef int ingest_request(Store *store, int slot, const uint8_t *data, size_t length) noexcept nogil:
    cdef Staging *staging = staging_of(store, slot)
    cdef Request request
    cdef Scan *scan
    cdef int verdict
    if staging == NULL:
        return NO_MEMORY
    scan = &staging.scan
    staging.refusal_count = 0
    staging.accepted = staging.rejected = staging.bad_exemplars = 0
    staging.known_count = staging.known_used = 0
    request.store = store
    request.staging = staging
    request.now = wall_ns()
    request.second = <uint32_t>(monotonic_ns() // 1000000000)
    staging.used = request.second
    request.oldest = request.now - store.options.retention if store.options.retention else 0
    scan.on_batch = on_batch
    scan.on_point = resolve_point
    scan.context = &request
    request.checked = False
    scan.dry = length > LARGE
    verdict = pass_over(&request, data, length)
    if verdict == STOPPED:
        scan.dry = True
        verdict = pass_over(&request, data, length)
    if verdict == OK and scan.dry:
        scan.dry = False
        request.checked = True
        verdict = pass_over(&request, data, length)
    staging_trim(staging)
    add_relaxed(&store.counters.accepted_points, staging.accepted)
    if staging.rejected:
        add_relaxed(&store.counters.rejected_points, staging.rejected)
    if staging.bad_exemplars:
        add_relaxed(&store.counters.dropped_exemplars, staging.bad_exemplars)
    if verdict != OK:
        add_relaxed(&store.counters.rejected_requests, 1)
    if ring_used(&store.ring) * 2 > store.ring.capacity:
        drain_wanted(store)
    return verdict
