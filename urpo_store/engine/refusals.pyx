"""Refused points; the contract is in refusals.pxd."""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.wire.arena cimport no_span
from urpo_store.engine.wire.attributes cimport Attribute, wire_next_attribute, wire_string_field
from urpo_store.engine.wire.types cimport Scan, Span, WireMetric, WirePoint, reject
from urpo_store.engine.identity.intern cimport Entry, entry_bytes, table_get
from urpo_store.engine.identity.types cimport resource_get
from urpo_store.engine.request cimport NAME_BYTES, REFUSALS, Refusal, Request, Staging
from urpo_store.engine.store cimport Store


cdef void refuse(Request *request, WirePoint *point, uint32_t reason) noexcept nogil:
    cdef Staging *staging = request.staging
    cdef Scan *scan = &staging.scan
    cdef WireMetric *metric = &scan.metrics[point.metric]
    cdef Span service = service_name(request, scan.scopes[metric.scope].resource)
    cdef Refusal *refusal
    cdef uint32_t i
    reject(scan, point, reason)
    staging.rejected += 1
    for i in range(staging.refusal_count):
        refusal = &staging.refusals[i]
        if (refusal.reason == reason
                and holds_name(refusal.metric, refusal.metric_length, metric.name)
                and holds_name(refusal.service, refusal.service_length, service)):
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
    refusal.metric_length = copy_name(refusal.metric, metric.name)
    refusal.service_length = copy_name(refusal.service, service)


cdef Span service_name(Request *request, uint32_t index) noexcept nogil:
    """The service of a resource of the request: as identity knows it, or else as the resource names
    it.

    Looked up once for each resource: a million refused points may share one with many attributes.
    """
    cdef Span *name = &request.staging.services[index]
    if name.p == NULL:
        if request.staging.resources.at[index]:
            name[0] = stored_service_name(request.store, request.staging.resources.at[index])
        else:
            name[0] = sent_service_name(&request.staging.scan, index)
    return name[0]


cdef Span stored_service_name(Store *store, uint32_t resource) noexcept nogil:
    cdef Entry *entry = table_get(&store.table.strings, resource_get(&store.table,
                                  resource).service)
    cdef Span name = no_span()
    if entry != NULL:
        # After the tag of a canonical text.
        name.p = entry_bytes(entry) + 1
        name.n = entry.length - 1
    return name


cdef Span sent_service_name(Scan *scan, uint32_t index) noexcept nogil:
    cdef Span body = scan.resources[index].body
    cdef const uint8_t *at = body.p
    cdef Attribute attribute
    cdef Span name = no_span()
    while wire_next_attribute(scan, &at, body.p + body.n, 1, &attribute) > 0:
        if attribute.key.n == 12 and memcmp(attribute.key.p, b"service.name", 12) == 0:
            name = wire_string_field(attribute.value, 1)
    return name


cdef uint32_t copy_name(char *to, Span name) noexcept nogil:
    cdef size_t length = min(name.n, <size_t>NAME_BYTES)
    if length:
        memcpy(to, name.p, length)
    return <uint32_t>length


cdef inline bint holds_name(const char *kept, uint32_t length, Span name) noexcept nogil:
    """Whether `kept` is `name`, cut as copy_name cuts it."""
    return (length == min(name.n, <size_t>NAME_BYTES)
            and (length == 0 or memcmp(kept, name.p, length) == 0))
