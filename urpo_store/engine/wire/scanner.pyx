"""The OTLP scanner: requests, resources, scopes, metrics; the contract is in wire/scanner.pxd.

  wire               from the request down to a metric's data
  temporality        what a metric says of all its points, which may stand behind them
  data_points        what points have in common; numbers
  histogram_points   histograms, exponential histograms, summaries
  attribute_values   attributes, when they are not known
  wire_memory        the arena, and messages that come in pieces
  messages           whether a message is well formed
  protobuf           varints, tags, lengths, strings
"""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport (
    KIND_EXPONENTIAL, KIND_GAUGE, KIND_HISTOGRAM, KIND_SUM, KIND_SUMMARY,
)
from urpo_store.engine.wire.arena cimport Pieces, malformed, no_span, pieces_add_checked, scan_begin
from urpo_store.engine.wire.histograms cimport exponential_point, histogram_point, summary_point
from urpo_store.engine.wire.messages cimport (
    DEPTH_DATA, DEPTH_METRIC, DEPTH_RESOURCE, DEPTH_SCOPE, M_EXPONENTIAL, M_HISTOGRAM, M_KEYVALUE,
    M_NUMBERS, M_RESOURCE, M_SCOPE, M_SUMMARY, check_message,
)
from urpo_store.engine.wire.protobuf cimport WT_BYTES, read_length, read_tag, skip_value, valid_utf8
from urpo_store.engine.wire.staging cimport number_point
from urpo_store.engine.wire.temporality cimport (
    Stream, read_stream_field, stream_begin, stream_settle,
)
from urpo_store.engine.wire.types cimport (
    WIRE_E_BYTES, WIRE_E_DEPTH, WIRE_E_NONE, WIRE_E_UTF8, Scan, Span, WireMetric, WireResource,
    WireScope,
)


cdef extern from *:
    void __builtin_prefetch(const void *address) noexcept nogil

cdef enum:
    AHEAD = 1024                # bytes


# ---- metrics ----------------------------------------------------------------------------------------

cdef uint32_t data_kind(uint32_t field) noexcept nogil:
    """KIND_* of a member of Metric.data; 0 if the field is none."""
    if field == 5:
        return KIND_GAUGE
    if field == 7:
        return KIND_SUM
    if field == 9:
        return KIND_HISTOGRAM
    if field == 10:
        return KIND_EXPONENTIAL
    if field == 11:
        return KIND_SUMMARY
    return 0


cdef uint32_t data_message(uint32_t kind) noexcept nogil:
    if kind == KIND_HISTOGRAM:
        return M_HISTOGRAM
    if kind == KIND_EXPONENTIAL:
        return M_EXPONENTIAL
    if kind == KIND_SUMMARY:
        return M_SUMMARY
    return M_NUMBERS


cdef int check_piece(Scan *scan, uint32_t kind, Span piece, int depth) noexcept nogil:
    cdef uint32_t error = check_message(kind, piece.p, piece.p + piece.n, depth)
    return OK if error == WIRE_E_NONE else malformed(scan, error, piece.p)


cdef int scan_metric(Scan *scan, uint32_t scope, Span body) noexcept nogil:
    cdef WireMetric *metric
    cdef Span piece
    cdef Span text[4]           # by field number: name, description, unit
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint32_t tag, field, kind = 0, other
    cdef size_t length
    cdef Pieces data
    cdef int verdict
    memset(&data, 0, sizeof(Pieces))
    text[1] = text[2] = text[3] = no_span()
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag & 7 != WT_BYTES:
            p = skip_value(p, end, tag, DEPTH_METRIC)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            continue
        p = read_length(p, end, &length)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        piece.p = p
        piece.n = length
        p += length
        field = tag >> 3
        if 1 <= field <= 3:
            if not valid_utf8(piece.p, length):
                return malformed(scan, WIRE_E_UTF8, piece.p)
            text[field] = piece
        elif field == 12:
            verdict = check_piece(scan, M_KEYVALUE, piece, DEPTH_METRIC + 1)
            if verdict != OK:
                return verdict
        else:
            other = data_kind(field)
            if other == 0:
                continue
            if other != kind and kind != 0:
                # Another member takes the place of what came before, which only has to be well formed.
                verdict = check_piece(scan, data_message(kind), data.whole, DEPTH_DATA)
                if verdict != OK:
                    return verdict
                memset(&data, 0, sizeof(Pieces))
            kind = other
            verdict = pieces_add_checked(scan, &data, piece, data_message(kind), DEPTH_DATA)
            if verdict != OK:
                return verdict
    if kind == 0:
        return OK
    if mem_grow(scan.account, <void **>&scan.metrics, &scan.metric_capacity, scan.metric_count + 1,
                sizeof(WireMetric)) != 0:
        return NO_MEMORY
    metric = &scan.metrics[scan.metric_count]
    scan.metric_count += 1
    metric.scope = scope
    metric.name = text[1]
    metric.description = text[2]
    metric.unit = text[3]
    metric.kind = kind
    return scan_data(scan, <uint32_t>(scan.metric_count - 1), data.whole)


cdef inline void fetch_ahead(const uint8_t *p, size_t length) noexcept nogil:
    """Asks for as many bytes as a point took, some points ahead: a request is larger than the caches."""
    cdef size_t at
    for at in range(AHEAD, AHEAD + length, 64):
        __builtin_prefetch(p + at)


cdef int scan_data(Scan *scan, uint32_t index, Span data) noexcept nogil:
    """A Gauge, Sum, Histogram, ExponentialHistogram or Summary."""
    cdef uint32_t kind = scan.metrics[index].kind
    cdef const uint8_t *p = data.p
    cdef const uint8_t *end = p + data.n
    cdef const uint8_t *at
    cdef uint32_t tag
    cdef size_t length
    cdef Span body
    cdef Stream found
    cdef int verdict
    stream_begin(scan, index, data)
    found.temporality = found.monotonic = 0
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag != (1 << 3 | WT_BYTES):
            p = read_stream_field(p, end, tag, kind, &found)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            continue
        p = read_length(p, end, &length)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        body.p = p
        body.n = length
        p += length
        fetch_ahead(p, length)
        if kind == KIND_HISTOGRAM:
            verdict = histogram_point(scan, body)
        elif kind == KIND_EXPONENTIAL:
            verdict = exponential_point(scan, body)
        elif kind == KIND_SUMMARY:
            verdict = summary_point(scan, body)
        else:
            verdict = number_point(scan, body)
        if verdict != OK:
            return verdict
    return stream_settle(scan, found)


# ---- envelopes ----------------------------------------------------------------------------------------

# ResourceMetrics and ScopeMetrics have the same shape: 1 identity, 2 content, repeated, 3 schema_url.
cdef struct Envelope:
    Span identity
    Span schema_url
    bint contents               # whether there is any content


cdef int read_envelope(Scan *scan, Span body, uint32_t kind, int depth, Envelope *out) noexcept nogil:
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint32_t tag
    cdef size_t length
    cdef Span piece
    cdef Pieces identity
    cdef int verdict
    memset(&identity, 0, sizeof(Pieces))
    identity.whole = out.schema_url = no_span()
    out.contents = False
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag & 7 != WT_BYTES:
            p = skip_value(p, end, tag, depth - 1)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            continue
        p = read_length(p, end, &length)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        piece.p = p
        piece.n = length
        p += length
        if tag >> 3 == 1:
            verdict = pieces_add_checked(scan, &identity, piece, kind, depth)
            if verdict != OK:
                return verdict
        elif tag >> 3 == 2:
            out.contents = True
        elif tag >> 3 == 3:
            if not valid_utf8(piece.p, length):
                return malformed(scan, WIRE_E_UTF8, piece.p)
            out.schema_url = piece
    out.identity = identity.whole
    if not out.contents:
        # Nobody will look at its identity later, so it is checked here.
        return check_piece(scan, kind, out.identity, depth)
    return OK


cdef int scan_scope(Scan *scan, uint32_t resource, Span body) noexcept nogil:
    cdef Envelope envelope
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint32_t tag, index
    cdef size_t length
    cdef Span metric
    cdef int verdict = read_envelope(scan, body, M_SCOPE, DEPTH_SCOPE, &envelope)
    if verdict != OK or not envelope.contents:
        return verdict
    if mem_grow(scan.account, <void **>&scan.scopes, &scan.scope_capacity, scan.scope_count + 1,
                sizeof(WireScope)) != 0:
        return NO_MEMORY
    index = <uint32_t>scan.scope_count
    scan.scope_count += 1
    scan.scopes[index].resource = resource
    scan.scopes[index].body = envelope.identity
    scan.scopes[index].schema_url = envelope.schema_url
    while p < end:
        p = read_tag(p, end, &tag)
        if tag != (2 << 3 | WT_BYTES):
            p = skip_value(p, end, tag, DEPTH_SCOPE - 1)
            continue
        p = read_length(p, end, &length)
        metric.p = p
        metric.n = length
        p += length
        verdict = scan_metric(scan, index, metric)
        if verdict != OK:
            return verdict
    return OK


cdef int scan_resource(Scan *scan, Span body) noexcept nogil:
    cdef Envelope envelope
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint32_t tag, index
    cdef size_t length
    cdef Span scope
    cdef int verdict = read_envelope(scan, body, M_RESOURCE, DEPTH_RESOURCE, &envelope)
    if verdict != OK or not envelope.contents:
        return verdict
    if mem_grow(scan.account, <void **>&scan.resources, &scan.resource_capacity, scan.resource_count + 1,
                sizeof(WireResource)) != 0:
        return NO_MEMORY
    index = <uint32_t>scan.resource_count
    scan.resource_count += 1
    scan.resources[index].body = envelope.identity
    scan.resources[index].schema_url = envelope.schema_url
    while p < end:
        p = read_tag(p, end, &tag)
        if tag != (2 << 3 | WT_BYTES):
            p = skip_value(p, end, tag, DEPTH_RESOURCE - 1)
            continue
        p = read_length(p, end, &length)
        scope.p = p
        scope.n = length
        p += length
        verdict = scan_scope(scan, index, scope)
        if verdict != OK:
            return verdict
    return OK


cdef int wire_scan(Scan *scan, const uint8_t *data, size_t length) noexcept nogil:
    cdef const uint8_t *p = data
    cdef const uint8_t *end = data + length
    cdef const uint8_t *at
    cdef uint32_t tag
    cdef size_t size
    cdef Span body
    cdef int verdict
    scan_begin(scan, data, length)
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag != (1 << 3 | WT_BYTES):
            p = skip_value(p, end, tag, 0)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            continue
        p = read_length(p, end, &size)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        body.p = p
        body.n = size
        p += size
        verdict = scan_resource(scan, body)
        if verdict != OK:
            return verdict
    return OK


cdef const char *wire_error_text(uint32_t error) noexcept nogil:
    if error == WIRE_E_UTF8:
        return b"a string is not UTF-8"
    if error == WIRE_E_DEPTH:
        return b"messages are nested more than 100 deep"
    return b"the bytes are not protobuf"
