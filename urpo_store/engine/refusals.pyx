"""Refused points; the contract is in refusals.pxd."""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from urpo_store.engine.wire.attributes cimport Attribute, wire_next_attribute, wire_string_field
from urpo_store.engine.wire.types cimport Scan, Span, WireMetric, WirePoint, WireScope, reject
from urpo_store.engine.identity.intern cimport Entry, entry_bytes, table_get
from urpo_store.engine.identity.types cimport resource_get
from urpo_store.engine.request cimport NAME_BYTES, REFUSALS, Refusal, Request, Staging
from urpo_store.engine.store cimport Store


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
    cdef uint32_t resource = request.staging.resources.at[index]
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
    reject(scan, point, reason)
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
