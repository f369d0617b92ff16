"""From a request's bytes to points that queries see; the contract is in ingest.pxd."""
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
from urpo_store.engine.identity.idle cimport series_touch
from urpo_store.engine.identity.overflow cimport BASELINE, overflow_point
from urpo_store.engine.identity.records cimport (
    metric_add, metric_release, resource_add, resource_release, scope_add, scope_release,
)
from urpo_store.engine.identity.series cimport series_add, series_find, series_follows
from urpo_store.engine.identity.types cimport SERIES_OVERFLOW, Series, resource_get, series_get
from urpo_store.engine.health.services cimport health_lock, health_observe, health_unlock
from urpo_store.engine.health.types cimport HealthService
from urpo_store.engine.drain cimport drain_help, drain_wanted
from urpo_store.engine.refusals cimport refuse
from urpo_store.engine.request cimport Request, Staging, numbers_reserve, staging_of, staging_trim
from urpo_store.engine.resolve cimport (
    NO_ROOM, resolve_assign, resolve_begin, resolve_next_batch, resolve_point, resolve_rest,
)
from urpo_store.engine.ring cimport ring_claim, ring_publish, ring_used
from urpo_store.engine.store cimport Store


cdef enum:
    PREFETCH_SLOTS = 32         # 1 KiB ahead

cdef extern from *:
    void __builtin_prefetch(const void *address) noexcept nogil


# ---- a request, a pass, a batch ------------------------------------------------------------------

cdef int ingest_request(Store *store, int slot, const uint8_t *data, size_t length) noexcept nogil:
    cdef Staging *staging = staging_of(store, slot)
    cdef Request request
    cdef Scan *scan
    cdef int verdict
    if staging == NULL:
        return NO_MEMORY
    request.store = store
    request.staging = staging
    begin_request(&request)
    scan = &staging.scan
    scan.dry = length > LARGE
    verdict = pass_over(&request, data, length)
    if verdict == STOPPED:
        # More points than are staged at a time: the same again, only to look.
        scan.dry = True
        verdict = pass_over(&request, data, length)
    if verdict == OK and scan.dry:
        scan.dry = False
        request.checked = True
        verdict = pass_over(&request, data, length)
    end_request(&request, verdict)
    return verdict


cdef void begin_request(Request *request) noexcept nogil:
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef int64_t retention = request.store.options.retention
    request.now = wall_ns()
    request.second = <uint32_t>(monotonic_ns() // 1000000000)
    request.oldest = request.now - retention if retention else 0
    request.checked = False
    staging.used = request.second
    staging.refusal_count = 0
    staging.accepted = staging.rejected = staging.bad_exemplars = 0
    staging.known_count = staging.known_used = 0
    scan.on_batch = on_batch
    scan.on_point = resolve_point
    scan.context = request


cdef void end_request(Request *request, int verdict) noexcept nogil:
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
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


cdef int pass_over(Request *request, const uint8_t *data, size_t length) noexcept nogil:
    """OK, BAD_BYTES or NO_MEMORY; or STOPPED: it has to be looked at first."""
    cdef Scan *scan = &request.staging.scan
    cdef int verdict
    scan.batch = PART if scan.dry or request.checked else BATCH
    resolve_begin(request)
    verdict = wire_scan(scan, data, length)
    return finish_batch(request) if verdict == OK else verdict


cdef int on_batch(void *context, Scan *scan) noexcept nogil:
    cdef Request *request = <Request *>context
    # Not all of the request has been looked at, and there are more points than are staged at a
    # time.
    return finish_batch(request) if scan.dry or request.checked else STOPPED


cdef int finish_batch(Request *request) noexcept nogil:
    """Does with the points that have been gathered what the pass is for. OK, or what is wrong."""
    cdef int verdict = resolve_rest(request)
    if verdict != OK:
        return verdict
    if request.staging.scan.dry:
        verdict = keep_known(request)
    else:
        store_batch(request)
    resolve_next_batch(request)
    return verdict


cdef int keep_known(Request *request) noexcept nogil:
    """Keeps the series that the first pass found, for the second one. OK or NO_MEMORY."""
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef size_t i
    if numbers_reserve(request.store, &staging.known, staging.known_count + scan.point_count) != OK:
        return NO_MEMORY
    for i in range(scan.point_count):
        staging.known.at[staging.known_count + i] = scan.points[i].series
    staging.known_count += scan.point_count
    return OK


cdef void store_batch(Request *request) noexcept nogil:
    """Steps 3 to 5 for the points that have been gathered."""
    cdef Store *store = request.store
    cdef Scan *scan = &request.staging.scan
    cdef uint64_t published = admit_points(request)
    if published:
        # First, for publishing overwrites slots where a claim has to be cut.
        file_for_health(request)
        add_relaxed(&store.counters.published_points, published)
        publish(store, scan.slots, scan.slot_count)
    if request.stale:
        add_relaxed(&store.counters.stale_points, request.stale)


# ---- 3: creation ---------------------------------------------------------------------------------

cdef uint64_t admit_points(Request *request) noexcept nogil:
    """Creates what is not known, and counts. Returns how many points are to be published."""
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
            reason = admit(request, point)
            if reason != REJECT_NONE:
                refuse(request, point, reason)
                continue
        accepted += 1
        # A baseline is accepted and has no series: there is nothing to store.
        published += point.series != 0
    staging.accepted += accepted
    if accepted:
        store_relaxed(&request.store.counters.last_arrival, <uint64_t>request.now)
    return published


cdef uint32_t admit(Request *request, WirePoint *point) noexcept nogil:
    """Creates what a point without a series needs. REJECT_NONE, or why it is refused."""
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef uint32_t reason = point.reason
    cdef uint32_t scope = scan.metrics[point.metric].scope
    if reason == REJECT_NONE:
        reason = staging.refused.at[scan.scopes[scope].resource]
    if reason == REJECT_NONE:
        reason = staging.refused_scopes.at[scope]
    if reason == REJECT_NONE:
        # If there is no room for one set of a metric, its other sets are not tried: refusing a
        # request of a million points would take long.
        if staging.metrics.at[point.metric] == NO_ROOM:
            reason = REJECT_MEMORY
        elif not create_series(request, point):
            reason = REJECT_MEMORY
            staging.metrics.at[point.metric] = NO_ROOM
    return reason


cdef bint create_series(Request *request, WirePoint *point) noexcept nogil:
    """Creates the series of a point, and the parts of it that are missing. False: no room.

    Adding a part takes a reference. The series takes its own, so ours are released at the end: a
    part that no series holds goes again.
    """
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WireMetric *wire_metric = &scan.metrics[point.metric]
    cdef WireScope *wire_scope = &scan.scopes[wire_metric.scope]
    cdef uint32_t resource, scope, metric, series = 0
    cdef uint64_t source = 0
    # Now, not when a long request began: the series has just been seen.
    request.second = <uint32_t>(monotonic_ns() // 1000000000)
    resource = resource_add(&store.table, scan, scan.resources[wire_scope.resource].body)
    scope = scope_add(&store.table, scan, wire_scope.body, wire_scope.schema_url)
    metric = metric_add(&store.table, wire_metric.kind, wire_metric.temporality,
                        wire_metric.monotonic, wire_metric.name, wire_metric.unit,
                        wire_metric.description)
    if resource and scope and metric:
        staging.resources.at[wire_scope.resource] = resource
        staging.scopes.at[wire_metric.scope] = scope
        staging.metrics.at[point.metric] = metric
        # Another point of this request may have made it just now.
        series = series_find(&store.table, resource, scope, metric, point.attributes)
        if series == 0 or not series_touch(series_get(&store.table, series), request.second):
            series = series_add(&store.table, scan, resource, scope, metric, point.attributes,
                                &source)
    if resource:
        resource_release(&store.table, resource)
    if scope:
        scope_release(&store.table, scope)
    if metric:
        metric_release(&store.table, metric)
    if series == 0:
        return False
    point.series = series
    return take_series(request, point, series_get(&store.table, series), source)


cdef bint take_series(Request *request, WirePoint *point, Series *series,
                      uint64_t source) noexcept nogil:
    """Assigns the series that has been made for the point. False: no memory, or evicted already."""
    cdef Scan *scan = &request.staging.scan
    # Atomic because SERIES_EVICTED may be set meanwhile; SERIES_OVERFLOW never changes.
    if load32_relaxed(&series.flags) & SERIES_OVERFLOW:
        return (collapse_point(request, point, source)
                and (point.series == 0 or resolve_assign(request, scan, point, series) == OK))
    if request.previous != NULL:
        series_follows(&request.store.table, request.previous.id, series.id)
    request.previous = series
    return resolve_assign(request, scan, point, series) == OK and point.series != 0


cdef bint collapse_point(Request *request, WirePoint *point, uint64_t source) noexcept nogil:
    """Makes a point of a collapsed source one of the series that stands for it. False: no memory.

    A baseline comes back without a series: the point was good, and there is nothing to store.
    """
    cdef Scan *scan = &request.staging.scan
    cdef Point *staged = &scan.slots[point.slot]
    cdef int64_t start = scan.slots[point.slot - staged.start].timestamp
    cdef int64_t before = start
    cdef int verdict = overflow_point(&request.store.table, point.series, source, staged, &start,
                                      <uint64_t *>(staged + 1) if staged.payload else NULL)
    if verdict == NO_MEMORY:
        return False
    if verdict == BASELINE:
        staged.series = 0
        point.series = 0
        return True
    return start == before or restage(request, point, start)


cdef bint restage(Request *request, WirePoint *point, int64_t start) noexcept nogil:
    """Stages a point again behind a START slot of its own, and voids its old slot.

    False: no memory.
    """
    cdef Scan *scan = &request.staging.scan
    cdef Point *staged = &scan.slots[point.slot]
    cdef Point *moved
    cdef uint32_t behind = ext_slots(staged.payload)
    if mem_grow(&request.store.account, <void **>&scan.slots, &scan.slot_capacity,
                scan.slot_count + 2 + behind, sizeof(Point)) != OK:
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


# ---- 4: health -----------------------------------------------------------------------------------

cdef void file_for_health(Request *request) noexcept nogil:
    """Files the batch's points: one lock for each run of points of one service."""
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
        # Acquire: it may have been set after this series was published.
        wanted = <HealthService *>load_ptr_acquire(
            &resource_get(&store.table, series.resource).health)
        if wanted == NULL:
            continue
        if wanted != service:
            if service != NULL:
                health_unlock(service)
            service = wanted
            health_lock(service)
        staged = &scan.slots[point.slot]
        health_observe(service, series, staged,
                       scan.slots[point.slot - staged.start].timestamp,
                       <uint64_t *>(staged + 1) if staged.payload else NULL, request.now)
    if service != NULL:
        health_unlock(service)


# ---- 5: publication ------------------------------------------------------------------------------

cdef void publish(Store *store, Point *slots, size_t count) noexcept nogil:
    """Publishes staged slots, in claims of at most a quarter of the ring.

    A claim begins with a START slot. Where the slots are cut between two points that share one, the
    slot before the cut, which has been published, is overwritten with a copy of that START slot. So
    the slots are good for nothing afterwards.
    """
    cdef size_t most = store.ring.capacity // 4
    cdef size_t begin = 0, at = 0, start_at = 0, next_at
    cdef Point start
    if count <= most:
        publish_claim(store, slots, count)
        return
    while at < count:
        # The slots are not in the caches any more, and each one tells where the next one is.
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


cdef void publish_claim(Store *store, Point *slots, uint64_t count) noexcept nogil:
    cdef uint64_t position
    while not ring_claim(&store.ring, count, &position):
        # The ring is full: the producer that needs room makes it.
        drain_help(store, count)
    ring_publish(&store.ring, position, slots, count)
    # Memory that the drain frees during this call is not reclaimed until the call ends. So the
    # drain is woken at 3/4 here, and at 1/2 behind a request.
    if ring_used(&store.ring) * 4 > store.ring.capacity * 3:
        drain_wanted(store)
