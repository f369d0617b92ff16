"""Points of summaries; the contract is in wire/summaries.pxd."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.points.slots cimport FLAG_STALE, FLAG_SUM, ROW_SUMMARY
from urpo_store.engine.wire.arena cimport ArenaMark, WordList, arena_mark, words_add
from urpo_store.engine.wire.messages cimport DEPTH_POINT
from urpo_store.engine.wire.protobuf cimport Cursor, Field, cursor_over, message_end, next_field
from urpo_store.engine.wire.staging cimport (
    PointFields, fields_begin, release_arena, stage, take_attribute,
)
from urpo_store.engine.wire.tags cimport (
    QUANTILE_QUANTILE, QUANTILE_VALUE, SUMMARY_ATTRIBUTE, SUMMARY_COUNT, SUMMARY_FLAGS,
    SUMMARY_QUANTILE, SUMMARY_START, SUMMARY_SUM, SUMMARY_TIME,
)
from urpo_store.engine.wire.types cimport Scan, Span


cdef int add_quantile(Scan *scan, WordList *pairs, Span body) noexcept nogil:
    """Adds a quantile and its value."""
    cdef Cursor cursor = cursor_over(body, DEPTH_POINT + 1)
    cdef Field field
    cdef uint64_t quantile = 0, value = 0
    while next_field(&cursor, &field):
        if field.tag == QUANTILE_QUANTILE:
            quantile = field.value
        elif field.tag == QUANTILE_VALUE:
            value = field.value
    if message_end(scan, &cursor) != OK:
        return BAD_BYTES
    if words_add(scan, pairs, quantile) != OK or words_add(scan, pairs, value) != OK:
        return NO_MEMORY
    return OK


cdef int stage_summary(Scan *scan, PointFields *fields, WordList *pairs) noexcept nogil:
    cdef size_t i, n
    cdef int verdict
    # A summary's sum has no presence: it is always there.
    fields.has = FLAG_SUM
    if fields.flags & FLAG_STALE:
        pairs.n = 0
        fields.sum = 0
    n = pairs.n // 2
    fields.layout = n
    fields.row = ROW_SUMMARY + n
    verdict = stage(scan, fields)
    if fields.words != NULL:
        # The payload: points/slots.pxd.
        fields.words[n] = fields.sum
        for i in range(n):
            fields.words[i] = pairs.words[2 * i]
            fields.words[n + ROW_SUMMARY + i] = pairs.words[2 * i + 1]
    return verdict


cdef int summary_point(Scan *scan, Span body) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, DEPTH_POINT)
    cdef Field field
    cdef PointFields fields
    cdef WordList pairs
    cdef ArenaMark mark = arena_mark(scan)
    cdef int verdict
    # OTLP's summaries have no exemplars.
    fields_begin(&fields, body, SUMMARY_ATTRIBUTE, 0)
    memset(&pairs, 0, sizeof(WordList))
    while next_field(&cursor, &field):
        if field.tag == SUMMARY_ATTRIBUTE:
            take_attribute(scan, &fields, &field, &cursor)
        elif field.tag == SUMMARY_TIME:
            fields.time = field.value
        elif field.tag == SUMMARY_START:
            fields.start = field.value
        elif field.tag == SUMMARY_COUNT:
            fields.value = field.value
        elif field.tag == SUMMARY_SUM:
            fields.sum = field.value
        elif field.tag == SUMMARY_FLAGS:
            fields.flags = <uint32_t>field.value
        elif field.tag == SUMMARY_QUANTILE:
            verdict = add_quantile(scan, &pairs, field.body)
            if verdict != OK:
                return verdict
    if message_end(scan, &cursor) != OK:
        return BAD_BYTES
    verdict = stage_summary(scan, &fields, &pairs)
    release_arena(scan, &fields, mark)
    return verdict
