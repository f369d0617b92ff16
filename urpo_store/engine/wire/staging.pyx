"""Staging a point; the contract is in wire/staging.pxd."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport (
    FLAGS_OTLP, FLAG_STALE, SERIES_START, Point, ext_slots, payload_header,
)
from urpo_store.engine.wire.arena cimport MAX_WORDS, arena_take
from urpo_store.engine.wire.exemplars cimport exemplars_measure, exemplars_write
from urpo_store.engine.wire.protobuf cimport CHECKED, Cursor, Field, cursor_over, next_field
from urpo_store.engine.wire.temporality cimport lacks_temporality, stream_settle_early
from urpo_store.engine.wire.types cimport (
    REJECT_NONE, REJECT_NO_NAME, REJECT_TEMPORALITY, REJECT_TIME_RANGE, REJECT_TIME_ZERO,
    REJECT_TOO_LARGE, Scan, WireMetric, WirePoint,
)


# ---- what a point takes --------------------------------------------------------------------------

cdef int gather_attributes(Scan *scan, PointFields *fields) noexcept nogil:
    """Puts attributes that are not one run together, in order."""
    cdef Cursor cursor = cursor_over(fields.body, CHECKED)
    cdef Field field
    cdef size_t size
    cdef uint8_t *room = arena_take(scan, fields.body.n)
    if room == NULL:
        return NO_MEMORY
    fields.attributes.p = room
    fields.attributes.n = 0
    while next_field(&cursor, &field):
        if field.tag == fields.attribute_tag:
            size = cursor.at - field.begin
            memcpy(room + fields.attributes.n, field.begin, size)
            fields.attributes.n += size
    return OK


# A point's payload: words of layout and row, then exemplars.
cdef struct Payload:
    size_t words                # of all of it, header included; 0: the point has none
    size_t exemplars            # bytes
    uint32_t bad_exemplars      # dropped


cdef int measure_payload(Scan *scan, const PointFields *fields, Payload *payload) noexcept nogil:
    cdef size_t words = fields.layout + fields.row
    cdef int verdict
    memset(payload, 0, sizeof(Payload))
    if fields.exemplars:
        verdict = exemplars_measure(
            scan, fields.body, fields.exemplar_tag, &payload.exemplars, &payload.bad_exemplars
        )
        if verdict != OK:
            return verdict
        if payload.exemplars and 1 + words + (payload.exemplars + 7) // 8 > scan.max_payload:
            # More of them than a point can carry: the point is worth more than they are.
            payload.bad_exemplars = fields.exemplars
            payload.exemplars = 0
    if words or payload.exemplars:
        payload.words = 1 + words + (payload.exemplars + 7) // 8
    return OK


# ---- points and slots ----------------------------------------------------------------------------

cdef int hand_over(Scan *scan) noexcept nogil:
    """Gives the batch to on_batch, and begins the next one."""
    cdef int verdict = stream_settle_early(scan)
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
    return OK


cdef inline uint32_t reason_of(
    const Scan *scan, const PointFields *fields, const Payload *payload
) noexcept nogil:
    """Why the point is refused: the first reason of this list. REJECT_NONE: it is not."""
    cdef const WireMetric *metric = &scan.metrics[scan.current]
    if fields.time == 0:
        return REJECT_TIME_ZERO
    if fields.time > <uint64_t>INT64_MAX or fields.start > <uint64_t>INT64_MAX:
        return REJECT_TIME_RANGE
    if metric.name.n == 0:
        return REJECT_NO_NAME
    if metric.settled and lacks_temporality(metric):
        return REJECT_TEMPORALITY
    if fields.reason != REJECT_NONE:
        return fields.reason
    if payload.words and (payload.words > scan.max_payload or fields.layout > MAX_WORDS
                          or fields.row > MAX_WORDS):
        return REJECT_TOO_LARGE
    return REJECT_NONE


cdef inline void put_start(Scan *scan, uint64_t start) noexcept nogil:
    """A START slot, for the points that come next."""
    cdef Point *slot = &scan.slots[scan.slot_count]
    memset(slot, 0, sizeof(Point))
    slot.timestamp = <int64_t>start
    slot.series = SERIES_START
    scan.start = start
    scan.start_slot = scan.slot_count
    scan.has_start = True
    scan.slot_count += 1


cdef inline void put_slots(
    Scan *scan, WirePoint *point, PointFields *fields, const Payload *payload
) noexcept nogil:
    """Fills the slots of a good point. REQUIRES: there is room for them and a START slot."""
    cdef bint stale = fields.flags & FLAG_STALE
    cdef uint32_t size = <uint32_t>payload.words
    cdef uint64_t *words
    cdef Point *slot
    if not scan.has_start or fields.start != scan.start:
        put_start(scan, fields.start)
    slot = &scan.slots[scan.slot_count]
    slot.timestamp = <int64_t>fields.time
    slot.value = 0 if stale else fields.value
    slot.series = 0
    slot.payload = size
    slot.start = <uint32_t>(scan.slot_count - scan.start_slot)
    slot.flags = (fields.flags & FLAGS_OTLP) | (0 if stale else fields.has)
    point.slot = <uint32_t>scan.slot_count
    scan.slot_count += 1 + ext_slots(size)
    if size == 0:
        return
    # The payload may end within the last slot.
    memset(&scan.slots[scan.slot_count - 1], 0, sizeof(Point))
    words = <uint64_t *>(slot + 1)
    words[0] = payload_header(
        <uint32_t>fields.layout, <uint32_t>fields.row, <uint32_t>payload.exemplars
    )
    fields.words = words + 1
    if payload.exemplars:
        words[size - 1] = 0
        exemplars_write(
            fields.body, fields.exemplar_tag,
            <uint8_t *>(fields.words + fields.layout + fields.row),
        )


cdef inline int tell(Scan *scan, WirePoint *point, const PointFields *fields) noexcept nogil:
    """Lets on_point look for the series of a point that has just been staged."""
    cdef bint expected = scan.expected.p != NULL and fields.attributes.n == scan.expected.n
    cdef int verdict
    if scan.on_point == NULL:
        return OK
    # A point without attributes matches an empty expectation.
    expected = expected and (fields.expected or fields.attributes.n == 0)
    verdict = scan.on_point(scan.context, scan, point, expected)
    scan.unresolved += point.series == 0
    return verdict


cdef int stage(Scan *scan, PointFields *fields) noexcept nogil:
    cdef WirePoint *point
    cdef Payload payload
    cdef size_t needed
    cdef int verdict
    if fields.scattered:
        verdict = gather_attributes(scan, fields)
        if verdict != OK:
            return verdict
    verdict = measure_payload(scan, fields, &payload)
    if verdict != OK:
        return verdict
    needed = 2 + ext_slots(<uint32_t>payload.words)
    if scan.on_batch != NULL and scan.point_count and (
            scan.point_count == scan.batch or scan.slot_count + needed > 8 * scan.batch):
        verdict = hand_over(scan)
        if verdict != OK:
            return verdict
    scan.total_points += 1
    if scan.point_count == scan.point_capacity and mem_grow(
            scan.account, <void **>&scan.points, &scan.point_capacity, scan.point_count + 1,
            sizeof(WirePoint)) != OK:
        return NO_MEMORY
    point = &scan.points[scan.point_count]
    point.metric = scan.current
    point.reason = reason_of(scan, fields, &payload)
    point.attributes = fields.attributes
    point.slot = point.series = 0
    point.bad_exemplars = payload.bad_exemplars
    if point.reason == REJECT_NONE and not scan.dry:
        if scan.slot_count + needed > scan.slot_capacity and mem_grow(
                scan.account, <void **>&scan.slots, &scan.slot_capacity, scan.slot_count + needed,
                sizeof(Point)) != OK:
            return NO_MEMORY
        put_slots(scan, point, fields, &payload)
    scan.point_count += 1
    return tell(scan, point, fields)
