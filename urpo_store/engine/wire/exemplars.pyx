"""The exemplars of a payload; the contract is in wire/exemplars.pxd."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.wire.messages cimport DEPTH_POINT, M_EXEMPLAR, check_message
from urpo_store.engine.wire.protobuf cimport CHECKED, Cursor, Field, cursor_over, next_field
from urpo_store.engine.wire.tags cimport (
    EXEMPLAR_DOUBLE, EXEMPLAR_INT, EXEMPLAR_SPAN_ID, EXEMPLAR_TIME, EXEMPLAR_TRACE_ID,
)
from urpo_store.engine.wire.types cimport WIRE_E_NONE, Scan, Span, malformed


cdef bint is_good_exemplar(Span body) noexcept nogil:
    """Whether a checked exemplar has a value, ids of the right length and a time in range."""
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    cdef uint64_t time = 0
    cdef bint value = False
    cdef size_t span_id = 0, trace_id = 0
    while next_field(&cursor, &field):
        if field.tag == EXEMPLAR_TIME:
            time = field.value
        elif field.tag == EXEMPLAR_SPAN_ID:
            span_id = field.body.n
        elif field.tag == EXEMPLAR_TRACE_ID:
            trace_id = field.body.n
        elif field.tag == EXEMPLAR_DOUBLE or field.tag == EXEMPLAR_INT:
            value = True
    return (value and time <= <uint64_t>INT64_MAX and (span_id == 0 or span_id == 8)
            and (trace_id == 0 or trace_id == 16))


cdef int exemplars_measure(
    Scan *scan, Span body, uint32_t tag, size_t *bytes, uint32_t *bad
) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    cdef uint32_t error
    while next_field(&cursor, &field):
        if field.tag != tag:
            continue
        error = check_message(M_EXEMPLAR, field.body, DEPTH_POINT + 1)
        if error != WIRE_E_NONE:
            return malformed(scan, error, field.body.p)
        if is_good_exemplar(field.body):
            bytes[0] += 4 + field.body.n
        else:
            bad[0] += 1
    return OK


cdef void exemplars_write(Span body, uint32_t tag, uint8_t *out) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    cdef uint32_t length
    while next_field(&cursor, &field):
        if field.tag == tag and is_good_exemplar(field.body):
            length = <uint32_t>field.body.n
            memcpy(out, &length, 4)
            memcpy(out + 4, field.body.p, field.body.n)
            out += 4 + field.body.n


cdef int64_t exemplar_time(Span message) noexcept nogil:
    """time_unix_nano of an Exemplar message; 0: it has none."""
    cdef Cursor cursor = cursor_over(message, CHECKED)
    cdef Field field
    cdef uint64_t time = 0
    while next_field(&cursor, &field):
        if field.tag == EXEMPLAR_TIME:
            time = field.value
    return <int64_t>time


cdef bint next_exemplar(
    const uint8_t **at, const uint8_t *end, Span *message, int64_t *time
) noexcept nogil:
    cdef uint32_t length
    if end - at[0] <= 4:
        return False
    memcpy(&length, at[0], 4)
    # After the last message there may be zeros up to a multiple of 8.
    if length == 0 or length > <uint64_t>(end - at[0]) - 4:
        return False
    message.p = at[0] + 4
    message.n = length
    at[0] = message.p + length
    time[0] = exemplar_time(message[0])
    return True
