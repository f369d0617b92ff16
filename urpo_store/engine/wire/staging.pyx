"""What data points have in common, and numbers; the contract is in wire/staging.pxd."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport (
    FLAGS_OTLP, FLAG_INT, FLAG_STALE, SERIES_START, Point, ext_slots, payload_header,
)
from urpo_store.engine.wire.arena cimport MAX_WORDS, arena_take, malformed, no_span
from urpo_store.engine.wire.messages cimport DEPTH_POINT, M_EXEMPLAR, check_message
from urpo_store.engine.wire.protobuf cimport (
    WT_BYTES, WT_FIXED64, WT_VARINT, read_fixed64, read_length, read_tag, read_varint, skip_value,
)
from urpo_store.engine.wire.temporality cimport lacks_temporality, stream_settle_early
from urpo_store.engine.wire.types cimport (
    REJECT_NONE, REJECT_NO_NAME, REJECT_NO_VALUE, REJECT_TEMPORALITY, REJECT_TIME_RANGE,
    REJECT_TIME_ZERO, REJECT_TOO_LARGE, WIRE_E_BYTES, WIRE_E_NONE, Scan, Span, WireMetric,
    WirePoint,
)


cdef int gather_attributes(Scan *scan, Fields *fields, Span body) noexcept nogil:
    """Copies attributes that are not one run together, in order."""
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint8_t *room = arena_take(scan, body.n)
    cdef uint32_t tag
    if room == NULL:
        return NO_MEMORY
    fields.attributes.p = room
    fields.attributes.n = 0
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        p = skip_value(p, end, tag, DEPTH_POINT)
        if tag == (fields.attribute_field << 3 | WT_BYTES):
            memcpy(room + fields.attributes.n, at, p - at)
            fields.attributes.n += p - at
    return OK


cdef bint good_exemplar(const uint8_t *p, const uint8_t *end) noexcept nogil:
    """Whether a well-formed exemplar has a value, ids of the right length and a time in range."""
    cdef uint64_t time = 0
    cdef uint32_t tag
    cdef bint value = False
    cdef size_t span_id = 0, trace_id = 0
    while p < end:
        p = read_tag(p, end, &tag)
        if tag == (2 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &time)
        elif tag == (4 << 3 | WT_BYTES):
            p = read_length(p, end, &span_id)
            p += span_id
        elif tag == (5 << 3 | WT_BYTES):
            p = read_length(p, end, &trace_id)
            p += trace_id
        else:
            if tag == (3 << 3 | WT_FIXED64) or tag == (6 << 3 | WT_FIXED64):
                value = True
            p = skip_value(p, end, tag, DEPTH_POINT + 1)
    return (value and time <= <uint64_t>INT64_MAX and (span_id == 0 or span_id == 8)
            and (trace_id == 0 or trace_id == 16))


cdef int exemplar_size(Scan *scan, Fields *fields, Span body, size_t *size, uint32_t *bad) noexcept nogil:
    """Checks the point's exemplars; bytes that the good ones take in a payload."""
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint32_t tag, error
    cdef size_t length
    size[0] = 0
    bad[0] = 0
    while p < end:
        p = read_tag(p, end, &tag)
        if tag != (fields.exemplar_field << 3 | WT_BYTES):
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        p = read_length(p, end, &length)
        error = check_message(M_EXEMPLAR, p, p + length, DEPTH_POINT + 1)
        if error != WIRE_E_NONE:
            return malformed(scan, error, p)
        if good_exemplar(p, p + length):
            size[0] += 4 + length
        else:
            bad[0] += 1
        p += length
    return OK


cdef void write_exemplars(Fields *fields, Span body, uint8_t *out) noexcept nogil:
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint32_t tag, length32
    cdef size_t length
    while p < end:
        p = read_tag(p, end, &tag)
        if tag != (fields.exemplar_field << 3 | WT_BYTES):
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        p = read_length(p, end, &length)
        if good_exemplar(p, p + length):
            length32 = <uint32_t>length
            memcpy(out, &length32, 4)
            memcpy(out + 4, p, length)
            out += 4 + length
        p += length


cdef int stage(Scan *scan, Fields *fields, Span body, uint32_t reason, size_t layout,
               size_t row, uint64_t **words) noexcept nogil:
    cdef WireMetric *metric
    cdef WirePoint *point
    cdef Point *slot
    cdef size_t exemplars = 0, payload = 0, needed
    cdef uint32_t bad = 0
    cdef int verdict
    words[0] = NULL
    if fields.scattered:
        verdict = gather_attributes(scan, fields, body)
        if verdict != OK:
            return verdict
    if fields.exemplars:
        verdict = exemplar_size(scan, fields, body, &exemplars, &bad)
        if verdict != OK:
            return verdict
    if exemplars and 1 + layout + row + (exemplars + 7) // 8 > scan.max_payload:
        # More of them than a point can carry: the point is worth more than they are.
        bad = <uint32_t>fields.exemplars
        exemplars = 0
    if layout or row or exemplars:
        payload = 1 + layout + row + (exemplars + 7) // 8
    needed = 2 + ext_slots(<uint32_t>payload)
    if scan.on_batch != NULL and scan.point_count and (
            scan.point_count == scan.batch or scan.slot_count + needed > 8 * scan.batch):
        verdict = stream_settle_early(scan)
        if verdict != OK:
            return verdict
        verdict = scan.on_batch(scan.context, scan)
        if verdict != OK:
            return verdict
        scan.most_slots = max(scan.most_slots, scan.slot_count)
        scan.point_count = 0
        scan.slot_count = 0
        scan.unresolved = 0
        scan.has_start = False
    scan.total_points += 1
    if scan.point_count == scan.point_capacity and mem_grow(
            scan.account, <void **>&scan.points, &scan.point_capacity, scan.point_count + 1,
            sizeof(WirePoint)) != 0:
        return NO_MEMORY
    point = &scan.points[scan.point_count]
    scan.point_count += 1
    point.metric = scan.current
    point.attributes = fields.attributes
    point.bad_exemplars = bad
    point.series = 0
    point.slot = 0
    metric = &scan.metrics[scan.current]
    if fields.time == 0:
        reason = REJECT_TIME_ZERO
    elif fields.time > <uint64_t>INT64_MAX or fields.start > <uint64_t>INT64_MAX:
        reason = REJECT_TIME_RANGE
    elif metric.name.n == 0:
        reason = REJECT_NO_NAME
    elif metric.settled and lacks_temporality(metric):
        reason = REJECT_TEMPORALITY
    if payload:
        if payload > scan.max_payload or layout > MAX_WORDS or row > MAX_WORDS:
            reason = REJECT_TOO_LARGE if reason == REJECT_NONE else reason
    point.reason = reason
    if reason != REJECT_NONE or scan.dry:
        return tell(scan, point, fields)
    if scan.slot_count + needed > scan.slot_capacity and mem_grow(
            scan.account, <void **>&scan.slots, &scan.slot_capacity, scan.slot_count + needed,
            sizeof(Point)) != 0:
        scan.point_count -= 1
        return NO_MEMORY
    if not scan.has_start or fields.start != scan.start:
        slot = &scan.slots[scan.slot_count]
        memset(slot, 0, sizeof(Point))
        slot.timestamp = <int64_t>fields.start
        slot.series = SERIES_START
        scan.start = fields.start
        scan.start_slot = scan.slot_count
        scan.has_start = True
        scan.slot_count += 1
    slot = &scan.slots[scan.slot_count]
    slot.timestamp = <int64_t>fields.time
    slot.value = 0 if fields.flags & FLAG_STALE else fields.value
    slot.series = 0
    slot.payload = <uint32_t>payload
    slot.start = <uint32_t>(scan.slot_count - scan.start_slot)
    slot.flags = (fields.flags & FLAGS_OTLP) | (0 if fields.flags & FLAG_STALE else fields.has)
    point.slot = <uint32_t>scan.slot_count
    scan.slot_count += 1 + ext_slots(<uint32_t>payload)
    if payload:
        # The last slot may be filled in part.
        memset(&scan.slots[scan.slot_count - 1], 0, sizeof(Point))
        words[0] = <uint64_t *>(slot + 1)
        words[0][0] = payload_header(<uint32_t>layout, <uint32_t>row, <uint32_t>exemplars)
        if exemplars:
            words[0][payload - 1] = 0
            write_exemplars(fields, body, <uint8_t *>(words[0] + 1 + layout + row))
        words[0] += 1
    return tell(scan, point, fields)


cdef inline int tell(Scan *scan, WirePoint *point, const Fields *fields) noexcept nogil:
    """Lets on_point look for the series of a point that has just been staged."""
    cdef bint expected = scan.expected.p != NULL and fields.attributes.n == scan.expected.n
    cdef int verdict
    if scan.on_point == NULL:
        return OK
    # Where there are none, none may be what is expected.
    verdict = scan.on_point(scan.context, scan, point, expected and (fields.expected or fields.attributes.n == 0))
    scan.unresolved += point.series == 0
    return verdict


cdef int number_point(Scan *scan, Span body) noexcept nogil:
    cdef Fields fields
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint64_t value
    cdef uint64_t *words
    cdef uint32_t tag, reason = REJECT_NONE
    cdef size_t length
    memset(&fields, 0, sizeof(Fields))
    fields.attributes = no_span()
    fields.attribute_field = 7
    fields.exemplar_field = 5
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag == (7 << 3 | WT_BYTES):
            if add_expected(scan, &fields, at, end):
                p = at + fields.attributes.n
                continue
            p = read_length(p, end, &length)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            p += length
            add_attribute(&fields, at, p)
            continue
        if tag == (3 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.time)
        elif tag == (2 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.start)
        elif tag == (4 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.value)
            fields.has_value = True
            fields.has = 0
        elif tag == (6 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.value)
            fields.has_value = True
            fields.has = FLAG_INT
        elif tag == (8 << 3 | WT_VARINT):
            p = read_varint(p, end, &value)
            fields.flags = <uint32_t>value
        else:
            fields.exemplars += tag == (5 << 3 | WT_BYTES)
            p = skip_value(p, end, tag, DEPTH_POINT)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
    if not fields.has_value and not fields.flags & FLAG_STALE:
        reason = REJECT_NO_VALUE
    return stage(scan, &fields, body, reason, 0, 0, &words)
