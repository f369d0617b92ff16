"""From raw bytes to series, for the points of a request; the contract is in resolve.pxd."""
from libc.stdint cimport uint32_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.atomics cimport load32_relaxed, load_ptr_relaxed
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport FLAG_STALE, Point
from urpo_store.engine.wire.attributes cimport (
    wire_check_attributes, wire_check_resource, wire_check_scope,
)
from urpo_store.engine.wire.types cimport (
    REJECT_NONE, REJECT_STRING, REJECT_TOO_OLD, Scan, Span, WireMetric, WirePoint, WireResource,
    WireScope, reject,
)
from urpo_store.engine.identity.intern cimport FIND_TOGETHER, Key
from urpo_store.engine.identity.records cimport (
    metric_find, metric_follows, metric_guess, raw_key, resource_find, scope_find,
)
from urpo_store.engine.identity.series cimport (
    series_expect, series_find, series_find_many, series_follows, series_guess, series_touch,
)
from urpo_store.engine.identity.types cimport SERIES_EVICTED, Series, prefetch_record, series_get
from urpo_store.engine.request cimport Request, Staging, numbers_reserve
from urpo_store.engine.store cimport Store

cdef enum:
    AHEAD = 12                  # points ahead whose series are fetched
    # So many points in a row that did not come when expected: the order is another one than last time,
    # and the rest is faster looked up together.
    STRAYS = 8
    NO_METRIC = 0xFFFFFFFF      # Request.index: no metric has been entered


cdef void resolve_begin(Request *request) noexcept nogil:
    request.resource = request.scope = request.metric = request.last_metric = 0
    request.seen_resources = request.seen_scopes = request.seen_metrics = 0
    request.previous = request.guess = NULL
    resolve_next(request)


cdef void resolve_next(Request *request) noexcept nogil:
    request.index = NO_METRIC
    request.strays = 0
    file_none(request)


cdef inline void file_none(Request *request) noexcept nogil:
    request.stale = 0
    request.filed_resource = 0
    request.staging.filed_count = 0


# ---- resources, scopes and metrics ------------------------------------------------------------------

cdef int reserve_ids(Request *request) noexcept nogil:
    """Room for the ids of all that the scan has found. OK or NO_MEMORY."""
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef size_t new = request.seen_resources
    # Mostly one more metric of the same scope.
    if (scan.resource_count == new and scan.scope_count == request.seen_scopes
            and scan.metric_count <= staging.metrics.capacity):
        return OK
    if (numbers_reserve(store, &staging.resources, scan.resource_count) != OK
            or numbers_reserve(store, &staging.refused, scan.resource_count) != OK
            or numbers_reserve(store, &staging.scopes, scan.scope_count) != OK
            or numbers_reserve(store, &staging.refused_scopes, scan.scope_count) != OK
            or numbers_reserve(store, &staging.metrics, scan.metric_count) != OK
            or mem_grow(&store.account, <void **>&staging.services, &staging.service_capacity,
                        scan.resource_count, sizeof(Span)) != OK):
        return NO_MEMORY
    if scan.resource_count > new:
        memset(staging.services + new, 0, (scan.resource_count - new) * sizeof(Span))
    return OK


cdef int look_up_envelopes(Request *request) noexcept nogil:
    """Ids of the resources, scopes and metrics found since the last call; 0 where one is new.

    OK, BAD_BYTES or NO_MEMORY. A resource or scope that breaks a limit refuses its points,
    which are new because it is: the reason stands in `refused` or `refused_scopes`.
    """
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WireResource *resource
    cdef WireScope *scope
    cdef WireMetric *metric
    cdef uint32_t found
    cdef size_t i
    cdef int verdict
    if reserve_ids(request) != OK:
        return NO_MEMORY
    for i in range(request.seen_resources, scan.resource_count):
        resource = &scan.resources[i]
        staging.refused.at[i] = REJECT_NONE
        staging.resources.at[i] = resource_find(&store.table, resource.body)
        if staging.resources.at[i] == 0:
            verdict = wire_check_resource(resource.body, store.options.max_attributes, store.options.max_string)
            if verdict < 0:
                return verdict
            staging.refused.at[i] = <uint32_t>verdict
    request.seen_resources = scan.resource_count
    for i in range(request.seen_scopes, scan.scope_count):
        scope = &scan.scopes[i]
        staging.refused_scopes.at[i] = REJECT_NONE
        staging.scopes.at[i] = scope_find(&store.table, scope.body, scope.schema_url)
        if staging.scopes.at[i] == 0:
            verdict = wire_check_scope(scope.body, store.options.max_attributes, store.options.max_string)
            if verdict < 0:
                return verdict
            staging.refused_scopes.at[i] = <uint32_t>verdict
    request.seen_scopes = scan.scope_count
    for i in range(request.seen_metrics, scan.metric_count):
        metric = &scan.metrics[i]
        found = metric_guess(&store.table, request.last_metric, metric.kind, metric.temporality,
                             metric.monotonic, metric.name, metric.unit)
        if found == 0:
            found = metric_find(&store.table, metric.kind, metric.temporality, metric.monotonic,
                                metric.name, metric.unit)
            metric_follows(&store.table, request.last_metric, found)
        staging.metrics.at[i] = found
        request.last_metric = found
    request.seen_metrics = scan.metric_count
    return OK


cdef int enter_metric(Request *request, uint32_t index) noexcept nogil:
    """Makes a metric of the scan the one whose points come now. OK, BAD_BYTES or NO_MEMORY."""
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef uint32_t scope = scan.metrics[index].scope
    cdef int verdict
    if index >= request.seen_metrics:
        verdict = look_up_envelopes(request)
        if verdict != OK:
            return verdict
    request.index = index
    request.resource = staging.resources.at[scan.scopes[scope].resource]
    request.scope = staging.scopes.at[scope]
    request.metric = staging.metrics.at[index]
    if request.resource == 0 or request.scope == 0 or request.metric == NO_ROOM:
        # None of its points has a series.
        request.metric = 0
    return OK


# ---- points, while they are scanned -----------------------------------------------------------------

cdef inline bint is_of_metric(const Request *request, const Series *series) noexcept nogil:
    return (series.metric == request.metric and series.resource == request.resource
            and series.scope == request.scope)


cdef inline bint is_evicted(const Series *series) noexcept nogil:
    return load32_relaxed(&series.flags) & SERIES_EVICTED != 0


cdef Series *find_stray(Request *request, Scan *scan, const WirePoint *point) noexcept nogil:
    """A point that did not come when it was expected, by the table; NULL: not known, or not looked up."""
    cdef uint32_t id
    if request.metric == 0:
        return NULL
    request.strays += 1
    if request.strays > STRAYS:
        # From here on to the end of the request nobody is expected.
        request.guess = NULL
        scan.expected.p = NULL
        scan.expected.n = 0
        return NULL
    id = series_find(&request.store.table, request.resource, request.scope, request.metric, point.attributes)
    if id == 0:
        return NULL
    if request.previous != NULL:
        series_follows(&request.store.table, request.previous.id, id)
    return series_get(&request.store.table, id)


cdef Series *known_already(Request *request) noexcept nogil:
    """What the first pass found for the next point of the second, unless it was evicted meanwhile."""
    cdef Staging *staging = request.staging
    cdef uint32_t id = staging.known.at[staging.known_used]
    cdef Series *series
    staging.known_used += 1
    if staging.known_used + AHEAD < staging.known_count:
        prefetch_record(&request.store.table, staging.known.at[staging.known_used + AHEAD])
    # The id is still that of the same series, for the call is inside one epoch.
    series = series_get(&request.store.table, id) if id else NULL
    return NULL if series == NULL or is_evicted(series) else series


cdef int resolve_point(void *context, Scan *scan, WirePoint *point, bint expected) noexcept nogil:
    cdef Request *request = <Request *>context
    cdef Staging *staging = request.staging
    cdef Series *series = NULL
    cdef int verdict
    if point.metric != request.index:
        verdict = enter_metric(request, point.metric)
        if verdict != OK:
            return verdict
    if staging.known_used < staging.known_count and not scan.dry:
        series = known_already(request)
    else:
        if expected and is_of_metric(request, request.guess):
            series = request.guess
            request.strays = 0
        else:
            series = find_stray(request, scan, point)
        if series != NULL:
            request.previous = series
            request.guess = series_expect(&request.store.table, series, &scan.expected)
    point.series = series.id if series != NULL else 0
    if point.reason != REJECT_NONE or scan.dry:
        return OK
    if scan.slots[point.slot].timestamp < request.oldest:
        reject(scan, point, REJECT_TOO_OLD)
        return OK
    if series == NULL:
        return OK
    return resolve_take(request, scan, point, series)


cdef int resolve_take(Request *request, Scan *scan, WirePoint *point, Series *series) noexcept nogil:
    cdef Staging *staging = request.staging
    cdef Point *slot = &scan.slots[point.slot]
    if not series_touch(series, request.second):
        # Evicted since it was found: made anew with what is not known.
        point.series = 0
        return OK
    slot.series = series.id
    request.stale += slot.flags & FLAG_STALE
    # Most series say nothing of requests; of them health wants to know only when their service was seen.
    # That there is a record is a hint: who files the point looks again, under the service's lock.
    if (load_ptr_relaxed(&series.health) != NULL or slot.timestamp != request.filed_time
            or series.resource != request.filed_resource):
        request.filed_time = slot.timestamp
        request.filed_resource = series.resource
        if numbers_reserve(request.store, &staging.filed, staging.filed_count + 1) != OK:
            return NO_MEMORY
        staging.filed.at[staging.filed_count] = <uint32_t>(point - scan.points)
        staging.filed_count += 1
    return OK


# ---- the rest, after the scan -----------------------------------------------------------------------

cdef inline uint32_t ids_of(Request *request, const WirePoint *point, uint32_t *resource, uint32_t *scope) noexcept nogil:
    """The ids of a point's metric (returned), resource and scope; the metric's is 0 where one is not known."""
    cdef Staging *staging = request.staging
    cdef uint32_t index = staging.scan.metrics[point.metric].scope
    cdef uint32_t metric = staging.metrics.at[point.metric]
    resource[0] = staging.resources.at[staging.scan.scopes[index].resource]
    scope[0] = staging.scopes.at[index]
    return 0 if metric == NO_ROOM or resource[0] == 0 or scope[0] == 0 else metric


cdef uint32_t guess_follower(Request *request, const WirePoint *point, uint32_t previous) noexcept nogil:
    cdef uint32_t scope, resource
    cdef uint32_t metric = ids_of(request, point, &resource, &scope)
    if metric == 0:
        return 0
    return series_guess(&request.store.table, previous, resource, scope, metric, point.attributes)


# The answers for `count` points that were looked up together, the first `used` of them taken.
cdef struct Together:
    uint32_t[FIND_TOGETHER] found
    uint32_t count, used


cdef void find_together(Request *request, size_t first, Together *together) noexcept nogil:
    """Looks up the next points from `first` on that have no series, as many as go together."""
    cdef Scan *scan = &request.staging.scan
    cdef Key[FIND_TOGETHER] keys
    cdef uint32_t count = 0, metric, resource, scope
    cdef size_t i
    for i in range(first, scan.point_count):
        if scan.points[i].series:
            continue
        metric = ids_of(request, &scan.points[i], &resource, &scope)
        # An id of 0, of what is not known, is in no key that was ever put in.
        keys[count] = raw_key(resource, scope, metric, scan.points[i].attributes)
        count += 1
        if count == FIND_TOGETHER:
            break
    series_find_many(&request.store.table, keys, count, together.found)
    together.count = count
    together.used = 0


cdef bint has_long_text(Scan *scan, uint32_t index, uint32_t most) noexcept nogil:
    """Whether what names a metric, or its scope's schema, is longer than any text may be."""
    cdef WireMetric *metric = &scan.metrics[index]
    return (metric.name.n > most or metric.unit.n > most or metric.description.n > most
            or scan.scopes[metric.scope].schema_url.n > most)


cdef int check_new(Request *request, WirePoint *point) noexcept nogil:
    """Looks at all of a point that is not known. OK (perhaps refused) or BAD_BYTES."""
    cdef Store *store = request.store
    cdef Scan *scan = &request.staging.scan
    cdef int verdict = wire_check_attributes(point.attributes, store.options.max_attributes, store.options.max_string)
    if verdict < 0:
        return verdict
    if verdict == OK and has_long_text(scan, point.metric, store.options.max_string):
        verdict = REJECT_STRING
    if verdict > 0:
        reject(scan, point, <uint32_t>verdict)
    return OK


cdef int resolve_rest(Request *request) noexcept nogil:
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WirePoint *point
    cdef Together together
    cdef uint32_t previous = 0, series
    cdef size_t i
    cdef int verdict = look_up_envelopes(request)
    if verdict != OK or scan.unresolved == 0:
        return verdict
    together.count = together.used = 0
    # Noted anew, for the points of a series are filed in order.
    file_none(request)
    for i in range(scan.point_count):
        point = &scan.points[i]
        series = point.series
        if series == 0 and together.used == together.count:
            series = guess_follower(request, point, previous)
            if series == 0:
                # The order is another one than last time, or this one is new: perhaps the next ones too.
                find_together(request, i, &together)
        if series == 0 and together.used < together.count:
            series = together.found[together.used]
            together.used += 1
            if series:
                series_follows(&store.table, previous, series)
        if series == 0:
            verdict = check_new(request, point)
            if verdict != OK:
                return verdict
            continue
        previous = point.series = series
        if point.reason == REJECT_NONE and not scan.dry:
            verdict = resolve_take(request, scan, point, series_get(&store.table, series))
            if verdict != OK:
                return verdict
    if previous:
        request.previous = series_get(&store.table, previous)
    return OK
