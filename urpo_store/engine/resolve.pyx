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
    REJECT_NONE, REJECT_STRING, REJECT_TOO_OLD, Scan, Span, WireMetric, WirePoint, WireScope,
    reject,
)
from urpo_store.engine.identity.idle cimport series_touch
from urpo_store.engine.identity.intern cimport FIND_TOGETHER, Key
from urpo_store.engine.identity.records cimport (
    metric_find, metric_follows, metric_guess, resource_find, scope_find,
)
from urpo_store.engine.identity.series cimport (
    raw_key, series_expect, series_find, series_find_many, series_follows, series_guess,
)
from urpo_store.engine.identity.types cimport (
    SERIES_EVICTED, Series, SeriesTable, prefetch_record, series_get,
)
from urpo_store.engine.request cimport Request, Staging, numbers_reserve
from urpo_store.engine.store cimport Store

cdef enum:
    AHEAD = 12                  # how many points ahead series are fetched
    # After so many strays in a row the order is another one than last time, and it is faster to
    # look up the rest together.
    STRAYS = 8
    NO_METRIC = 0xFFFFFFFF      # Request.index: no metric has been entered


cdef void resolve_begin(Request *request) noexcept nogil:
    request.resource = request.scope = request.metric = request.last_metric = 0
    request.seen_resources = request.seen_scopes = request.seen_metrics = 0
    request.previous = request.guess = NULL
    resolve_next_batch(request)


cdef void resolve_next_batch(Request *request) noexcept nogil:
    request.index = NO_METRIC
    request.strays = 0
    forget_filed(request)


cdef inline void forget_filed(Request *request) noexcept nogil:
    request.stale = 0
    request.filed_resource = 0
    request.staging.filed_count = 0


# ---- resources, scopes and metrics ---------------------------------------------------------------

cdef int enter_metric(Request *request, uint32_t index) noexcept nogil:
    """Begins the points of a metric of the scan. OK, BAD_BYTES or NO_MEMORY."""
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


cdef int look_up_envelopes(Request *request) noexcept nogil:
    """Looks up the resources, scopes and metrics found since the last call.

    OK, BAD_BYTES or NO_MEMORY.
    """
    cdef int verdict = reserve_ids(request)
    if verdict == OK:
        verdict = look_up_resources(request)
    if verdict == OK:
        verdict = look_up_scopes(request)
    if verdict == OK:
        look_up_metrics(request)
    return verdict


# A resource or scope without an id is new, so its points are new too and will be created or
# refused. If it breaks a limit, the reason to refuse them is kept in `refused` or `refused_scopes`.

cdef int look_up_resources(Request *request) noexcept nogil:
    """OK, BAD_BYTES or NO_MEMORY."""
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef Span body
    cdef size_t i
    cdef int verdict
    for i in range(request.seen_resources, scan.resource_count):
        body = scan.resources[i].body
        staging.refused.at[i] = REJECT_NONE
        staging.resources.at[i] = resource_find(&store.table, body)
        if staging.resources.at[i] == 0:
            verdict = wire_check_resource(body, store.options.max_attributes,
                                          store.options.max_string)
            if verdict < 0:
                return verdict
            staging.refused.at[i] = <uint32_t>verdict
    request.seen_resources = scan.resource_count
    return OK


cdef int look_up_scopes(Request *request) noexcept nogil:
    """OK, BAD_BYTES or NO_MEMORY."""
    cdef Store *store = request.store
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WireScope *scope
    cdef size_t i
    cdef int verdict
    for i in range(request.seen_scopes, scan.scope_count):
        scope = &scan.scopes[i]
        staging.refused_scopes.at[i] = REJECT_NONE
        staging.scopes.at[i] = scope_find(&store.table, scope.body, scope.schema_url)
        if staging.scopes.at[i] == 0:
            verdict = wire_check_scope(scope.body, store.options.max_attributes,
                                       store.options.max_string)
            if verdict < 0:
                return verdict
            staging.refused_scopes.at[i] = <uint32_t>verdict
    request.seen_scopes = scan.scope_count
    return OK


cdef void look_up_metrics(Request *request) noexcept nogil:
    cdef SeriesTable *table = &request.store.table
    cdef Scan *scan = &request.staging.scan
    cdef WireMetric *metric
    cdef uint32_t found
    cdef size_t i
    for i in range(request.seen_metrics, scan.metric_count):
        metric = &scan.metrics[i]
        found = metric_guess(table, request.last_metric, metric.kind, metric.temporality,
                             metric.monotonic, metric.name, metric.unit)
        if found == 0:
            found = metric_find(table, metric.kind, metric.temporality, metric.monotonic,
                                metric.name, metric.unit)
            metric_follows(table, request.last_metric, found)
        request.staging.metrics.at[i] = found
        request.last_metric = found
    request.seen_metrics = scan.metric_count


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


# ---- points, while they are scanned --------------------------------------------------------------

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
    return resolve_assign(request, scan, point, series)


cdef Series *known_already(Request *request) noexcept nogil:
    """The series that the first pass found for the next point; NULL: none, or evicted meanwhile."""
    cdef Staging *staging = request.staging
    cdef uint32_t id = staging.known.at[staging.known_used]
    cdef Series *series
    staging.known_used += 1
    if staging.known_used + AHEAD < staging.known_count:
        prefetch_record(&request.store.table, staging.known.at[staging.known_used + AHEAD])
    # The id is still that of the same series: the call is in one epoch (2).
    series = series_get(&request.store.table, id) if id else NULL
    return NULL if series == NULL or is_evicted(series) else series


cdef Series *find_stray(Request *request, Scan *scan, const WirePoint *point) noexcept nogil:
    """The series of a stray, by the table; NULL: not known, or not looked up."""
    cdef uint32_t id
    if request.metric == 0:
        return NULL
    request.strays += 1
    if request.strays > STRAYS:
        # From here on to the end of the request no series is expected.
        request.guess = NULL
        scan.expected.p = NULL
        scan.expected.n = 0
        return NULL
    id = series_find(&request.store.table, request.resource, request.scope, request.metric,
                     point.attributes)
    if id == 0:
        return NULL
    if request.previous != NULL:
        series_follows(&request.store.table, request.previous.id, id)
    return series_get(&request.store.table, id)


cdef int resolve_assign(Request *request, Scan *scan, WirePoint *point,
                        Series *series) noexcept nogil:
    cdef Staging *staging = request.staging
    cdef Point *slot = &scan.slots[point.slot]
    if not series_touch(series, request.second):
        # Evicted since it was found: it will be created again.
        point.series = 0
        return OK
    slot.series = series.id
    request.stale += slot.flags & FLAG_STALE
    # Most series do not count requests; of their points health wants only the time, once for each
    # resource. Whether a series has a record is a hint: filing looks again, under the service's
    # lock.
    if (load_ptr_relaxed(&series.health) != NULL or slot.timestamp != request.filed_time
            or series.resource != request.filed_resource):
        request.filed_time = slot.timestamp
        request.filed_resource = series.resource
        if numbers_reserve(request.store, &staging.filed, staging.filed_count + 1) != OK:
            return NO_MEMORY
        staging.filed.at[staging.filed_count] = <uint32_t>(point - scan.points)
        staging.filed_count += 1
    return OK


cdef inline bint is_of_metric(const Request *request, const Series *series) noexcept nogil:
    return (series.metric == request.metric and series.resource == request.resource
            and series.scope == request.scope)


cdef inline bint is_evicted(const Series *series) noexcept nogil:
    return load32_relaxed(&series.flags) & SERIES_EVICTED != 0


# ---- the rest, after the scan --------------------------------------------------------------------

# The series of `count` points that were looked up together; the first `used` of them are assigned.
cdef struct Together:
    uint32_t[FIND_TOGETHER] found
    uint32_t count, used


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
    # Noted again from the first one on: the points of a series must be filed in order.
    forget_filed(request)
    for i in range(scan.point_count):
        point = &scan.points[i]
        series = point.series
        if series == 0 and together.used == together.count:
            series = find_follower(request, point, previous)
            if series == 0:
                # The order is another one than last time, or this point is new: perhaps so are the
                # next ones.
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
            verdict = resolve_assign(request, scan, point, series_get(&store.table, series))
            if verdict != OK:
                return verdict
    if previous:
        request.previous = series_get(&store.table, previous)
    return OK


cdef uint32_t find_follower(Request *request, const WirePoint *point,
                            uint32_t previous) noexcept nogil:
    """The series that followed `previous` last time, if it is the point's; 0: it is not."""
    cdef uint32_t scope, resource
    cdef uint32_t metric = ids_of(request, point, &resource, &scope)
    if metric == 0:
        return 0
    return series_guess(&request.store.table, previous, resource, scope, metric, point.attributes)


cdef void find_together(Request *request, size_t first, Together *together) noexcept nogil:
    """Looks up the next points from `first` on that have no series: FIND_TOGETHER of them."""
    cdef Scan *scan = &request.staging.scan
    cdef Key[FIND_TOGETHER] keys
    cdef uint32_t count = 0, metric, resource, scope
    cdef size_t i
    for i in range(first, scan.point_count):
        if scan.points[i].series:
            continue
        metric = ids_of(request, &scan.points[i], &resource, &scope)
        # With an id of 0 (unknown) the key is one that was never put in.
        keys[count] = raw_key(resource, scope, metric, scan.points[i].attributes)
        count += 1
        if count == FIND_TOGETHER:
            break
    series_find_many(&request.store.table, keys, count, together.found)
    together.count = count
    together.used = 0


cdef inline uint32_t ids_of(Request *request, const WirePoint *point, uint32_t *resource,
                            uint32_t *scope) noexcept nogil:
    """The ids of a point's metric (returned), resource and scope; returns 0 if one is unknown."""
    cdef Staging *staging = request.staging
    cdef uint32_t index = staging.scan.metrics[point.metric].scope
    cdef uint32_t metric = staging.metrics.at[point.metric]
    resource[0] = staging.resources.at[staging.scan.scopes[index].resource]
    scope[0] = staging.scopes.at[index]
    return 0 if metric == NO_ROOM or resource[0] == 0 or scope[0] == 0 else metric


cdef int check_new(Request *request, WirePoint *point) noexcept nogil:
    """Checks a point that is not known in full, and refuses it if it breaks a limit.

    OK or BAD_BYTES.
    """
    cdef Store *store = request.store
    cdef Scan *scan = &request.staging.scan
    cdef int verdict = wire_check_attributes(point.attributes, store.options.max_attributes,
                                             store.options.max_string)
    if verdict < 0:
        return verdict
    if verdict == OK and has_long_text(scan, point.metric, store.options.max_string):
        verdict = REJECT_STRING
    if verdict > 0:
        reject(scan, point, <uint32_t>verdict)
    return OK


cdef bint has_long_text(Scan *scan, uint32_t index, uint32_t most) noexcept nogil:
    """Whether a name of the metric, or its scope's schema URL, is longer than the limit."""
    cdef WireMetric *metric = &scan.metrics[index]
    return (metric.name.n > most or metric.unit.n > most or metric.description.n > most
            or scan.scopes[metric.scope].schema_url.n > most)
