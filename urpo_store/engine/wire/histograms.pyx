"""Points of histograms with explicit bounds; the contract is in wire/histograms.pxd."""
from libc.math cimport isnan
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.points.slots cimport FLAG_MAX, FLAG_MIN, FLAG_STALE, FLAG_SUM, ROW_HISTOGRAM
from urpo_store.engine.wire.arena cimport ArenaMark, arena_mark, arena_take
from urpo_store.engine.wire.messages cimport DEPTH_POINT
from urpo_store.engine.wire.protobuf cimport (
    CHECKED, Cursor, Field, cursor_over, message_end, next_field,
)
from urpo_store.engine.wire.staging cimport (
    PointFields, fields_begin, release_arena, stage, take_attribute,
)
from urpo_store.engine.wire.tags cimport (
    HISTOGRAM_ATTRIBUTE, HISTOGRAM_BOUND, HISTOGRAM_BOUNDS, HISTOGRAM_BUCKET, HISTOGRAM_BUCKETS,
    HISTOGRAM_COUNT, HISTOGRAM_EXEMPLAR, HISTOGRAM_FLAGS, HISTOGRAM_MAX, HISTOGRAM_MIN,
    HISTOGRAM_START, HISTOGRAM_SUM, HISTOGRAM_TIME,
)
from urpo_store.engine.wire.types cimport (
    REJECT_BOUNDS, REJECT_BUCKET_COUNT, REJECT_BUCKET_SUM, REJECT_NONE, WIRE_E_BYTES, Scan, Span,
    malformed,
)

# A repeated fixed64 field: in place when it is one packed run, else gathered in the arena.
cdef struct Packed:
    const uint8_t *p
    size_t n                    # elements
    uint32_t pieces


cdef inline void add_packed(Packed *packed, const uint8_t *p, size_t bytes) noexcept nogil:
    packed.p = p
    packed.n += bytes // 8
    packed.pieces += 1


cdef int gather_packed(
    Scan *scan, Packed *packed, Span body, uint32_t packed_tag, uint32_t single_tag
) noexcept nogil:
    """Puts the elements of a field that came in several pieces together."""
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    cdef uint8_t *to
    if packed.pieces < 2:
        return OK
    to = arena_take(scan, packed.n * 8)
    if to == NULL:
        return NO_MEMORY
    packed.p = to
    while next_field(&cursor, &field):
        if field.tag == packed_tag:
            memcpy(to, field.body.p, field.body.n)
            to += field.body.n
        elif field.tag == single_tag:
            memcpy(to, &field.value, 8)
            to += 8
    return OK


cdef uint32_t check_buckets(
    const Packed *counts, const Packed *bounds, uint64_t count
) noexcept nogil:
    """REJECT_*: what is wrong with the buckets."""
    cdef uint32_t reason = REJECT_NONE
    cdef uint64_t value, total = 0
    cdef double bound, before = 0
    cdef size_t i
    for i in range(counts.n):
        memcpy(&value, counts.p + 8 * i, 8)
        total += value
    if counts.n and total != count:
        reason = REJECT_BUCKET_SUM
    for i in range(bounds.n):
        memcpy(&bound, bounds.p + 8 * i, 8)
        if isnan(bound) or (i and not bound > before):
            reason = REJECT_BOUNDS
        before = bound
    return reason


cdef void put_histogram(
    const PointFields *fields, const Packed *counts, const Packed *bounds
) noexcept nogil:
    """Fills the payload: points/slots.pxd."""
    cdef uint64_t *words = fields.words
    if bounds.n:
        memcpy(words, bounds.p, bounds.n * 8)
    words += bounds.n
    words[0] = fields.sum
    words[1] = fields.min
    words[2] = fields.max
    if counts.n:
        memcpy(words + ROW_HISTOGRAM, counts.p, counts.n * 8)


cdef int stage_histogram(
    Scan *scan, PointFields *fields, Packed *counts, Packed *bounds
) noexcept nogil:
    cdef bint stale = fields.flags & FLAG_STALE
    cdef int verdict
    if stale:
        # A mark: what it carries besides means nothing.
        counts.n = bounds.n = counts.pieces = bounds.pieces = 0
        fields.sum = fields.min = fields.max = 0
    verdict = gather_packed(scan, counts, fields.body, HISTOGRAM_BUCKETS, HISTOGRAM_BUCKET)
    if verdict == OK:
        verdict = gather_packed(scan, bounds, fields.body, HISTOGRAM_BOUNDS, HISTOGRAM_BOUND)
    if verdict != OK:
        return verdict
    if counts.n != bounds.n + 1 and not (counts.n == 0 and bounds.n == 0):
        fields.reason = REJECT_BUCKET_COUNT
    elif not stale:
        fields.reason = check_buckets(counts, bounds, fields.value)
    fields.layout = bounds.n
    fields.row = ROW_HISTOGRAM + counts.n
    verdict = stage(scan, fields)
    if fields.words != NULL:
        put_histogram(fields, counts, bounds)
    return verdict


cdef int histogram_point(Scan *scan, Span body) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, DEPTH_POINT)
    cdef Field field
    cdef PointFields fields
    cdef Packed counts, bounds
    cdef ArenaMark mark = arena_mark(scan)
    cdef int verdict
    fields_begin(&fields, body, HISTOGRAM_ATTRIBUTE, HISTOGRAM_EXEMPLAR)
    memset(&counts, 0, sizeof(Packed))
    memset(&bounds, 0, sizeof(Packed))
    while next_field(&cursor, &field):
        if field.tag == HISTOGRAM_ATTRIBUTE:
            take_attribute(scan, &fields, &field, &cursor)
        elif field.tag == HISTOGRAM_TIME:
            fields.time = field.value
        elif field.tag == HISTOGRAM_START:
            fields.start = field.value
        elif field.tag == HISTOGRAM_COUNT:
            fields.value = field.value
        elif field.tag == HISTOGRAM_SUM:
            fields.sum = field.value
            fields.has |= FLAG_SUM
        elif field.tag == HISTOGRAM_MIN:
            fields.min = field.value
            fields.has |= FLAG_MIN
        elif field.tag == HISTOGRAM_MAX:
            fields.max = field.value
            fields.has |= FLAG_MAX
        elif field.tag == HISTOGRAM_FLAGS:
            fields.flags = <uint32_t>field.value
        elif field.tag == HISTOGRAM_EXEMPLAR:
            fields.exemplars += 1
        elif field.tag == HISTOGRAM_BUCKETS or field.tag == HISTOGRAM_BOUNDS:
            if field.body.n % 8:
                return malformed(scan, WIRE_E_BYTES, field.begin)
            add_packed(&counts if field.tag == HISTOGRAM_BUCKETS else &bounds, field.body.p,
                       field.body.n)
        elif field.tag == HISTOGRAM_BUCKET or field.tag == HISTOGRAM_BOUND:
            add_packed(&counts if field.tag == HISTOGRAM_BUCKET else &bounds, cursor.at - 8, 8)
    if message_end(scan, &cursor) != OK:
        return BAD_BYTES
    verdict = stage_histogram(scan, &fields, &counts, &bounds)
    release_arena(scan, &fields, mark)
    return verdict
