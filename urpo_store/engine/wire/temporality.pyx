"""What a metric says of all its points; the contract is in wire/temporality.pxd."""
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.points.slots cimport KIND_SUM
from urpo_store.engine.wire.messages cimport DEPTH_DATA
from urpo_store.engine.wire.protobuf cimport Cursor, Field, cursor_over, message_end, next_field
from urpo_store.engine.wire.tags cimport DATA_MONOTONIC, DATA_TEMPORALITY
from urpo_store.engine.wire.types cimport (
    REJECT_NONE, REJECT_NO_NAME, REJECT_TEMPORALITY, REJECT_TIME_RANGE, REJECT_TIME_ZERO, Scan,
    Span, WireMetric, WirePoint, reject,
)


cdef Stream guess_stream(Span data, uint32_t kind) noexcept nogil:
    """What the message probably says, in fields of two bytes before or after the points."""
    cdef Stream found
    cdef const uint8_t *p = data.p
    cdef const uint8_t *end = p + data.n
    found.temporality = found.monotonic = 0
    if kind == KIND_SUM and data.n >= 4:
        if p[0] == DATA_MONOTONIC:
            found.monotonic = p[1] != 0
            p += 2
        elif end[-2] == DATA_MONOTONIC:
            found.monotonic = end[-1] != 0
            end -= 2
    if end - p >= 2:
        if p[0] == DATA_TEMPORALITY:
            found.temporality = p[1]
        elif end[-2] == DATA_TEMPORALITY:
            found.temporality = end[-1]
    return found


cdef void stream_begin(Scan *scan, uint32_t index, Span data) noexcept nogil:
    cdef WireMetric *metric = &scan.metrics[index]
    cdef Stream guessed
    # Gauges and summaries have neither.
    metric.settled = not has_temporality(metric.kind)
    metric.temporality = metric.monotonic = 0
    if not metric.settled:
        guessed = guess_stream(data, metric.kind)
        metric.temporality = guessed.temporality
        metric.monotonic = guessed.monotonic
    scan.current = index
    scan.current_data = data
    scan.current_first = scan.point_count


cdef int enter_again(Scan *scan, Stream found) noexcept nogil:
    """Enters the current metric once more, with what is right. The guessed one keeps no points."""
    cdef WireMetric *metric
    cdef WirePoint *point
    cdef size_t i
    if mem_grow(scan.account, <void **>&scan.metrics, &scan.metric_capacity, scan.metric_count + 1,
                sizeof(WireMetric)) != OK:
        return NO_MEMORY
    metric = &scan.metrics[scan.metric_count]
    metric[0] = scan.metrics[scan.current]
    metric.temporality = found.temporality
    metric.monotonic = found.monotonic
    scan.current = <uint32_t>scan.metric_count
    scan.metric_count += 1
    for i in range(scan.current_first, scan.point_count):
        point = &scan.points[i]
        point.metric = scan.current
        if point.series:
            scan.unresolved += 1
            point.series = 0
        if point.reason == REJECT_NONE and not scan.dry:
            scan.slots[point.slot].series = 0
    return OK


cdef void refuse_points(Scan *scan) noexcept nogil:
    """Refuses the points of a metric that turned out to have no temporality."""
    cdef WirePoint *point
    cdef size_t i
    for i in range(scan.current_first, scan.point_count):
        point = &scan.points[i]
        reject(scan, point, REJECT_TEMPORALITY)
        # What is wrong with a time or a name counts first, as in staging.
        if point.reason not in (REJECT_TIME_ZERO, REJECT_TIME_RANGE, REJECT_NO_NAME):
            point.reason = REJECT_TEMPORALITY


cdef int stream_settle(Scan *scan, Stream found) noexcept nogil:
    cdef WireMetric *metric = &scan.metrics[scan.current]
    cdef int verdict
    if metric.settled:
        return OK
    if metric.temporality != found.temporality or metric.monotonic != found.monotonic:
        verdict = enter_again(scan, found)
        if verdict != OK:
            return verdict
        metric = &scan.metrics[scan.current]
    metric.settled = True
    if lacks_temporality(metric):
        refuse_points(scan)
    return OK


cdef int stream_settle_early(Scan *scan) noexcept nogil:
    cdef uint32_t kind = scan.metrics[scan.current].kind
    cdef Cursor cursor = cursor_over(scan.current_data, DEPTH_DATA)
    cdef Field field
    cdef Stream found
    if scan.metrics[scan.current].settled:
        return OK
    found.temporality = found.monotonic = 0
    while next_field(&cursor, &field):
        read_stream_field(&field, kind, &found)
    if message_end(scan, &cursor) != OK:
        return BAD_BYTES
    return stream_settle(scan, found)
