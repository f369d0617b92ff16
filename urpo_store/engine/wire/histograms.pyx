"""Histograms, exponential histograms and summaries; the contract is in wire/histograms.pxd."""
from libc.math cimport isnan
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport (
    FLAG_MAX, FLAG_MIN, FLAG_STALE, FLAG_SUM, ROW_EXPONENTIAL, ROW_HISTOGRAM, ROW_SUMMARY,
)
from urpo_store.engine.wire.arena cimport (
    ArenaMark, arena_back, arena_mark, arena_take, malformed, no_span,
)
from urpo_store.engine.wire.messages cimport DEPTH_POINT
from urpo_store.engine.wire.protobuf cimport (
    WT_BYTES, WT_FIXED64, WT_VARINT, read_fixed64, read_length, read_tag, read_varint, skip_value,
)
from urpo_store.engine.wire.staging cimport Fields, add_attribute, add_expected, stage
from urpo_store.engine.wire.types cimport (
    REJECT_BOUNDS, REJECT_BUCKET_COUNT, REJECT_BUCKET_RANGE, REJECT_BUCKET_SUM, REJECT_NONE,
    WIRE_E_BYTES, Scan, Span,
)

cdef enum:
    # The scale of an exponential histogram: beyond 20 SDKs do not go, below -11 one bucket holds every
    # positive float64, so that both ends leave room for what is real and none for nonsense.
    SCALE_MIN = -11
    SCALE_MAX = 20


# ---- histograms -------------------------------------------------------------------------------------

# A repeated fixed64 field: in place when it is one packed run, else gathered in the arena.
cdef struct Packed:
    const uint8_t *p
    size_t n                    # elements
    uint32_t pieces


cdef inline void add_packed(Packed *packed, const uint8_t *p, size_t bytes) noexcept nogil:
    packed.p = p
    packed.n += bytes // 8
    packed.pieces += 1


cdef int gather_packed(Scan *scan, Packed *packed, Span body, uint32_t field) noexcept nogil:
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint8_t *room
    cdef uint8_t *to
    cdef uint32_t tag
    cdef size_t length
    if packed.pieces < 2:
        return OK
    room = to = arena_take(scan, packed.n * 8)
    if room == NULL:
        return NO_MEMORY
    while p < end:
        p = read_tag(p, end, &tag)
        if tag == (field << 3 | WT_BYTES):
            p = read_length(p, end, &length)
        elif tag == (field << 3 | WT_FIXED64):
            length = 8
        else:
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        memcpy(to, p, length)
        to += length
        p += length
    packed.p = room
    return OK


cdef int histogram_point(Scan *scan, Span body) noexcept nogil:
    cdef Fields fields
    cdef Packed counts, bounds
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint64_t value, total = 0
    cdef uint64_t *words
    cdef uint32_t tag, reason = REJECT_NONE
    cdef size_t length, i
    cdef double bound, before
    cdef int verdict
    cdef bint stale
    cdef ArenaMark mark = arena_mark(scan)
    memset(&fields, 0, sizeof(Fields))
    memset(&counts, 0, sizeof(Packed))
    memset(&bounds, 0, sizeof(Packed))
    fields.attributes = no_span()
    fields.attribute_field = 9
    fields.exemplar_field = 8
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag & 7 == WT_BYTES:
            if tag >> 3 == 9 and add_expected(scan, &fields, at, end):
                p = at + fields.attributes.n
                continue
            p = read_length(p, end, &length)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            if tag >> 3 == 9:
                add_attribute(&fields, at, p + length)
            elif tag >> 3 == 6 or tag >> 3 == 7:
                if length % 8:
                    return malformed(scan, WIRE_E_BYTES, at)
                add_packed(&counts if tag >> 3 == 6 else &bounds, p, length)
            elif tag >> 3 == 8:
                fields.exemplars += 1
            p += length
            continue
        if tag == (3 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.time)
        elif tag == (2 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.start)
        elif tag == (4 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.value)
        elif tag == (5 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.sum)
            fields.has |= FLAG_SUM
        elif tag == (11 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.min)
            fields.has |= FLAG_MIN
        elif tag == (12 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.max)
            fields.has |= FLAG_MAX
        elif tag == (6 << 3 | WT_FIXED64) or tag == (7 << 3 | WT_FIXED64):
            at = p
            p = read_fixed64(p, end, &value)
            if p != NULL:
                add_packed(&counts if tag >> 3 == 6 else &bounds, at, 8)
        elif tag == (10 << 3 | WT_VARINT):
            p = read_varint(p, end, &value)
            fields.flags = <uint32_t>value
        else:
            p = skip_value(p, end, tag, DEPTH_POINT)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
    stale = fields.flags & FLAG_STALE
    if stale:
        # A mark: whatever it carries besides means nothing.
        counts.n = bounds.n = counts.pieces = bounds.pieces = 0
        fields.sum = fields.min = fields.max = 0
    verdict = gather_packed(scan, &counts, body, 6)
    if verdict == OK:
        verdict = gather_packed(scan, &bounds, body, 7)
    if verdict != OK:
        return verdict
    if counts.n != bounds.n + 1 and not (counts.n == 0 and bounds.n == 0):
        reason = REJECT_BUCKET_COUNT
    elif not stale:
        for i in range(counts.n):
            memcpy(&value, counts.p + 8 * i, 8)
            total += value
        if counts.n and total != fields.value:
            reason = REJECT_BUCKET_SUM
        before = 0
        for i in range(bounds.n):
            memcpy(&bound, bounds.p + 8 * i, 8)
            if isnan(bound) or (i and not bound > before):
                reason = REJECT_BOUNDS
            before = bound
    verdict = stage(scan, &fields, body, reason, bounds.n, ROW_HISTOGRAM + counts.n, &words)
    if words != NULL:
        if bounds.n:
            memcpy(words, bounds.p, bounds.n * 8)
        words += bounds.n
        words[0] = fields.sum
        words[1] = fields.min
        words[2] = fields.max
        if counts.n:
            memcpy(words + ROW_HISTOGRAM, counts.p, counts.n * 8)
    forget(scan, &fields, mark)
    return verdict


cdef inline void forget(Scan *scan, const Fields *fields, ArenaMark mark) noexcept nogil:
    """Gives back what a point took of the arena: its numbers stand in slots. But attributes that were
    gathered are needed until the point is resolved."""
    if not fields.scattered:
        arena_back(scan, mark)


# ---- exponential histograms -------------------------------------------------------------------------

# One side's buckets, gathered from all their pieces.
cdef struct Buckets:
    int64_t offset
    uint64_t *counts
    size_t n, capacity


cdef inline int32_t zigzag(uint64_t value) noexcept nogil:
    cdef uint32_t bits = <uint32_t>value
    return <int32_t>((bits >> 1) ^ (~(bits & 1) + 1))


cdef int add_count(Scan *scan, Buckets *side, uint64_t count) noexcept nogil:
    cdef uint64_t *room
    cdef size_t wanted
    if side.n == side.capacity:
        wanted = side.capacity * 2 if side.capacity else 64
        room = <uint64_t *>arena_take(scan, wanted * 8)
        if room == NULL:
            return -1
        if side.n:
            memcpy(room, side.counts, side.n * 8)
        side.counts = room
        side.capacity = wanted
    side.counts[side.n] = count
    side.n += 1
    return 0


cdef int add_buckets(Scan *scan, Buckets *side, const uint8_t *p, const uint8_t *end) noexcept nogil:
    cdef uint32_t tag
    cdef uint64_t value
    cdef size_t length
    cdef const uint8_t *stop
    cdef const uint8_t *at
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag == (2 << 3 | WT_BYTES):
            p = read_length(p, end, &length)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            stop = p + length
            while p < stop:
                p = read_varint(p, stop, &value)
                if p == NULL:
                    return malformed(scan, WIRE_E_BYTES, at)
                if add_count(scan, side, value) != 0:
                    return NO_MEMORY
        elif tag == (2 << 3 | WT_VARINT):
            p = read_varint(p, end, &value)
            if p != NULL and add_count(scan, side, value) != 0:
                return NO_MEMORY
        elif tag == (1 << 3 | WT_VARINT):
            p = read_varint(p, end, &value)
            side.offset = zigzag(value)
        else:
            p = skip_value(p, end, tag, DEPTH_POINT + 1)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
    return OK


cdef void trim_zeros(Buckets *side) noexcept nogil:
    """Zeros at the ends say nothing; SDKs send a hundred of them."""
    while side.n and side.counts[side.n - 1] == 0:
        side.n -= 1
    while side.n and side.counts[0] == 0:
        side.counts += 1
        side.n -= 1
        side.offset += 1
    if side.n == 0:
        side.offset = 0


cdef bint out_of_range(const Buckets *side, int64_t scale) noexcept nogil:
    """Whether a bucket's lower bound, 2**(index * 2**-scale), is beyond what a float64 can be."""
    cdef int64_t first = side.offset
    cdef int64_t last = side.offset + <int64_t>side.n - 1
    if side.n == 0:
        return False
    if scale >= 0:
        first >>= scale
        last >>= scale
    else:
        # At most 2^32 times 2^11: no overflow.
        first *= <int64_t>1 << -scale
        last *= <int64_t>1 << -scale
    if scale < 0:
        # One bucket may hold more than the floats there are: it counts if it touches them.
        return last >= 1024 or first + (<int64_t>1 << -scale) < -1074
    return last >= 1024 or first < -1075


cdef int exponential_point(Scan *scan, Span body) noexcept nogil:
    cdef Fields fields
    cdef Buckets sides[2]
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint64_t value, zero_count = 0, zero_threshold = 0, total
    cdef uint64_t *words
    cdef int32_t scale = 0
    cdef uint32_t tag, reason = REJECT_NONE
    cdef size_t length, i
    cdef int verdict, side
    cdef bint buckets = False
    cdef ArenaMark mark = arena_mark(scan)
    memset(&fields, 0, sizeof(Fields))
    memset(sides, 0, sizeof(sides))
    fields.attributes = no_span()
    fields.attribute_field = 1
    fields.exemplar_field = 11
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag & 7 == WT_BYTES:
            if tag >> 3 == 1 and add_expected(scan, &fields, at, end):
                p = at + fields.attributes.n
                continue
            p = read_length(p, end, &length)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            if tag >> 3 == 1:
                add_attribute(&fields, at, p + length)
            elif tag >> 3 == 8 or tag >> 3 == 9:
                verdict = add_buckets(scan, &sides[(tag >> 3) - 8], p, p + length)
                if verdict != OK:
                    return verdict
            elif tag >> 3 == 11:
                fields.exemplars += 1
            p += length
            continue
        if tag == (3 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.time)
        elif tag == (2 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.start)
        elif tag == (4 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.value)
        elif tag == (5 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.sum)
            fields.has |= FLAG_SUM
        elif tag == (7 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &zero_count)
        elif tag == (12 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.min)
            fields.has |= FLAG_MIN
        elif tag == (13 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.max)
            fields.has |= FLAG_MAX
        elif tag == (14 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &zero_threshold)
        elif tag == (6 << 3 | WT_VARINT):
            p = read_varint(p, end, &value)
            scale = zigzag(value)
        elif tag == (10 << 3 | WT_VARINT):
            p = read_varint(p, end, &value)
            fields.flags = <uint32_t>value
        else:
            p = skip_value(p, end, tag, DEPTH_POINT)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
    if fields.flags & FLAG_STALE:
        memset(sides, 0, sizeof(sides))
        fields.sum = fields.min = fields.max = zero_count = zero_threshold = 0
        scale = 0
    else:
        if sides[0].n or sides[1].n:
            buckets = True
        total = zero_count
        for side in range(2):
            trim_zeros(&sides[side])
            for i in range(sides[side].n):
                total += sides[side].counts[i]
            if scale < SCALE_MIN or scale > SCALE_MAX or out_of_range(&sides[side], scale):
                reason = REJECT_BUCKET_RANGE
        if total != fields.value and (buckets or zero_count):
            reason = REJECT_BUCKET_SUM
    verdict = stage(scan, &fields, body, reason, 2,
                    ROW_EXPONENTIAL + sides[0].n + sides[1].n, &words)
    if words != NULL:
        words[0] = <uint64_t>(<uint32_t>scale) | (<uint64_t>sides[0].n << 32)
        words[1] = <uint64_t>(<uint32_t>sides[0].offset) | (<uint64_t>(<uint32_t>sides[1].offset) << 32)
        words += 2
        words[0] = fields.sum
        words[1] = fields.min
        words[2] = fields.max
        words[3] = zero_count
        words[4] = zero_threshold
        words += ROW_EXPONENTIAL
        for side in range(2):
            if sides[side].n:
                memcpy(words, sides[side].counts, sides[side].n * 8)
            words += sides[side].n
    forget(scan, &fields, mark)
    return verdict


# ---- summaries --------------------------------------------------------------------------------------

cdef int read_quantile(Scan *scan, const uint8_t *p, const uint8_t *end, uint64_t *pair) noexcept nogil:
    cdef uint32_t tag
    cdef const uint8_t *at
    pair[0] = pair[1] = 0
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag == (1 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &pair[0])
        elif tag == (2 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &pair[1])
        else:
            p = skip_value(p, end, tag, DEPTH_POINT + 1)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
    return OK


cdef int summary_point(Scan *scan, Span body) noexcept nogil:
    cdef Fields fields
    cdef Buckets pairs
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint64_t value
    cdef uint64_t pair[2]
    cdef uint64_t *words
    cdef uint32_t tag
    cdef size_t length, i, n
    cdef int verdict
    cdef ArenaMark mark = arena_mark(scan)
    memset(&fields, 0, sizeof(Fields))
    memset(&pairs, 0, sizeof(Buckets))
    fields.attributes = no_span()
    fields.attribute_field = 7
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag & 7 == WT_BYTES:
            if tag >> 3 == 7 and add_expected(scan, &fields, at, end):
                p = at + fields.attributes.n
                continue
            p = read_length(p, end, &length)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            if tag >> 3 == 7:
                add_attribute(&fields, at, p + length)
            elif tag >> 3 == 6:
                verdict = read_quantile(scan, p, p + length, pair)
                if verdict != OK:
                    return verdict
                if add_count(scan, &pairs, pair[0]) != 0 or add_count(scan, &pairs, pair[1]) != 0:
                    return NO_MEMORY
            p += length
            continue
        if tag == (3 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.time)
        elif tag == (2 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.start)
        elif tag == (4 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.value)
        elif tag == (5 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &fields.sum)
        elif tag == (8 << 3 | WT_VARINT):
            p = read_varint(p, end, &value)
            fields.flags = <uint32_t>value
        else:
            p = skip_value(p, end, tag, DEPTH_POINT)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
    # A summary's sum has no presence: it is always there.
    fields.has = FLAG_SUM
    if fields.flags & FLAG_STALE:
        pairs.n = 0
        fields.sum = 0
    n = pairs.n // 2
    verdict = stage(scan, &fields, body, REJECT_NONE, n, ROW_SUMMARY + n, &words)
    if words != NULL:
        words[n] = fields.sum
        for i in range(n):
            words[i] = pairs.counts[2 * i]
            words[n + ROW_SUMMARY + i] = pairs.counts[2 * i + 1]
    forget(scan, &fields, mark)
    return verdict
