"""The scanner alone, with what it finds as plain Python: for tests and benchmarks."""
cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account, account_init
from urpo_store.engine.memory.status cimport BAD_BYTES, OK
from urpo_store.engine.points.slots cimport (
    Point, payload_exemplar_bytes, payload_layout_words, payload_row_words,
)
from urpo_store.engine.wire.arena cimport scan_destroy, scan_end, scan_init
from urpo_store.engine.wire.attributes cimport (
    Attribute, wire_canonical_value, wire_check_attributes, wire_check_resource, wire_check_scope,
    wire_next_attribute, wire_string_field,
)
from urpo_store.engine.wire.scanner cimport wire_scan
from urpo_store.engine.wire.types cimport REJECT_NONE, Scan, Span, WireMetric, WirePoint, WireScope

from urpo_store.engine.identity.values import decode_value


cdef bytes span_bytes(Span span):
    return (<const char *>span.p)[:span.n]


@cython.final
@cython.auto_pickle(False)
cdef class Scanner:
    """Scans requests by itself: nothing that it finds is looked up or stored."""

    cdef Scan scan_
    cdef Account account

    def __cinit__(self):
        account_init(&self.account, NULL)
        scan_init(&self.scan_, &self.account)

    def __dealloc__(self):
        scan_destroy(&self.scan_)

    @property
    def memory_bytes(self):
        """Bytes that the scanner holds between scans."""
        return self.account.bytes

    def count(self, bytes data not None):
        """Number of points in a request; -1 if it is malformed. The bare scan, for benchmarks."""
        cdef const uint8_t *p = <const uint8_t *>data
        cdef size_t n = len(data)
        cdef int verdict
        with nogil:
            scan_end(&self.scan_)
            verdict = wire_scan(&self.scan_, p, n)
        return self.scan_.total_points if verdict == OK else -1

    def scan(self, bytes data not None, uint32_t max_attributes=0xFFFFFFFF,
             uint32_t max_string=0xFFFFFFFF):
        """[(resource, scope, metric, points)] of each metric that has points; None: malformed.

        resource: attributes; scope: (name, version, schema_url, attributes); metric: (name, unit,
        description, kind, temporality, monotonic); a point: (reason, attributes, time, start, value
        bits, flags, layout words, row words, exemplars, bad exemplars), of a refused one the first
        two.
        """
        cdef Scan *scan = &self.scan_
        cdef WireMetric *metric
        cdef WireScope *scope
        cdef WirePoint *point
        cdef Span span
        cdef size_t i
        scan_end(scan)
        if wire_scan(scan, <const uint8_t *>data, len(data)) != OK:
            return None
        for i in range(scan.resource_count):
            if wire_check_resource(scan.resources[i].body, max_attributes, max_string) == BAD_BYTES:
                return None
        for i in range(scan.scope_count):
            if wire_check_scope(scan.scopes[i].body, max_attributes, max_string) == BAD_BYTES:
                return None
        for i in range(scan.point_count):
            span = scan.points[i].attributes
            if wire_check_attributes(span, max_attributes, max_string) == BAD_BYTES:
                return None
        found = []
        for i in range(scan.metric_count):
            metric = &scan.metrics[i]
            scope = &scan.scopes[metric.scope]
            found.append((
                self.attributes(scan.resources[scope.resource].body, 1),
                (span_bytes(wire_string_field(scope.body, 1)).decode(),
                 span_bytes(wire_string_field(scope.body, 2)).decode(),
                 span_bytes(scope.schema_url).decode(),
                 self.attributes(scope.body, 3)),
                (span_bytes(metric.name).decode(), span_bytes(metric.unit).decode(),
                 span_bytes(metric.description).decode(), metric.kind, metric.temporality,
                 metric.monotonic),
                [],
            ))
        for i in range(scan.point_count):
            point = &scan.points[i]
            found[point.metric][3].append(self.point(point))
        return [each for each in found if each[3]]

    cdef object attributes(self, Span span, uint32_t field):
        cdef const uint8_t *at = span.p
        cdef Attribute attribute
        cdef Span value
        cdef dict found = {}
        while wire_next_attribute(&self.scan_, &at, span.p + span.n, field, &attribute) > 0:
            key = span_bytes(attribute.key).decode()
            value = wire_canonical_value(&self.scan_, attribute.value)
            found[key] = decode_value(span_bytes(value))
        return found

    cdef object point(self, WirePoint *point):
        cdef Point *slot
        cdef uint64_t *words
        cdef uint64_t header = 0
        cdef uint32_t i, layout = 0, row = 0
        attributes = self.attributes(point.attributes, 0)
        if point.reason != REJECT_NONE:
            return point.reason, attributes
        slot = &self.scan_.slots[point.slot]
        words = <uint64_t *>(slot + 1)
        exemplars = b""
        if slot.payload:
            header = words[0]
            layout = payload_layout_words(header)
            row = payload_row_words(header)
            exemplars = (<const char *>(words + 1 + layout + row))[:payload_exemplar_bytes(header)]
        return (
            0, attributes, slot.timestamp, (slot - slot.start).timestamp, slot.value, slot.flags,
            [words[1 + i] for i in range(layout)], [words[1 + layout + i] for i in range(row)],
            exemplars, point.bad_exemplars,
        )
