"""From a request's bytes to points that queries see; the contract is in ingest.pxd.

Points are staged as slots (points.pxd) and leave staging memory only in `publish`. A slot whose point
was refused after it was staged is voided: series 0, which the drain and every reader pass over.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.alloc cimport mem_calloc, mem_free, mem_grow
from urpo_store.engine.atomics cimport (
    add_relaxed, load32_relaxed, monotonic_ns, store_relaxed, wall_ns,
)
from urpo_store.engine.attribute_values cimport (
    Attribute, wire_check_attributes, wire_check_resource, wire_check_scope, wire_next_attribute,
    wire_string_field,
)
from urpo_store.engine.drain cimport drain_help, drain_wanted
from urpo_store.engine.health cimport HealthService, health_lock, health_observe, health_unlock
from urpo_store.engine.ingest cimport BATCH
from urpo_store.engine.intern cimport Entry, FIND_TOGETHER, Key, entry_bytes, table_get
from urpo_store.engine.overflow cimport overflow_point
from urpo_store.engine.points cimport FLAG_STALE, Point, SERIES_START, ext_slots
from urpo_store.engine.records cimport (
    metric_add, metric_find, metric_follows, metric_guess, metric_release, raw_key, resource_add,
    resource_find, resource_release, scope_add, scope_find, scope_release,
)
from urpo_store.engine.ring cimport ring_claim, ring_publish, ring_used
from urpo_store.engine.series cimport (
    series_add, series_find, series_find_many, series_follows, series_guess, series_touch,
)
from urpo_store.engine.series_types cimport (
    SERIES_EVICTED, SERIES_OVERFLOW, Series, prefetch_record, resource_get, series_get,
)
from urpo_store.engine.store cimport NAME_BYTES, REFUSALS, Refusal, Staging, Store
from urpo_store.engine.wire cimport wire_scan
from urpo_store.engine.wire_memory cimport scan_end, scan_init, trim
from urpo_store.engine.wire_types cimport (
    REJECT_MEMORY, REJECT_NONE, REJECT_STRING, REJECT_TOO_OLD, Scan, Span, WIRE_NO_MEMORY, WIRE_OK,
    WIRE_STOPPED, WireMetric, WirePoint, WireResource, WireScope,
)


cdef enum:
    AHEAD = 12                  # points ahead whose series are fetched
    NO_ROOM = 0xFFFFFFFF        # in Staging.metrics: no room for another series of this metric


# What on_batch needs to know beside the scan.
cdef struct Request:
    Store *store
    Staging *staging
    int64_t oldest              # points before it are older than the retention
    uint32_t second             # monotonic second of arrival
    int64_t now                 # wall clock


cdef Staging *staging_of(Store *store, int slot) noexcept nogil:
    cdef Staging *staging = store.staging[slot]
    if staging == NULL:
        staging = <Staging *>mem_calloc(&store.account, sizeof(Staging))
        if staging == NULL:
            return NULL
        if scan_init(&staging.scan, &store.account) != 0:
            mem_free(&store.account, staging)
            return NULL
        staging.scan.batch = BATCH
        # A point must fit in a claim, and a claim in half of the ring.
        staging.scan.max_payload = <uint32_t>(store.ring.capacity // 8 * 4)
        store.staging[slot] = staging
    return staging


# ---- refusals -------------------------------------------------------------------------------------

cdef uint32_t copy_name(char *to, const uint8_t *name, size_t length) noexcept nogil:
    if length > NAME_BYTES:
        length = NAME_BYTES
    if length:
        memcpy(to, name, length)
    return <uint32_t>length


cdef Span service_text(Request *request, uint32_t index) noexcept nogil:
    """The service of a resource of the request; of one that nothing was stored for, its bare name.

    Looked for once a resource: a million refused points may share one with very many attributes.
    """
    cdef Store *store = request.store
    cdef Scan *scan = &request.staging.scan
    cdef uint32_t resource = request.staging.resources[index]
    cdef Span body = scan.resources[index].body
    cdef const uint8_t *at = body.p
    cdef Attribute attribute
    cdef Entry *entry
    cdef Span text = request.staging.services[index]
    if text.p != NULL:
        return text
    text.p = <const uint8_t *>b""
    text.n = 0
    if resource:
        entry = table_get(&store.table.strings, resource_get(&store.table, resource).service)
        if entry != NULL:
            # Behind the tag of a canonical text.
            text.p = entry_bytes(entry) + 1
            text.n = entry.length - 1
        request.staging.services[index] = text
        return text
    while wire_next_attribute(scan, &at, body.p + body.n, 1, &attribute) > 0:
        if attribute.key.n == 12 and same(attribute.key.p, <const uint8_t *>b"service.name", 12):
            text = wire_string_field(attribute.value, 1)
    request.staging.services[index] = text
    return text


cdef void refuse(Request *request, WirePoint *point, uint32_t reason) noexcept nogil:
    """Counts a refused point, told apart by reason, metric and service, and voids its slot."""
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WireMetric *metric = &scan.metrics[point.metric]
    cdef WireScope *scope = &scan.scopes[metric.scope]
    cdef Refusal *refusal
    cdef Span service
    cdef uint32_t i, length
    if point.reason == REJECT_NONE:
        scan.slots[point.slot].series = 0
        point.reason = reason
    staging.rejected += 1
    length = <uint32_t>metric.name.n if metric.name.n < NAME_BYTES else NAME_BYTES
    service = service_text(request, scope.resource)
    for i in range(staging.refusal_count):
        refusal = &staging.refusals[i]
        if (refusal.reason == reason and refusal.metric_length == length
                and same(<uint8_t *>refusal.metric, metric.name.p, length)
                and same(<uint8_t *>refusal.service, service.p, refusal.service_length)
                and refusal.service_length == (service.n if service.n < NAME_BYTES else NAME_BYTES)):
            refusal.points += 1
            return
    if staging.refusal_count == REFUSALS:
        # More different ones than are told apart: counted with the last.
        staging.refusals[REFUSALS - 1].points += 1
        return
    refusal = &staging.refusals[staging.refusal_count]
    staging.refusal_count += 1
    refusal.reason = reason
    refusal.points = 1
    refusal.metric_length = copy_name(refusal.metric, metric.name.p, metric.name.n)
    refusal.service_length = copy_name(refusal.service, service.p, service.n)


cdef inline bint same(const uint8_t *a, const uint8_t *b, size_t length) noexcept nogil:
    cdef size_t i
    for i in range(length):
        if a[i] != b[i]:
            return False
    return True


# ---- look-up: what is known by its raw bytes, and a full check of what is not -----------------------

cdef int make_room(Store *store, Staging *staging) noexcept nogil:
    cdef Scan *scan = &staging.scan
    if mem_grow(&store.account, <void **>&staging.resources, &staging.resource_capacity,
                scan.resource_count, sizeof(uint32_t)) != 0:
        return -1
    if mem_grow(&store.account, <void **>&staging.refused, &staging.refused_capacity,
                scan.resource_count + scan.scope_count, sizeof(uint32_t)) != 0:
        return -1
    if mem_grow(&store.account, <void **>&staging.services, &staging.service_capacity,
                scan.resource_count, sizeof(Span)) != 0:
        return -1
    memset(staging.services, 0, scan.resource_count * sizeof(Span))
    if mem_grow(&store.account, <void **>&staging.scopes, &staging.scope_capacity,
                scan.scope_count, sizeof(uint32_t)) != 0:
        return -1
    return mem_grow(&store.account, <void **>&staging.metrics, &staging.metric_capacity,
                    scan.metric_count, sizeof(uint32_t))


cdef int look_up_envelopes(Request *request) noexcept nogil:
    """Ids of the request's resources, scopes and metrics; 0 where one is new.

    WIRE_OK, WIRE_MALFORMED or WIRE_NO_MEMORY. A resource or scope that breaks a limit refuses all its
    points: the reason stands in `refused`, of scopes behind those of the resources.
    """
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WireResource *resource
    cdef WireScope *scope
    cdef WireMetric *metric
    cdef uint32_t found, previous = 0
    cdef size_t i
    cdef int verdict
    if make_room(store, staging) != 0:
        return WIRE_NO_MEMORY
    for i in range(scan.resource_count):
        resource = &scan.resources[i]
        staging.refused[i] = REJECT_NONE
        staging.resources[i] = resource_find(&store.table, resource.body)
        if staging.resources[i] == 0:
            verdict = wire_check_resource(resource.body, store.max_attributes, store.max_string)
            if verdict > 0:
                return verdict
            staging.refused[i] = <uint32_t>(-verdict)
    for i in range(scan.scope_count):
        scope = &scan.scopes[i]
        staging.refused[scan.resource_count + i] = REJECT_NONE
        staging.scopes[i] = scope_find(&store.table, scope.body, scope.schema_url)
        if staging.scopes[i] == 0:
            verdict = wire_check_scope(scope.body, store.max_attributes, store.max_string)
            if verdict > 0:
                return verdict
            staging.refused[scan.resource_count + i] = <uint32_t>(-verdict)
    for i in range(scan.metric_count):
        metric = &scan.metrics[i]
        found = metric_guess(&store.table, previous, metric.kind, metric.temporality, metric.monotonic,
                             metric.name, metric.unit)
        if found == 0:
            found = metric_find(&store.table, metric.kind, metric.temporality, metric.monotonic,
                                metric.name, metric.unit)
            metric_follows(&store.table, previous, found)
        staging.metrics[i] = found
        previous = found
    return WIRE_OK


cdef inline uint32_t guess(Request *request, const WirePoint *point, uint32_t previous) noexcept nogil:
    cdef Staging *staging = request.staging
    cdef uint32_t metric = staging.metrics[point.metric]
    cdef uint32_t scope, resource
    if metric == 0 or metric == NO_ROOM:
        return 0
    scope = staging.scan.metrics[point.metric].scope
    resource = staging.resources[staging.scan.scopes[scope].resource]
    return series_guess(&request.store.table, previous, resource, staging.scopes[scope], metric, point.attributes)


cdef inline uint32_t known_already(Request *request) noexcept nogil:
    """What the first pass found for the next point of the second, unless it was evicted meanwhile."""
    cdef Staging *staging = request.staging
    cdef uint32_t series
    if staging.validating or staging.known_used == staging.known_count:
        return 0
    series = staging.known[staging.known_used]
    staging.known_used += 1
    if staging.known_used + AHEAD < staging.known_count:
        prefetch_record(&request.store.table, staging.known[staging.known_used + AHEAD])
    # The id is still that of the same series, for the call is inside one epoch.
    if series and load32_relaxed(&series_get(&request.store.table, series).flags) & SERIES_EVICTED:
        return 0
    return series


cdef int remember(Request *request) noexcept nogil:
    """Keeps what the first pass found."""
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef size_t i
    if mem_grow(&request.store.account, <void **>&staging.known, &staging.known_capacity,
                staging.known_count + scan.point_count, sizeof(uint32_t)) != 0:
        return WIRE_NO_MEMORY
    for i in range(scan.point_count):
        staging.known[staging.known_count + i] = scan.points[i].series
    staging.known_count += scan.point_count
    return WIRE_OK


cdef uint32_t find_together(Request *request, size_t first, uint32_t *found) noexcept nogil:
    """Looks up the points from `first` on, as many as go together: how many that are."""
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef Key[FIND_TOGETHER] keys
    cdef uint32_t count = min(<size_t>FIND_TOGETHER, scan.point_count - first), scope, i
    cdef WirePoint *point
    for i in range(count):
        point = &scan.points[first + i]
        scope = scan.metrics[point.metric].scope
        # An id of 0, of what is not known, is in no key that was ever put in.
        keys[i] = raw_key(staging.resources[scan.scopes[scope].resource], staging.scopes[scope],
                          staging.metrics[point.metric], point.attributes)
    series_find_many(&request.store.table, keys, count, found)
    return count


cdef int look_up_points(Request *request, size_t *unknown) noexcept nogil:
    """Series of the batch's points where known; counts those that are not, after checking them."""
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WirePoint *point
    cdef uint32_t previous = staging.previous, series
    cdef uint32_t[FIND_TOGETHER] found
    cdef uint32_t together = 0, used = 0
    cdef size_t i
    cdef int verdict
    unknown[0] = 0
    for i in range(scan.point_count):
        point = &scan.points[i]
        series = known_already(request)
        if series == 0 and used == together:
            series = guess(request, point, previous)
            if series == 0:
                # The order is another one than last time, or this one is new: perhaps the next ones too.
                used = 0
                together = find_together(request, i, found)
        if series == 0 and used < together:
            series = found[used]
            used += 1
            if series:
                series_follows(&store.table, previous, series)
        point.series = series
        if series == 0:
            unknown[0] += 1
            verdict = wire_check_attributes(point.attributes, store.max_attributes, store.max_string)
            if verdict > 0:
                return verdict
            if verdict == WIRE_OK and has_long_text(scan, point.metric, store.max_string):
                verdict = -REJECT_STRING
            if verdict < 0 and point.reason == REJECT_NONE:
                scan.slots[point.slot].series = 0
                refuse_later(point, <uint32_t>(-verdict))
        else:
            previous = series
    staging.previous = previous
    return WIRE_OK


cdef bint has_long_text(Scan *scan, uint32_t index, uint32_t most) noexcept nogil:
    """Whether what names a metric, or its scope's schema, is longer than any text may be."""
    cdef WireMetric *metric = &scan.metrics[index]
    return (metric.name.n > most or metric.unit.n > most or metric.description.n > most
            or scan.scopes[metric.scope].schema_url.n > most)


cdef inline void refuse_later(WirePoint *point, uint32_t reason) noexcept nogil:
    # Nothing is counted before the whole request is known to be well formed.
    point.reason = reason


# ---- creation -------------------------------------------------------------------------------------

cdef uint32_t resource_of(Request *request, uint32_t index) noexcept nogil:
    cdef Staging *staging = request.staging
    if staging.resources[index] == 0:
        staging.resources[index] = resource_add(
            &request.store.table, &staging.scan, staging.scan.resources[index].body)
    return staging.resources[index]


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
    resource = resource_add(&store.table, scan, scan.resources[wire_scope.resource].body)
    scope = scope_add(&store.table, scan, wire_scope.body, wire_scope.schema_url)
    metric = metric_add(&store.table, wire_metric.kind, wire_metric.temporality, wire_metric.monotonic,
                        wire_metric.name, wire_metric.unit, wire_metric.description)
    if resource and scope and metric:
        staging.resources[wire_scope.resource] = resource
        staging.scopes[wire_metric.scope] = scope
        staging.metrics[point.metric] = metric
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
    if series_get(&store.table, series).flags & SERIES_OVERFLOW:
        return collapse(request, point, source)
    if staging.previous:
        series_follows(&store.table, staging.previous, series)
    staging.previous = series
    return True


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


cdef void publish(Store *store, Point *slots, size_t count) noexcept nogil:
    """Publishes staged slots, in claims of at most a quarter of the ring.

    A claim begins with a START slot. Where a run is cut between two points that share one, the slot in
    front of the cut, which has been published, is overwritten with a copy of that START slot: after this
    the slots mean nothing any more.
    """
    cdef size_t most = store.ring.capacity // 4
    cdef size_t begin = 0, at = 0, start_at = 0, next_at
    cdef Point start
    while at < count:
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
    for i in range(scan.point_count):
        point = &scan.points[i]
        if point.series == 0 or point.reason != REJECT_NONE:
            continue
        series = series_get(&store.table, point.series)
        wanted = <HealthService *>resource_get(&store.table, series.resource).health
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


cdef int store_batch(Request *request) noexcept nogil:
    """Steps 3 to 5 for the points gathered in the scan."""
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WirePoint *point
    cdef Point *staged
    cdef uint32_t reason, scope
    cdef uint64_t accepted = 0, published = 0, stale = 0
    cdef size_t i
    for i in range(scan.point_count):
        point = &scan.points[i]
        staging.bad_exemplars += point.bad_exemplars
        reason = point.reason
        if reason == REJECT_NONE:
            scope = scan.metrics[point.metric].scope
            reason = staging.refused[scan.scopes[scope].resource]
            if reason == REJECT_NONE:
                reason = staging.refused[scan.resource_count + scope]
            if reason == REJECT_NONE and scan.slots[point.slot].timestamp < request.oldest:
                reason = REJECT_TOO_OLD
            if reason == REJECT_NONE and point.series and not series_touch(
                    series_get(&store.table, point.series), request.second):
                # Evicted since it was looked up: made anew.
                point.series = 0
            if reason == REJECT_NONE and point.series == 0:
                # Without room for one set of a metric, the others are not tried: a request of a
                # million points would take long to refuse.
                if staging.metrics[point.metric] == NO_ROOM:
                    reason = REJECT_MEMORY
                elif not create_series(request, point):
                    reason = REJECT_MEMORY
                    staging.metrics[point.metric] = NO_ROOM
        if reason != REJECT_NONE:
            point.series = 0
            refuse(request, point, reason)
            continue
        accepted += 1
        if point.series == 0:
            continue
        published += 1
        staged = &scan.slots[point.slot]
        staged.series = point.series
        stale += staged.flags & FLAG_STALE
    staging.accepted += accepted
    if accepted:
        store_relaxed(&store.last_arrival, <uint64_t>request.now)
    if published:
        # Before they are published: that overwrites slots where a claim has to be cut.
        file_for_health(request)
        # Counted before they are visible, so that no drain can count more than were published.
        add_relaxed(&store.published_points, published)
        publish(store, scan.slots, scan.slot_count)
    if stale:
        add_relaxed(&store.stale_points, stale)
    return WIRE_OK


cdef int take_batch(Request *request) noexcept nogil:
    cdef size_t unknown
    cdef int verdict = look_up_envelopes(request)
    if verdict == WIRE_OK:
        verdict = look_up_points(request, &unknown)
    if verdict != WIRE_OK:
        return verdict
    return remember(request) if request.staging.validating else store_batch(request)


cdef int on_batch(void *context, Scan *scan) noexcept nogil:
    return take_batch(<Request *>context)


cdef void rest(Store *store, Staging *staging) noexcept nogil:
    """Gives back what only a big request needs; a staging may wait for the next one for ever."""
    scan_end(&staging.scan)
    trim(&store.account, <void **>&staging.resources, &staging.resource_capacity, sizeof(uint32_t))
    trim(&store.account, <void **>&staging.refused, &staging.refused_capacity, sizeof(uint32_t))
    trim(&store.account, <void **>&staging.services, &staging.service_capacity, sizeof(Span))
    trim(&store.account, <void **>&staging.scopes, &staging.scope_capacity, sizeof(uint32_t))
    trim(&store.account, <void **>&staging.metrics, &staging.metric_capacity, sizeof(uint32_t))
    trim(&store.account, <void **>&staging.known, &staging.known_capacity, sizeof(uint32_t))


cdef int ingest_request(Store *store, int slot, const uint8_t *data, size_t length) noexcept nogil:
    cdef Staging *staging = staging_of(store, slot)
    cdef Request request
    cdef Scan *scan
    cdef int verdict
    cdef bint several
    if staging == NULL:
        return WIRE_NO_MEMORY
    scan = &staging.scan
    staging.refusal_count = 0
    staging.accepted = staging.rejected = staging.bad_exemplars = 0
    staging.previous = 0
    staging.known_count = staging.known_used = 0
    request.store = store
    request.staging = staging
    request.now = wall_ns()
    request.second = <uint32_t>(monotonic_ns() // 1000000000)
    request.oldest = request.now - store.retention if store.retention else 0
    scan.on_batch = on_batch
    scan.context = &request
    staging.validating = True
    verdict = wire_scan(scan, data, length)
    several = scan.total_points > scan.point_count
    staging.previous = 0
    if verdict == WIRE_OK:
        if several:
            verdict = take_batch(&request)
            staging.validating = False
            if verdict == WIRE_OK:
                verdict = wire_scan(scan, data, length)
        staging.validating = False
        if verdict == WIRE_OK:
            verdict = take_batch(&request)
    if verdict == WIRE_STOPPED:
        verdict = scan.stop_code
    rest(store, staging)
    add_relaxed(&store.accepted_points, staging.accepted)
    if staging.rejected:
        add_relaxed(&store.rejected_points, staging.rejected)
    if staging.bad_exemplars:
        add_relaxed(&store.dropped_exemplars, staging.bad_exemplars)
    if verdict != WIRE_OK:
        add_relaxed(&store.rejected_requests, 1)
    if ring_used(&store.ring) * 2 > store.ring.capacity:
        drain_wanted(store)
    return verdict
