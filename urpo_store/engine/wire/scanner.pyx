"""The OTLP scanner: requests, resources, scopes, metrics; the contract is in wire/scanner.pxd.

  scanner       from the request down to a metric's data message
  temporality   what a data message says of all its points, which may come after them
  numbers, histograms, exponential, summaries   the points of each kind
  staging       what points have in common: attributes, slots
  exemplars     the exemplars of a point
  attributes    attributes, when they are not known
  messages      whether a message is well formed
  arena         the memory of a scan; messages that come in pieces
  protobuf      fields: tags, varints, lengths, strings
  tags          the numbers of OTLP's fields
"""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.points.slots cimport (
    KIND_EXPONENTIAL, KIND_GAUGE, KIND_HISTOGRAM, KIND_SUM, KIND_SUMMARY,
)
from urpo_store.engine.wire.arena cimport Pieces, no_span, pieces_add_checked, scan_begin
from urpo_store.engine.wire.exponential cimport exponential_point
from urpo_store.engine.wire.histograms cimport histogram_point
from urpo_store.engine.wire.messages cimport (
    DEPTH_DATA, DEPTH_METRIC, DEPTH_RESOURCE, DEPTH_SCOPE, M_EXPONENTIAL, M_HISTOGRAM, M_KEYVALUE,
    M_NUMBERS, M_RESOURCE, M_SCOPE, M_SUMMARY, check_message,
)
from urpo_store.engine.wire.numbers cimport number_point
from urpo_store.engine.wire.protobuf cimport (
    CHECKED, Cursor, Field, cursor_over, message_end, next_field, valid_utf8,
)
from urpo_store.engine.wire.summaries cimport summary_point
from urpo_store.engine.wire.tags cimport (
    DATA_POINT, ENVELOPE_CONTENT, ENVELOPE_IDENTITY, ENVELOPE_SCHEMA_URL, METRIC_DESCRIPTION,
    METRIC_EXPONENTIAL, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_METADATA, METRIC_NAME, METRIC_SUM,
    METRIC_SUMMARY, METRIC_UNIT, REQUEST_RESOURCE_METRICS,
)
from urpo_store.engine.wire.temporality cimport (
    Stream, read_stream_field, stream_begin, stream_settle,
)
from urpo_store.engine.wire.types cimport (
    WIRE_E_DEPTH, WIRE_E_NONE, WIRE_E_UTF8, Scan, Span, WireMetric, WireResource, WireScope,
    malformed,
)


cdef extern from *:
    void __builtin_prefetch(const void *address) noexcept nogil

cdef enum:
    AHEAD = 1024                # bytes


cdef int check_piece(Scan *scan, uint32_t kind, Span piece, int depth) noexcept nogil:
    cdef uint32_t error = check_message(kind, piece, depth)
    return OK if error == WIRE_E_NONE else malformed(scan, error, piece.p)


cdef int read_string(Scan *scan, Span piece, Span *out) noexcept nogil:
    if not valid_utf8(piece.p, piece.n):
        return malformed(scan, WIRE_E_UTF8, piece.p)
    out[0] = piece
    return OK


# ---- metrics -------------------------------------------------------------------------------------

cdef inline void fetch_ahead(const uint8_t *p, size_t length) noexcept nogil:
    """Fetches bytes some points ahead, as many as a point took: requests are larger than caches."""
    cdef size_t at
    for at in range(AHEAD, AHEAD + length, 64):
        __builtin_prefetch(p + at)


cdef int scan_data(Scan *scan, uint32_t index, Span data) noexcept nogil:
    """A Gauge, Sum, Histogram, ExponentialHistogram or Summary."""
    cdef uint32_t kind = scan.metrics[index].kind
    cdef Cursor cursor = cursor_over(data, DEPTH_DATA)
    cdef Field field
    cdef Stream found
    cdef int verdict
    stream_begin(scan, index, data)
    found.temporality = found.monotonic = 0
    while next_field(&cursor, &field):
        if field.tag != DATA_POINT:
            read_stream_field(&field, kind, &found)
            continue
        fetch_ahead(cursor.at, field.body.n)
        if kind == KIND_HISTOGRAM:
            verdict = histogram_point(scan, field.body)
        elif kind == KIND_EXPONENTIAL:
            verdict = exponential_point(scan, field.body)
        elif kind == KIND_SUMMARY:
            verdict = summary_point(scan, field.body)
        else:
            verdict = number_point(scan, field.body)
        if verdict != OK:
            return verdict
    if message_end(scan, &cursor) != OK:
        return BAD_BYTES
    return stream_settle(scan, found)


# The data message of a metric, a oneof: the last member that is sent.
cdef struct Data:
    uint32_t kind               # KIND_*; 0: none
    Pieces pieces


cdef uint32_t data_kind(uint32_t tag) noexcept nogil:
    """KIND_* of a member of Metric.data; 0: the field is none."""
    if tag == METRIC_GAUGE:
        return KIND_GAUGE
    if tag == METRIC_SUM:
        return KIND_SUM
    if tag == METRIC_HISTOGRAM:
        return KIND_HISTOGRAM
    if tag == METRIC_EXPONENTIAL:
        return KIND_EXPONENTIAL
    if tag == METRIC_SUMMARY:
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


cdef int add_data(Scan *scan, Data *data, uint32_t kind, Span piece) noexcept nogil:
    cdef int verdict
    if data.kind != kind and data.kind != 0:
        # Another member takes the place of what came before, which only has to be well formed.
        verdict = check_piece(scan, data_message(data.kind), data.pieces.whole, DEPTH_DATA)
        if verdict != OK:
            return verdict
        memset(data, 0, sizeof(Data))
    data.kind = kind
    return pieces_add_checked(scan, &data.pieces, piece, data_message(kind), DEPTH_DATA)


cdef int scan_metric(Scan *scan, uint32_t scope, Span body) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, DEPTH_METRIC)
    cdef Field field
    cdef WireMetric *metric
    cdef WireMetric found
    cdef Data data
    cdef uint32_t kind
    cdef int verdict
    memset(&data, 0, sizeof(Data))
    memset(&found, 0, sizeof(WireMetric))
    found.scope = scope
    found.name = found.description = found.unit = no_span()
    while next_field(&cursor, &field):
        verdict = OK
        if field.tag == METRIC_NAME:
            verdict = read_string(scan, field.body, &found.name)
        elif field.tag == METRIC_DESCRIPTION:
            verdict = read_string(scan, field.body, &found.description)
        elif field.tag == METRIC_UNIT:
            verdict = read_string(scan, field.body, &found.unit)
        elif field.tag == METRIC_METADATA:
            verdict = check_piece(scan, M_KEYVALUE, field.body, DEPTH_METRIC + 1)
        else:
            kind = data_kind(field.tag)
            if kind != 0:
                verdict = add_data(scan, &data, kind, field.body)
        if verdict != OK:
            return verdict
    if message_end(scan, &cursor) != OK:
        return BAD_BYTES
    if data.kind == 0:
        return OK
    if mem_grow(scan.account, <void **>&scan.metrics, &scan.metric_capacity, scan.metric_count + 1,
                sizeof(WireMetric)) != OK:
        return NO_MEMORY
    metric = &scan.metrics[scan.metric_count]
    metric[0] = found
    metric.kind = data.kind
    scan.metric_count += 1
    return scan_data(scan, <uint32_t>(scan.metric_count - 1), data.pieces.whole)


# ---- envelopes -----------------------------------------------------------------------------------

# ResourceMetrics and ScopeMetrics have the same shape.
cdef struct Envelope:
    Span identity               # Resource, InstrumentationScope: merged
    Span schema_url
    bint has_content            # ScopeMetrics, Metric


cdef int read_envelope(
    Scan *scan, Span body, uint32_t kind, int depth, Envelope *out
) noexcept nogil:
    """Indexes an envelope whose identity is a message of type `kind` at `depth`."""
    cdef Cursor cursor = cursor_over(body, depth - 1)
    cdef Field field
    cdef Pieces identity
    cdef int verdict
    memset(&identity, 0, sizeof(Pieces))
    identity.whole = out.schema_url = no_span()
    out.has_content = False
    while next_field(&cursor, &field):
        if field.tag == ENVELOPE_IDENTITY:
            verdict = pieces_add_checked(scan, &identity, field.body, kind, depth)
            if verdict != OK:
                return verdict
        elif field.tag == ENVELOPE_CONTENT:
            out.has_content = True
        elif field.tag == ENVELOPE_SCHEMA_URL:
            verdict = read_string(scan, field.body, &out.schema_url)
            if verdict != OK:
                return verdict
    if message_end(scan, &cursor) != OK:
        return BAD_BYTES
    out.identity = identity.whole
    # Without content its identity is never looked at, and so never checked, later.
    return OK if out.has_content else check_piece(scan, kind, out.identity, depth)


cdef int scan_scope(Scan *scan, uint32_t resource, Span body) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    cdef Envelope envelope
    cdef uint32_t index = <uint32_t>scan.scope_count
    cdef int verdict = read_envelope(scan, body, M_SCOPE, DEPTH_SCOPE, &envelope)
    if verdict != OK or not envelope.has_content:
        return verdict
    if mem_grow(scan.account, <void **>&scan.scopes, &scan.scope_capacity, scan.scope_count + 1,
                sizeof(WireScope)) != OK:
        return NO_MEMORY
    scan.scope_count += 1
    scan.scopes[index].resource = resource
    scan.scopes[index].body = envelope.identity
    scan.scopes[index].schema_url = envelope.schema_url
    while next_field(&cursor, &field):
        if field.tag == ENVELOPE_CONTENT:
            verdict = scan_metric(scan, index, field.body)
            if verdict != OK:
                return verdict
    return OK


cdef int scan_resource(Scan *scan, Span body) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    cdef Envelope envelope
    cdef uint32_t index = <uint32_t>scan.resource_count
    cdef int verdict = read_envelope(scan, body, M_RESOURCE, DEPTH_RESOURCE, &envelope)
    if verdict != OK or not envelope.has_content:
        return verdict
    if mem_grow(scan.account, <void **>&scan.resources, &scan.resource_capacity,
                scan.resource_count + 1, sizeof(WireResource)) != OK:
        return NO_MEMORY
    scan.resource_count += 1
    scan.resources[index].body = envelope.identity
    while next_field(&cursor, &field):
        if field.tag == ENVELOPE_CONTENT:
            verdict = scan_scope(scan, index, field.body)
            if verdict != OK:
                return verdict
    return OK


cdef int wire_scan(Scan *scan, const uint8_t *data, size_t length) noexcept nogil:
    cdef Span body
    cdef Cursor cursor
    cdef Field field
    cdef int verdict
    scan_begin(scan, data, length)
    body.p = data
    body.n = length
    cursor = cursor_over(body, 0)
    while next_field(&cursor, &field):
        if field.tag == REQUEST_RESOURCE_METRICS:
            verdict = scan_resource(scan, field.body)
            if verdict != OK:
                return verdict
    return message_end(scan, &cursor)


cdef const char *wire_error_text(uint32_t error) noexcept nogil:
    if error == WIRE_E_UTF8:
        return b"a string is not UTF-8"
    if error == WIRE_E_DEPTH:
        return b"messages are nested more than 100 deep"
    return b"the bytes are not protobuf"
