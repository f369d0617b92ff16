"""Points of gauges and sums; the contract is in wire/numbers.pxd."""
from libc.stdint cimport uint32_t

from urpo_store.engine.memory.status cimport BAD_BYTES, OK
from urpo_store.engine.points.slots cimport FLAG_INT, FLAG_STALE
from urpo_store.engine.wire.messages cimport DEPTH_POINT
from urpo_store.engine.wire.protobuf cimport Cursor, Field, cursor_over, message_end, next_field
from urpo_store.engine.wire.staging cimport PointFields, fields_begin, stage, take_attribute
from urpo_store.engine.wire.tags cimport (
    NUMBER_ATTRIBUTE, NUMBER_DOUBLE, NUMBER_EXEMPLAR, NUMBER_FLAGS, NUMBER_INT, NUMBER_START,
    NUMBER_TIME,
)
from urpo_store.engine.wire.types cimport REJECT_NONE, REJECT_NO_VALUE, Scan, Span


cdef int number_point(Scan *scan, Span body) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, DEPTH_POINT)
    cdef Field field
    cdef PointFields fields
    fields_begin(&fields, body, NUMBER_ATTRIBUTE, NUMBER_EXEMPLAR)
    fields.reason = REJECT_NO_VALUE
    while next_field(&cursor, &field):
        if field.tag == NUMBER_ATTRIBUTE:
            # First and by itself, for most fields are attributes: the rest becomes a jump table.
            take_attribute(scan, &fields, &field, &cursor)
            continue
        if field.tag == NUMBER_TIME:
            fields.time = field.value
        elif field.tag == NUMBER_START:
            fields.start = field.value
        elif field.tag == NUMBER_DOUBLE:
            fields.value = field.value
            fields.has = 0
            fields.reason = REJECT_NONE
        elif field.tag == NUMBER_INT:
            fields.value = field.value
            fields.has = FLAG_INT
            fields.reason = REJECT_NONE
        elif field.tag == NUMBER_FLAGS:
            fields.flags = <uint32_t>field.value
        elif field.tag == NUMBER_EXEMPLAR:
            fields.exemplars += 1
    if message_end(scan, &cursor) != OK:
        return BAD_BYTES
    if fields.flags & FLAG_STALE:
        # A mark needs no value.
        fields.reason = REJECT_NONE
    return stage(scan, &fields)
