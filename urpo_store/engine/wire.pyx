"""The OTLP scanner; the contract is in wire.pxd.

A message that comes in one piece, with its repeated fields in one run, is read in place. What comes in
several pieces is first checked piece by piece, then concatenated in the arena: in protobuf the
concatenation of two messages is their merge.
"""
from libc.math cimport isnan
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from urpo_store.engine.alloc cimport Account, account_init, mem_alloc, mem_free, mem_grow
from urpo_store.engine.messages cimport (
    DEPTH_DATA, DEPTH_METRIC, DEPTH_POINT, DEPTH_RESOURCE, DEPTH_SCOPE, M_ATTRIBUTES, M_EXEMPLAR,
    M_EXPONENTIAL, M_HISTOGRAM, M_KEYVALUE, M_NUMBERS, M_RESOURCE, M_SCOPE, M_SUMMARY,
    check_message,
)
from urpo_store.engine.points cimport (
    FLAG_INT, FLAG_MAX, FLAG_MIN, FLAG_STALE, FLAG_SUM, FLAGS_OTLP, KIND_EXPONENTIAL, KIND_GAUGE,
    KIND_HISTOGRAM, KIND_SUM, KIND_SUMMARY, Point, ROW_EXPONENTIAL, ROW_HISTOGRAM, ROW_SUMMARY,
    SERIES_START, TEMPORALITY_CUMULATIVE, TEMPORALITY_DELTA, ext_slots, payload_exemplar_bytes,
    payload_header, payload_layout_words, payload_row_words,
)
from urpo_store.engine.protobuf cimport (
    WT_BYTES, WT_FIXED64, WT_VARINT, read_fixed64, read_length, read_tag, read_varint, skip_value,
    valid_utf8,
)

from urpo_store.engine.values import decode_value

cdef enum:
    BLOCK = 65536               # least size of an arena block
    KEEP = 1 << 20              # memory kept from one scan to the next, in each of the big arrays
    MAX_WORDS = 65535           # layout or row words that a payload header can tell

    # The scale of an exponential histogram: beyond 20 SDKs do not go, below -11 one bucket holds every
    # positive float64, so that both ends leave room for what is real and none for nonsense.
    SCALE_MIN = -11
    SCALE_MAX = 20


# ---- memory ---------------------------------------------------------------------------------------

cdef uint8_t *arena_take(Scan *scan, size_t size) noexcept nogil:
    """`size` bytes, 8-aligned, until the next scan; NULL: no memory."""
    cdef ArenaBlock *block = scan.arena_at
    cdef ArenaBlock *made
    cdef uint8_t *taken
    size = (size + 7) & ~<size_t>7
    while block != NULL and block.size - block.used < size:
        if block.next == NULL or block.next.size < size:
            break
        block = block.next
        block.used = 0
    if block == NULL or block.size - block.used < size:
        made = <ArenaBlock *>mem_alloc(scan.account, sizeof(ArenaBlock) + (size if size > BLOCK else BLOCK))
        if made == NULL:
            return NULL
        made.size = size if size > BLOCK else BLOCK
        made.used = 0
        made.next = NULL
        if block == NULL:
            scan.arena = made
        else:
            made.next = block.next
            block.next = made
        block = made
    scan.arena_at = block
    taken = <uint8_t *>(block + 1) + block.used
    block.used += size
    return taken


cdef void arena_reset(Scan *scan) noexcept nogil:
    """Empties the arena, and gives blocks back beyond what is usually needed."""
    cdef ArenaBlock *block = scan.arena
    cdef ArenaBlock *next
    cdef size_t kept = 0
    cdef ArenaBlock **link = &scan.arena
    while block != NULL:
        next = block.next
        if kept + block.size > KEEP:
            link[0] = next
            mem_free(scan.account, block)
        else:
            kept += block.size
            block.used = 0
            link = &block.next
        block = next
    scan.arena_at = scan.arena


cdef void trim(Scan *scan, void **items, size_t *capacity, size_t size) noexcept nogil:
    """Gives a big array back, so that one big request does not hold memory for ever."""
    if capacity[0] * size > KEEP:
        mem_free(scan.account, items[0])
        items[0] = NULL
        capacity[0] = 0


cdef int scan_init(Scan *scan, Account *account) noexcept nogil:
    memset(scan, 0, sizeof(Scan))
    scan.account = account
    scan.max_payload = MAX_WORDS
    return 0


cdef void scan_destroy(Scan *scan) noexcept nogil:
    cdef ArenaBlock *block = scan.arena
    cdef ArenaBlock *next
    while block != NULL:
        next = block.next
        mem_free(scan.account, block)
        block = next
    mem_free(scan.account, scan.resources)
    mem_free(scan.account, scan.scopes)
    mem_free(scan.account, scan.metrics)
    mem_free(scan.account, scan.points)
    mem_free(scan.account, scan.slots)
    mem_free(scan.account, scan.scratch)


# ---- pieces -----------------------------------------------------------------------------------------

cdef int malformed(Scan *scan, uint32_t error, const uint8_t *p) noexcept nogil:
    scan.error = error
    # Of a message that came in pieces, and was concatenated, the place is not known.
    scan.error_offset = p - scan.begin if scan.begin <= p <= scan.begin + scan.length else 0
    return WIRE_MALFORMED


cdef int join(Scan *scan, Span *whole, Span piece, bint *joined) noexcept nogil:
    """Appends a piece to a message that may be empty so far."""
    cdef uint8_t *room
    if not joined[0]:
        joined[0] = True
        whole[0] = piece
        return WIRE_OK
    if piece.n == 0:
        return WIRE_OK
    room = arena_take(scan, whole.n + piece.n)
    if room == NULL:
        return WIRE_NO_MEMORY
    if whole.n:
        memcpy(room, whole.p, whole.n)
    memcpy(room + whole.n, piece.p, piece.n)
    whole.p = room
    whole.n += piece.n
    return WIRE_OK


cdef int join_checked(Scan *scan, Span *whole, Span piece, bint *joined, uint32_t kind, int depth) noexcept nogil:
    """As join; of several pieces each one is checked, for two halves of a message could be wrong apart
    and right together."""
    cdef uint32_t error
    if joined[0]:
        error = check_message(kind, whole.p, whole.p + whole.n, depth)
        if error == WIRE_E_NONE:
            error = check_message(kind, piece.p, piece.p + piece.n, depth)
        if error != WIRE_E_NONE:
            return malformed(scan, error, piece.p)
    return join(scan, whole, piece, joined)


cdef Span no_span() noexcept nogil:
    cdef Span span
    span.p = <const uint8_t *>b""
    span.n = 0
    return span


# ---- points: what they have in common ---------------------------------------------------------------

# A data point while its fields are read.
cdef struct Fields:
    uint64_t time, start, value, count
    uint64_t sum, min, max
    uint32_t flags              # as sent
    uint32_t has                # FLAG_INT, FLAG_SUM, FLAG_MIN, FLAG_MAX
    bint has_value
    Span attributes
    uint32_t attribute_count
    bint scattered              # attributes are not one run
    uint32_t exemplars
    uint32_t attribute_field, exemplar_field


cdef inline void add_attribute(Fields *fields, const uint8_t *tag, const uint8_t *end) noexcept nogil:
    if fields.attribute_count == 0:
        fields.attributes.p = tag
        fields.attributes.n = end - tag
    elif fields.attributes.p + fields.attributes.n == tag:
        fields.attributes.n += end - tag
    else:
        fields.scattered = True
    fields.attribute_count += 1


cdef int gather_attributes(Scan *scan, Fields *fields, Span body) noexcept nogil:
    """Copies attributes that are not one run together, in order."""
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint8_t *room = arena_take(scan, body.n)
    cdef uint32_t tag
    if room == NULL:
        return WIRE_NO_MEMORY
    fields.attributes.p = room
    fields.attributes.n = 0
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        p = skip_value(p, end, tag, DEPTH_POINT)
        if tag == (fields.attribute_field << 3 | WT_BYTES):
            memcpy(room + fields.attributes.n, at, p - at)
            fields.attributes.n += p - at
    return WIRE_OK


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
    return WIRE_OK


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


# Takes one point into the arrays. `reason` is what is wrong with it so far; layout and row words are
# counted here and filled by the caller, at *words (NULL: the point is refused).
cdef int stage(Scan *scan, uint32_t metric, Fields *fields, Span body, uint32_t reason, size_t layout,
               size_t row, uint64_t **words) noexcept nogil:
    cdef WirePoint *point
    cdef Point *slot
    cdef size_t exemplars = 0, payload = 0, needed
    cdef uint32_t bad = 0
    cdef int verdict
    words[0] = NULL
    if fields.scattered:
        verdict = gather_attributes(scan, fields, body)
        if verdict != WIRE_OK:
            return verdict
    if fields.exemplars:
        verdict = exemplar_size(scan, fields, body, &exemplars, &bad)
        if verdict != WIRE_OK:
            return verdict
    if scan.on_batch != NULL and scan.point_count == scan.batch:
        verdict = scan.on_batch(scan.context, scan)
        if verdict != 0:
            scan.stop_code = verdict
            return WIRE_STOPPED
        scan.point_count = 0
        scan.slot_count = 0
        scan.has_start = False
    scan.total_points += 1
    if mem_grow(scan.account, <void **>&scan.points, &scan.point_capacity, scan.point_count + 1,
                sizeof(WirePoint)) != 0:
        return WIRE_NO_MEMORY
    point = &scan.points[scan.point_count]
    scan.point_count += 1
    point.metric = metric
    point.attributes = fields.attributes
    point.attribute_count = fields.attribute_count
    point.bad_exemplars = bad
    point.series = 0
    point.slot = 0
    if fields.time == 0:
        reason = REJECT_TIME_ZERO
    elif fields.time > <uint64_t>INT64_MAX or fields.start > <uint64_t>INT64_MAX:
        reason = REJECT_TIME_RANGE
    elif scan.metrics[metric].name.n == 0:
        reason = REJECT_NO_NAME
    if layout or row or exemplars:
        payload = 1 + layout + row + (exemplars + 7) // 8
        if payload > scan.max_payload or layout > MAX_WORDS or row > MAX_WORDS:
            reason = REJECT_TOO_LARGE if reason == REJECT_NONE else reason
    point.reason = reason
    if reason != REJECT_NONE:
        return WIRE_OK
    needed = 2 + ext_slots(<uint32_t>payload)
    if mem_grow(scan.account, <void **>&scan.slots, &scan.slot_capacity, scan.slot_count + needed,
                sizeof(Point)) != 0:
        scan.point_count -= 1
        return WIRE_NO_MEMORY
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
    return WIRE_OK


cdef inline bint lacks_temporality(const WireMetric *metric) noexcept nogil:
    return metric.temporality != TEMPORALITY_DELTA and metric.temporality != TEMPORALITY_CUMULATIVE


# ---- numbers ----------------------------------------------------------------------------------------

cdef int number_point(Scan *scan, uint32_t metric, Span body) noexcept nogil:
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
    if scan.metrics[metric].kind == KIND_SUM and lacks_temporality(&scan.metrics[metric]):
        reason = REJECT_TEMPORALITY
    return stage(scan, metric, &fields, body, reason, 0, 0, &words)


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
        return WIRE_OK
    room = to = arena_take(scan, packed.n * 8)
    if room == NULL:
        return WIRE_NO_MEMORY
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
    return WIRE_OK


cdef int histogram_point(Scan *scan, uint32_t metric, Span body) noexcept nogil:
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
    if verdict == WIRE_OK:
        verdict = gather_packed(scan, &bounds, body, 7)
    if verdict != WIRE_OK:
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
    if lacks_temporality(&scan.metrics[metric]):
        reason = REJECT_TEMPORALITY
    verdict = stage(scan, metric, &fields, body, reason, bounds.n, ROW_HISTOGRAM + counts.n, &words)
    if words != NULL:
        if bounds.n:
            memcpy(words, bounds.p, bounds.n * 8)
        words += bounds.n
        words[0] = fields.sum
        words[1] = fields.min
        words[2] = fields.max
        if counts.n:
            memcpy(words + ROW_HISTOGRAM, counts.p, counts.n * 8)
    return verdict


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
                    return WIRE_NO_MEMORY
        elif tag == (2 << 3 | WT_VARINT):
            p = read_varint(p, end, &value)
            if p != NULL and add_count(scan, side, value) != 0:
                return WIRE_NO_MEMORY
        elif tag == (1 << 3 | WT_VARINT):
            p = read_varint(p, end, &value)
            side.offset = zigzag(value)
        else:
            p = skip_value(p, end, tag, DEPTH_POINT + 1)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
    return WIRE_OK


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


cdef int exponential_point(Scan *scan, uint32_t metric, Span body) noexcept nogil:
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
            p = read_length(p, end, &length)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            if tag >> 3 == 1:
                add_attribute(&fields, at, p + length)
            elif tag >> 3 == 8 or tag >> 3 == 9:
                verdict = add_buckets(scan, &sides[(tag >> 3) - 8], p, p + length)
                if verdict != WIRE_OK:
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
    if lacks_temporality(&scan.metrics[metric]):
        reason = REJECT_TEMPORALITY
    verdict = stage(scan, metric, &fields, body, reason, 2,
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
    return WIRE_OK


cdef int summary_point(Scan *scan, uint32_t metric, Span body) noexcept nogil:
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
            p = read_length(p, end, &length)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            if tag >> 3 == 7:
                add_attribute(&fields, at, p + length)
            elif tag >> 3 == 6:
                verdict = read_quantile(scan, p, p + length, pair)
                if verdict != WIRE_OK:
                    return verdict
                if add_count(scan, &pairs, pair[0]) != 0 or add_count(scan, &pairs, pair[1]) != 0:
                    return WIRE_NO_MEMORY
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
    verdict = stage(scan, metric, &fields, body, REJECT_NONE, n, ROW_SUMMARY + n, &words)
    if words != NULL:
        words[n] = fields.sum
        for i in range(n):
            words[i] = pairs.counts[2 * i]
            words[n + ROW_SUMMARY + i] = pairs.counts[2 * i + 1]
    return verdict


# ---- metrics ----------------------------------------------------------------------------------------

cdef uint32_t data_kind(uint32_t field) noexcept nogil:
    """KIND_* of a member of Metric.data; 0 if the field is none."""
    if field == 5:
        return KIND_GAUGE
    if field == 7:
        return KIND_SUM
    if field == 9:
        return KIND_HISTOGRAM
    if field == 10:
        return KIND_EXPONENTIAL
    if field == 11:
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


cdef int check_piece(Scan *scan, uint32_t kind, Span piece, int depth) noexcept nogil:
    cdef uint32_t error = check_message(kind, piece.p, piece.p + piece.n, depth)
    return WIRE_OK if error == WIRE_E_NONE else malformed(scan, error, piece.p)


cdef int scan_metric(Scan *scan, uint32_t scope, Span body) noexcept nogil:
    cdef WireMetric *metric
    cdef Span data, piece
    cdef Span text[4]           # by field number: name, description, unit
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint32_t tag, field, kind = 0, other
    cdef size_t length
    cdef bint joined = False
    cdef int verdict
    text[1] = text[2] = text[3] = data = no_span()
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag & 7 != WT_BYTES:
            p = skip_value(p, end, tag, DEPTH_METRIC)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            continue
        p = read_length(p, end, &length)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        piece.p = p
        piece.n = length
        p += length
        field = tag >> 3
        if 1 <= field <= 3:
            if not valid_utf8(piece.p, length):
                return malformed(scan, WIRE_E_UTF8, piece.p)
            text[field] = piece
        elif field == 12:
            verdict = check_piece(scan, M_KEYVALUE, piece, DEPTH_METRIC + 1)
            if verdict != WIRE_OK:
                return verdict
        else:
            other = data_kind(field)
            if other == 0:
                continue
            if other != kind and kind != 0:
                # Another member takes the place of what came before, which only has to be well formed.
                verdict = check_piece(scan, data_message(kind), data, DEPTH_DATA)
                if verdict != WIRE_OK:
                    return verdict
                joined = False
            kind = other
            verdict = join_checked(scan, &data, piece, &joined, data_message(kind), DEPTH_DATA)
            if verdict != WIRE_OK:
                return verdict
    if kind == 0:
        return WIRE_OK
    if mem_grow(scan.account, <void **>&scan.metrics, &scan.metric_capacity, scan.metric_count + 1,
                sizeof(WireMetric)) != 0:
        return WIRE_NO_MEMORY
    metric = &scan.metrics[scan.metric_count]
    scan.metric_count += 1
    metric.scope = scope
    metric.name = text[1]
    metric.description = text[2]
    metric.unit = text[3]
    metric.kind = kind
    metric.temporality = 0
    metric.monotonic = 0
    return scan_data(scan, <uint32_t>(scan.metric_count - 1), data)


cdef int scan_data(Scan *scan, uint32_t index, Span data) noexcept nogil:
    """A Gauge, Sum, Histogram, ExponentialHistogram or Summary: what holds for all its points first."""
    cdef WireMetric *metric = &scan.metrics[index]
    cdef uint32_t kind = metric.kind
    cdef const uint8_t *p = data.p
    cdef const uint8_t *end = p + data.n
    cdef const uint8_t *at
    cdef uint32_t tag
    cdef uint64_t value
    cdef size_t length
    cdef Span body
    cdef int verdict
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag == (2 << 3 | WT_VARINT) and kind != KIND_GAUGE and kind != KIND_SUMMARY:
            p = read_varint(p, end, &value)
            metric.temporality = <uint32_t>value
        elif tag == (3 << 3 | WT_VARINT) and kind == KIND_SUM:
            p = read_varint(p, end, &value)
            metric.monotonic = value != 0
        else:
            p = skip_value(p, end, tag, DEPTH_DATA)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
    # The fields are known to be well formed now.
    p = data.p
    while p < end:
        p = read_tag(p, end, &tag)
        if tag != (1 << 3 | WT_BYTES):
            p = skip_value(p, end, tag, DEPTH_DATA)
            continue
        p = read_length(p, end, &length)
        body.p = p
        body.n = length
        p += length
        if kind == KIND_HISTOGRAM:
            verdict = histogram_point(scan, index, body)
        elif kind == KIND_EXPONENTIAL:
            verdict = exponential_point(scan, index, body)
        elif kind == KIND_SUMMARY:
            verdict = summary_point(scan, index, body)
        else:
            verdict = number_point(scan, index, body)
        if verdict != WIRE_OK:
            return verdict
    return WIRE_OK


# ---- envelopes ----------------------------------------------------------------------------------------

# ResourceMetrics and ScopeMetrics have the same shape: 1 identity, 2 content, repeated, 3 schema_url.
cdef struct Envelope:
    Span identity
    Span schema_url
    bint contents               # whether there is any content


cdef int read_envelope(Scan *scan, Span body, uint32_t kind, int depth, Envelope *out) noexcept nogil:
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef const uint8_t *at
    cdef uint32_t tag
    cdef size_t length
    cdef Span piece
    cdef bint joined = False
    cdef int verdict
    out.identity = out.schema_url = no_span()
    out.contents = False
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag & 7 != WT_BYTES:
            p = skip_value(p, end, tag, depth - 1)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            continue
        p = read_length(p, end, &length)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        piece.p = p
        piece.n = length
        p += length
        if tag >> 3 == 1:
            verdict = join_checked(scan, &out.identity, piece, &joined, kind, depth)
            if verdict != WIRE_OK:
                return verdict
        elif tag >> 3 == 2:
            out.contents = True
        elif tag >> 3 == 3:
            if not valid_utf8(piece.p, length):
                return malformed(scan, WIRE_E_UTF8, piece.p)
            out.schema_url = piece
    if not out.contents:
        # Nobody will look at its identity later, so it is checked here.
        return check_piece(scan, kind, out.identity, depth)
    return WIRE_OK


cdef int scan_scope(Scan *scan, uint32_t resource, Span body) noexcept nogil:
    cdef Envelope envelope
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint32_t tag, index
    cdef size_t length
    cdef Span metric
    cdef int verdict = read_envelope(scan, body, M_SCOPE, DEPTH_SCOPE, &envelope)
    if verdict != WIRE_OK or not envelope.contents:
        return verdict
    if mem_grow(scan.account, <void **>&scan.scopes, &scan.scope_capacity, scan.scope_count + 1,
                sizeof(WireScope)) != 0:
        return WIRE_NO_MEMORY
    index = <uint32_t>scan.scope_count
    scan.scope_count += 1
    scan.scopes[index].resource = resource
    scan.scopes[index].body = envelope.identity
    scan.scopes[index].schema_url = envelope.schema_url
    while p < end:
        p = read_tag(p, end, &tag)
        if tag != (2 << 3 | WT_BYTES):
            p = skip_value(p, end, tag, DEPTH_SCOPE - 1)
            continue
        p = read_length(p, end, &length)
        metric.p = p
        metric.n = length
        p += length
        verdict = scan_metric(scan, index, metric)
        if verdict != WIRE_OK:
            return verdict
    return WIRE_OK


cdef int scan_resource(Scan *scan, Span body) noexcept nogil:
    cdef Envelope envelope
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint32_t tag, index
    cdef size_t length
    cdef Span scope
    cdef int verdict = read_envelope(scan, body, M_RESOURCE, DEPTH_RESOURCE, &envelope)
    if verdict != WIRE_OK or not envelope.contents:
        return verdict
    if mem_grow(scan.account, <void **>&scan.resources, &scan.resource_capacity, scan.resource_count + 1,
                sizeof(WireResource)) != 0:
        return WIRE_NO_MEMORY
    index = <uint32_t>scan.resource_count
    scan.resource_count += 1
    scan.resources[index].body = envelope.identity
    scan.resources[index].schema_url = envelope.schema_url
    while p < end:
        p = read_tag(p, end, &tag)
        if tag != (2 << 3 | WT_BYTES):
            p = skip_value(p, end, tag, DEPTH_RESOURCE - 1)
            continue
        p = read_length(p, end, &length)
        scope.p = p
        scope.n = length
        p += length
        verdict = scan_scope(scan, index, scope)
        if verdict != WIRE_OK:
            return verdict
    return WIRE_OK


cdef int wire_scan(Scan *scan, const uint8_t *data, size_t length) noexcept nogil:
    cdef const uint8_t *p = data
    cdef const uint8_t *end = data + length
    cdef const uint8_t *at
    cdef uint32_t tag
    cdef size_t size
    cdef Span body
    cdef int verdict
    scan.begin = data
    scan.length = length
    scan.resource_count = scan.scope_count = scan.metric_count = 0
    scan.point_count = scan.slot_count = 0
    scan.total_points = 0
    scan.error = WIRE_E_NONE
    scan.error_offset = 0
    scan.stop_code = 0
    scan.has_start = False
    trim(scan, <void **>&scan.resources, &scan.resource_capacity, sizeof(WireResource))
    trim(scan, <void **>&scan.scopes, &scan.scope_capacity, sizeof(WireScope))
    trim(scan, <void **>&scan.metrics, &scan.metric_capacity, sizeof(WireMetric))
    trim(scan, <void **>&scan.points, &scan.point_capacity, sizeof(WirePoint))
    trim(scan, <void **>&scan.slots, &scan.slot_capacity, sizeof(Point))
    trim(scan, <void **>&scan.scratch, &scan.scratch_capacity, 1)
    arena_reset(scan)
    while p < end:
        at = p
        p = read_tag(p, end, &tag)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        if tag != (1 << 3 | WT_BYTES):
            p = skip_value(p, end, tag, 0)
            if p == NULL:
                return malformed(scan, WIRE_E_BYTES, at)
            continue
        p = read_length(p, end, &size)
        if p == NULL:
            return malformed(scan, WIRE_E_BYTES, at)
        body.p = p
        body.n = size
        p += size
        verdict = scan_resource(scan, body)
        if verdict != WIRE_OK:
            return verdict
    return WIRE_OK


cdef const char *wire_error_text(uint32_t error) noexcept nogil:
    if error == WIRE_E_UTF8:
        return b"a string is not UTF-8"
    if error == WIRE_E_DEPTH:
        return b"messages are nested more than 100 deep"
    return b"the bytes are not protobuf"


# ---- deferred checks ----------------------------------------------------------------------------------

cdef int check_limits(Span body, uint32_t field, uint32_t max_attributes, uint32_t max_string) noexcept nogil:
    """The limits on the attributes in a well-formed span."""
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint32_t tag, count = 0
    cdef size_t length
    while p < end:
        p = read_tag(p, end, &tag)
        if tag & 7 != WT_BYTES or (field and tag >> 3 != field):
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        p = read_length(p, end, &length)
        count += 1
        if count > max_attributes:
            return -REJECT_ATTRIBUTES
        if length > max_string and has_long_string(p, length, max_string):
            return -REJECT_STRING
        p += length
    return WIRE_OK


cdef bint has_long_string(const uint8_t *p, size_t n, uint32_t max_string) noexcept nogil:
    """Whether a KeyValue's key, or its value with all that is in it, is longer than the limit.

    The value's own bytes are what is measured, tags and lengths included: a list of many short texts
    is as much to keep as one long text.
    """
    cdef const uint8_t *end = p + n
    cdef uint32_t tag
    cdef size_t length
    while p < end:
        p = read_tag(p, end, &tag)
        if tag & 7 != WT_BYTES:
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        p = read_length(p, end, &length)
        # A text of exactly max_string bytes stands behind a tag and a length of at most 5 bytes.
        if (tag >> 3 == 1 and length > max_string) or (tag >> 3 == 2 and length > max_string + 6):
            return True
        p += length
    return False


cdef int check_deferred(uint32_t kind, Span body, int depth, uint32_t field, uint32_t max_attributes,
                        uint32_t max_string) noexcept nogil:
    if check_message(kind, body.p, body.p + body.n, depth) != WIRE_E_NONE:
        return WIRE_MALFORMED
    return check_limits(body, field, max_attributes, max_string)


cdef int wire_check_attributes(Span attributes, uint32_t max_attributes, uint32_t max_string) noexcept nogil:
    return check_deferred(M_ATTRIBUTES, attributes, DEPTH_POINT, 0, max_attributes, max_string)


cdef int wire_check_resource(Span body, uint32_t max_attributes, uint32_t max_string) noexcept nogil:
    return check_deferred(M_RESOURCE, body, DEPTH_RESOURCE, 1, max_attributes, max_string)


cdef int wire_check_scope(Span body, uint32_t max_attributes, uint32_t max_string) noexcept nogil:
    return check_deferred(M_SCOPE, body, DEPTH_SCOPE, 3, max_attributes, max_string)


# ---- attributes and their values ------------------------------------------------------------------------

cdef Span wire_string_field(Span body, uint32_t field) noexcept nogil:
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef Span found = no_span()
    cdef uint32_t tag
    cdef size_t length
    while p < end:
        p = read_tag(p, end, &tag)
        if tag != (field << 3 | WT_BYTES):
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        p = read_length(p, end, &length)
        found.p = p
        found.n = length
        p += length
    return found


cdef int wire_next_attribute(Scan *scan, const uint8_t **at, const uint8_t *end, uint32_t field, Attribute *out) noexcept nogil:
    cdef const uint8_t *p = at[0]
    cdef const uint8_t *stop
    cdef uint32_t tag
    cdef size_t length
    cdef Span piece
    cdef bint joined = False
    while p < end:
        p = read_tag(p, end, &tag)
        if tag & 7 != WT_BYTES or (field and tag >> 3 != field):
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        p = read_length(p, end, &length)
        stop = p + length
        at[0] = stop
        out.key = out.value = no_span()
        while p < stop:
            p = read_tag(p, stop, &tag)
            if tag != (1 << 3 | WT_BYTES) and tag != (2 << 3 | WT_BYTES):
                p = skip_value(p, stop, tag, DEPTH_POINT)
                continue
            p = read_length(p, stop, &length)
            piece.p = p
            piece.n = length
            p += length
            if tag >> 3 == 1:
                out.key = piece
            elif join(scan, &out.value, piece, &joined) != WIRE_OK:
                return -1
        return 1
    return 0


cdef int put(Scan *scan, const void *bytes, size_t n) noexcept nogil:
    if mem_grow(scan.account, <void **>&scan.scratch, &scan.scratch_capacity, scan.scratch_used + n, 1) != 0:
        return -1
    if n:
        memcpy(scan.scratch + scan.scratch_used, bytes, n)
    scan.scratch_used += n
    return 0


cdef int put_tagged(Scan *scan, uint8_t tag, const void *bytes, size_t n) noexcept nogil:
    if put(scan, &tag, 1) != 0:
        return -1
    return put(scan, bytes, n)


cdef int put_sized_value(Scan *scan, Span value) noexcept nogil:
    """A value behind its length, which is known only when it has been written."""
    cdef uint32_t length = 0
    cdef size_t place = scan.scratch_used
    if put(scan, &length, 4) != 0 or put_value(scan, value) != 0:
        return -1
    length = <uint32_t>(scan.scratch_used - place - 4)
    memcpy(scan.scratch + place, &length, 4)
    return 0


cdef int put_value(Scan *scan, Span value) noexcept nogil:
    """Appends an AnyValue. It recurses, at most 47 deep: the value has been checked, and no more fit
    into the 100 messages that may be nested."""
    cdef const uint8_t *p = value.p
    cdef const uint8_t *end = p + value.n
    cdef uint32_t tag, member = 0
    cdef uint64_t number = 0
    cdef Span body = no_span()
    cdef Span piece
    cdef size_t length
    cdef uint8_t byte
    cdef bint joined = False
    while p < end:
        p = read_tag(p, end, &tag)
        if tag == (2 << 3 | WT_VARINT) or tag == (3 << 3 | WT_VARINT) or tag == (8 << 3 | WT_VARINT):
            p = read_varint(p, end, &number)
        elif tag == (4 << 3 | WT_FIXED64):
            p = read_fixed64(p, end, &number)
        elif tag & 7 == WT_BYTES and (tag >> 3 == 1 or 5 <= tag >> 3 <= 7):
            p = read_length(p, end, &length)
            piece.p = p
            piece.n = length
            p += length
            if tag >> 3 != member or member == 1 or member == 7:
                joined = False
            if join(scan, &body, piece, &joined) != WIRE_OK:
                return -1
        else:
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        member = tag >> 3
    if member == 1:
        return put_tagged(scan, b's', body.p, body.n)
    if member == 2:
        byte = number != 0
        return put_tagged(scan, b'b', &byte, 1)
    if member == 3:
        return put_tagged(scan, b'i', &number, 8)
    if member == 4:
        return put_tagged(scan, b'd', &number, 8)
    if member == 5:
        return put_array(scan, body)
    if member == 6:
        return put_map(scan, body)
    if member == 7:
        return put_tagged(scan, b'y', body.p, body.n)
    # Nothing set, or an index into a table that only profiles have: no value.
    return put_tagged(scan, b'n', NULL, 0)


cdef int put_array(Scan *scan, Span body) noexcept nogil:
    cdef const uint8_t *p = body.p
    cdef const uint8_t *end = p + body.n
    cdef uint32_t tag
    cdef size_t length
    cdef Span item
    if put_tagged(scan, b'a', NULL, 0) != 0:
        return -1
    while p < end:
        p = read_tag(p, end, &tag)
        if tag != (1 << 3 | WT_BYTES):
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        p = read_length(p, end, &length)
        item.p = p
        item.n = length
        p += length
        if put_sized_value(scan, item) != 0:
            return -1
    return 0


# An entry of a map in the scratch buffer.
cdef struct MapEntry:
    size_t at, size             # of the whole entry
    uint32_t key_length


cdef int compare_keys(const uint8_t *base, const MapEntry *a, const MapEntry *b) noexcept nogil:
    cdef size_t least = a.key_length if a.key_length < b.key_length else b.key_length
    cdef int order = memcmp(base + a.at + 4, base + b.at + 4, least)
    if order == 0 and a.key_length != b.key_length:
        return -1 if a.key_length < b.key_length else 1
    return order


cdef int put_map(Scan *scan, Span body) noexcept nogil:
    cdef const uint8_t *at = body.p
    cdef const uint8_t *end = at + body.n
    cdef Attribute entry
    cdef MapEntry *entries = NULL
    cdef MapEntry moved
    cdef size_t count = 0, capacity = 0, begin, total, i, j
    cdef uint32_t length
    cdef uint8_t *sorted
    cdef int more
    if put_tagged(scan, b'm', NULL, 0) != 0:
        return -1
    begin = scan.scratch_used
    while True:
        more = wire_next_attribute(scan, &at, end, 1, &entry)
        if more == 0:
            break
        if more < 0 or mem_grow(scan.account, <void **>&entries, &capacity, count + 1, sizeof(MapEntry)) != 0:
            mem_free(scan.account, entries)
            return -1
        entries[count].at = scan.scratch_used
        entries[count].key_length = length = <uint32_t>entry.key.n
        if put(scan, &length, 4) != 0 or put(scan, entry.key.p, length) != 0 or put_sized_value(scan, entry.value) != 0:
            mem_free(scan.account, entries)
            return -1
        entries[count].size = scan.scratch_used - entries[count].at
        count += 1
    # Stable insertion sort: maps in attributes are small, and often sorted. Of equal keys the last one
    # is the one that is written.
    for i in range(1, count):
        moved = entries[i]
        j = i
        while j > 0:
            if compare_keys(scan.scratch, &entries[j - 1], &moved) <= 0:
                break
            entries[j] = entries[j - 1]
            j -= 1
        entries[j] = moved
    total = scan.scratch_used - begin
    sorted = arena_take(scan, total)
    if sorted == NULL:
        mem_free(scan.account, entries)
        return -1
    total = 0
    for i in range(count):
        if i + 1 < count and compare_keys(scan.scratch, &entries[i], &entries[i + 1]) == 0:
            continue
        memcpy(sorted + total, scan.scratch + entries[i].at, entries[i].size)
        total += entries[i].size
    if total:
        memcpy(scan.scratch + begin, sorted, total)
    scan.scratch_used = begin + total
    mem_free(scan.account, entries)
    return 0


cdef Span wire_canonical_value(Scan *scan, Span value) noexcept nogil:
    cdef Span out
    cdef uint8_t *room
    out.p = NULL
    out.n = 0
    scan.scratch_used = 0
    if put_value(scan, value) != 0:
        return out
    room = arena_take(scan, scan.scratch_used)
    if room == NULL:
        return out
    memcpy(room, scan.scratch, scan.scratch_used)
    out.p = room
    out.n = scan.scratch_used
    return out


# ---- for tests and benchmarks ---------------------------------------------------------------------------

cdef bytes span_bytes(Span span):
    return (<const char *>span.p)[:span.n]


cdef class Scanner:
    """The scanner alone, with what it finds as plain Python; what a store does not need, tests do."""

    cdef Scan scan_
    cdef Account account

    def __cinit__(self):
        account_init(&self.account)
        scan_init(&self.scan_, &self.account)

    def __dealloc__(self):
        scan_destroy(&self.scan_)

    @property
    def memory_bytes(self):
        """Bytes that the scanner holds between scans."""
        return self.account.bytes

    def count(self, bytes data not None):
        """Number of points in a request; -1 if it is malformed. The bare scan, for benchmarks."""
        cdef const uint8_t *p = <const uint8_t *>data
        cdef size_t n = len(data)
        cdef int verdict
        with nogil:
            verdict = wire_scan(&self.scan_, p, n)
        return self.scan_.total_points if verdict == WIRE_OK else -1

    def scan(self, bytes data not None, uint32_t max_attributes=0xFFFFFFFF, uint32_t max_string=0xFFFFFFFF):
        """[(resource, scope, metric, points)] of each metric that has points; None if it is malformed.

        resource: attributes; scope: (name, version, schema_url, attributes); metric: (name, unit,
        description, kind, temporality, monotonic); a point: (reason, attributes, time, start, value
        bits, flags, layout words, row words, exemplars, bad exemplars), of a refused one the first two.
        """
        cdef Scan *scan = &self.scan_
        cdef WireMetric *metric
        cdef WireScope *scope
        cdef WirePoint *point
        cdef size_t i
        if wire_scan(scan, <const uint8_t *>data, len(data)) != WIRE_OK:
            return None
        for i in range(scan.resource_count):
            if wire_check_resource(scan.resources[i].body, max_attributes, max_string) > 0:
                return None
        for i in range(scan.scope_count):
            if wire_check_scope(scan.scopes[i].body, max_attributes, max_string) > 0:
                return None
        for i in range(scan.point_count):
            if wire_check_attributes(scan.points[i].attributes, max_attributes, max_string) > 0:
                return None
        found = []
        for i in range(scan.metric_count):
            metric = &scan.metrics[i]
            scope = &scan.scopes[metric.scope]
            found.append((
                self.attributes(scan.resources[scope.resource].body, 1),
                (span_bytes(wire_string_field(scope.body, 1)).decode(),
                 span_bytes(wire_string_field(scope.body, 2)).decode(),
                 span_bytes(scope.schema_url).decode(),
                 self.attributes(scope.body, 3)),
                (span_bytes(metric.name).decode(), span_bytes(metric.unit).decode(),
                 span_bytes(metric.description).decode(), metric.kind, metric.temporality,
                 metric.monotonic),
                [],
            ))
        for i in range(scan.point_count):
            point = &scan.points[i]
            found[point.metric][3].append(self.point(point))
        return found

    cdef object attributes(self, Span span, uint32_t field):
        cdef const uint8_t *at = span.p
        cdef Attribute attribute
        cdef dict found = {}
        while wire_next_attribute(&self.scan_, &at, span.p + span.n, field, &attribute) > 0:
            key = span_bytes(attribute.key).decode()
            found[key] = decode_value(span_bytes(wire_canonical_value(&self.scan_, attribute.value)))
        return found

    cdef object point(self, WirePoint *point):
        cdef Point *slot
        cdef uint64_t *words
        cdef uint64_t header = 0
        cdef uint32_t i, layout = 0, row = 0
        attributes = self.attributes(point.attributes, 0)
        if point.reason != REJECT_NONE:
            return point.reason, attributes
        slot = &self.scan_.slots[point.slot]
        words = <uint64_t *>(slot + 1)
        exemplars = b""
        if slot.payload:
            header = words[0]
            layout = payload_layout_words(header)
            row = payload_row_words(header)
            exemplars = (<const char *>(words + 1 + layout + row))[:payload_exemplar_bytes(header)]
        return (
            0, attributes, slot.timestamp, (slot - slot.start).timestamp, slot.value, slot.flags,
            [words[1 + i] for i in range(layout)], [words[1 + layout + i] for i in range(row)],
            exemplars, point.bad_exemplars,
        )
