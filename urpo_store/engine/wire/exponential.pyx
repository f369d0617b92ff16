"""Points of exponential histograms; the contract is in wire/exponential.pxd."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.points.slots cimport (
    FLAG_MAX, FLAG_MIN, FLAG_STALE, FLAG_SUM, ROW_EXPONENTIAL,
)
from urpo_store.engine.wire.arena cimport ArenaMark, WordList, arena_mark, words_add
from urpo_store.engine.wire.messages cimport DEPTH_POINT
from urpo_store.engine.wire.protobuf cimport (
    Cursor, Field, cursor_over, message_end, next_field, read_varint,
)
from urpo_store.engine.wire.staging cimport (
    PointFields, fields_begin, release_arena, stage, take_attribute,
)
from urpo_store.engine.wire.tags cimport (
    BUCKETS_COUNT, BUCKETS_COUNTS, BUCKETS_OFFSET, EXPONENTIAL_ATTRIBUTE, EXPONENTIAL_COUNT,
    EXPONENTIAL_EXEMPLAR, EXPONENTIAL_FLAGS, EXPONENTIAL_MAX, EXPONENTIAL_MIN,
    EXPONENTIAL_NEGATIVE, EXPONENTIAL_POSITIVE, EXPONENTIAL_SCALE, EXPONENTIAL_START,
    EXPONENTIAL_SUM, EXPONENTIAL_TIME, EXPONENTIAL_ZERO_COUNT, EXPONENTIAL_ZERO_THRESHOLD,
)
from urpo_store.engine.wire.types cimport (
    REJECT_BUCKET_RANGE, REJECT_BUCKET_SUM, WIRE_E_BYTES, Scan, Span, malformed,
)

cdef enum:
    # Scales that are taken. SDKs do not go beyond 20; below -11 one bucket would hold every
    # positive float64.
    SCALE_MIN = -11
    SCALE_MAX = 20

# One side's buckets, gathered from all their pieces.
cdef struct Buckets:
    int64_t offset
    WordList counts

# What an exponential point has beside PointFields.
cdef struct Exponential:
    Buckets[2] sides            # positive, negative
    uint64_t zero_count
    uint64_t zero_threshold     # bits of a float64
    int32_t scale


cdef inline int32_t zigzag(uint64_t value) noexcept nogil:
    cdef uint32_t bits = <uint32_t>value
    return <int32_t>((bits >> 1) ^ (~(bits & 1) + 1))


cdef int add_counts(Scan *scan, Buckets *side, const Field *field) noexcept nogil:
    """Adds a packed run of counts."""
    cdef const uint8_t *p = field.body.p
    cdef const uint8_t *end = p + field.body.n
    cdef uint64_t value
    while p < end:
        p = read_varint(p, end, &value)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, field.begin)
        if words_add(scan, &side.counts, value) != OK:
            return NO_MEMORY
    return OK


cdef int add_buckets(Scan *scan, Buckets *side, Span body) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, DEPTH_POINT + 1)
    cdef Field field
    cdef int verdict
    while next_field(&cursor, &field):
        if field.tag == BUCKETS_COUNTS:
            verdict = add_counts(scan, side, &field)
            if verdict != OK:
                return verdict
        elif field.tag == BUCKETS_COUNT:
            if words_add(scan, &side.counts, field.value) != OK:
                return NO_MEMORY
        elif field.tag == BUCKETS_OFFSET:
            side.offset = zigzag(field.value)
    return message_end(scan, &cursor)


cdef void trim_zeros(Buckets *side) noexcept nogil:
    """Zeros at the ends say nothing; SDKs send a hundred of them."""
    cdef WordList *counts = &side.counts
    while counts.n and counts.words[counts.n - 1] == 0:
        counts.n -= 1
    while counts.n and counts.words[0] == 0:
        counts.words += 1
        counts.n -= 1
        side.offset += 1
    if counts.n == 0:
        side.offset = 0


cdef bint is_out_of_range(const Buckets *side, int64_t scale) noexcept nogil:
    """Whether a bucket's lower bound, 2**(index * 2**-scale), is beyond what a float64 can be."""
    cdef int64_t first = side.offset
    cdef int64_t last = side.offset + <int64_t>side.counts.n - 1
    if side.counts.n == 0:
        return False
    if scale >= 0:
        first >>= scale
        last >>= scale
        return last >= 1024 or first < -1075
    # At most 2^32 times 2^11: no overflow.
    first *= <int64_t>1 << -scale
    last *= <int64_t>1 << -scale
    # One bucket may hold more than all floats there are: it is good if it touches them.
    return last >= 1024 or first + (<int64_t>1 << -scale) < -1074


cdef void check_exponential(PointFields *fields, Exponential *found) noexcept nogil:
    """Takes the zeros off both sides, and says what is wrong with the buckets."""
    cdef bint buckets = found.sides[0].counts.n or found.sides[1].counts.n
    cdef uint64_t total = found.zero_count
    cdef size_t i
    cdef int side
    for side in range(2):
        trim_zeros(&found.sides[side])
        for i in range(found.sides[side].counts.n):
            total += found.sides[side].counts.words[i]
        if (found.scale < SCALE_MIN or found.scale > SCALE_MAX
                or is_out_of_range(&found.sides[side], found.scale)):
            fields.reason = REJECT_BUCKET_RANGE
    if total != fields.value and (buckets or found.zero_count):
        fields.reason = REJECT_BUCKET_SUM


cdef inline uint64_t two_words(uint32_t low, uint32_t high) noexcept nogil:
    return low | (<uint64_t>high << 32)


cdef void put_exponential(const PointFields *fields, const Exponential *found) noexcept nogil:
    """Fills the payload: points/slots.pxd."""
    cdef const Buckets *positive = &found.sides[0]
    cdef const Buckets *negative = &found.sides[1]
    cdef uint64_t *words = fields.words
    words[0] = two_words(<uint32_t>found.scale, <uint32_t>positive.counts.n)
    words[1] = two_words(<uint32_t>positive.offset, <uint32_t>negative.offset)
    words += 2
    words[0] = fields.sum
    words[1] = fields.min
    words[2] = fields.max
    words[3] = found.zero_count
    words[4] = found.zero_threshold
    words += ROW_EXPONENTIAL
    if positive.counts.n:
        memcpy(words, positive.counts.words, positive.counts.n * 8)
    words += positive.counts.n
    if negative.counts.n:
        memcpy(words, negative.counts.words, negative.counts.n * 8)


cdef int stage_exponential(Scan *scan, PointFields *fields, Exponential *found) noexcept nogil:
    cdef int verdict
    if fields.flags & FLAG_STALE:
        # A mark: what it carries besides means nothing.
        memset(found, 0, sizeof(Exponential))
        fields.sum = fields.min = fields.max = 0
    else:
        check_exponential(fields, found)
    fields.layout = 2
    fields.row = ROW_EXPONENTIAL + found.sides[0].counts.n + found.sides[1].counts.n
    verdict = stage(scan, fields)
    if fields.words != NULL:
        put_exponential(fields, found)
    return verdict


cdef int exponential_point(Scan *scan, Span body) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, DEPTH_POINT)
    cdef Field field
    cdef PointFields fields
    cdef Exponential found
    cdef ArenaMark mark = arena_mark(scan)
    cdef int verdict
    fields_begin(&fields, body, EXPONENTIAL_ATTRIBUTE, EXPONENTIAL_EXEMPLAR)
    memset(&found, 0, sizeof(Exponential))
    while next_field(&cursor, &field):
        if field.tag == EXPONENTIAL_ATTRIBUTE:
            take_attribute(scan, &fields, &field, &cursor)
        elif field.tag == EXPONENTIAL_TIME:
            fields.time = field.value
        elif field.tag == EXPONENTIAL_START:
            fields.start = field.value
        elif field.tag == EXPONENTIAL_COUNT:
            fields.value = field.value
        elif field.tag == EXPONENTIAL_SUM:
            fields.sum = field.value
            fields.has |= FLAG_SUM
        elif field.tag == EXPONENTIAL_MIN:
            fields.min = field.value
            fields.has |= FLAG_MIN
        elif field.tag == EXPONENTIAL_MAX:
            fields.max = field.value
            fields.has |= FLAG_MAX
        elif field.tag == EXPONENTIAL_FLAGS:
            fields.flags = <uint32_t>field.value
        elif field.tag == EXPONENTIAL_EXEMPLAR:
            fields.exemplars += 1
        elif field.tag == EXPONENTIAL_SCALE:
            found.scale = zigzag(field.value)
        elif field.tag == EXPONENTIAL_ZERO_COUNT:
            found.zero_count = field.value
        elif field.tag == EXPONENTIAL_ZERO_THRESHOLD:
            found.zero_threshold = field.value
        elif field.tag == EXPONENTIAL_POSITIVE or field.tag == EXPONENTIAL_NEGATIVE:
            verdict = add_buckets(scan, &found.sides[field.tag == EXPONENTIAL_NEGATIVE], field.body)
            if verdict != OK:
                return verdict
    if message_end(scan, &cursor) != OK:
        return BAD_BYTES
    verdict = stage_exponential(scan, &fields, &found)
    release_arena(scan, &fields, mark)
    return verdict
