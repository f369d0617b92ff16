"""Attributes as they come; the contract is in wire/attributes.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memset

from urpo_store.engine.memory.alloc cimport mem_free, mem_grow
from urpo_store.engine.memory.status cimport BAD_BYTES, OK
from urpo_store.engine.wire.arena cimport Pieces, arena_take, no_span, pieces_add
from urpo_store.engine.wire.messages cimport (
    DEPTH_POINT, DEPTH_RESOURCE, DEPTH_SCOPE, M_ATTRIBUTES, M_RESOURCE, M_SCOPE, check_message,
)
from urpo_store.engine.wire.protobuf cimport (
    WT_BYTES, WT_FIXED64, WT_VARINT, read_fixed64, read_length, read_tag, read_varint, skip_value,
)
from urpo_store.engine.wire.types cimport REJECT_ATTRIBUTES, REJECT_STRING, WIRE_E_NONE, Scan, Span


# ---- limits and checks ----------------------------------------------------------------------------------

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
            return REJECT_ATTRIBUTES
        if length > max_string and has_long_string(p, length, max_string):
            return REJECT_STRING
        p += length
    return OK


cdef bint has_long_string(const uint8_t *p, size_t n, uint32_t max_string) noexcept nogil:
    """Whether a KeyValue's key, or its value with all that is in it, is longer than the limit.

    The value's own bytes are what is measured, tags and lengths included: a list of many short texts
    is as much to keep as one long text.
    """
    cdef const uint8_t *end = p + n
    cdef uint32_t tag, rest = max_string >> 7
    cdef size_t length, head = 2
    while rest:
        head += 1
        rest >>= 7
    while p < end:
        p = read_tag(p, end, &tag)
        if tag & 7 != WT_BYTES:
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        p = read_length(p, end, &length)
        # A text of exactly max_string bytes stands behind a tag and its length, a varint.
        if (tag >> 3 == 1 and length > max_string) or (tag >> 3 == 2 and length > max_string + head):
            return True
        p += length
    return False


cdef int check_deferred(uint32_t kind, Span body, int depth, uint32_t field, uint32_t max_attributes,
                        uint32_t max_string) noexcept nogil:
    if check_message(kind, body.p, body.p + body.n, depth) != WIRE_E_NONE:
        return BAD_BYTES
    return check_limits(body, field, max_attributes, max_string)


cdef int wire_check_attributes(Span attributes, uint32_t max_attributes, uint32_t max_string) noexcept nogil:
    return check_deferred(M_ATTRIBUTES, attributes, DEPTH_POINT, 0, max_attributes, max_string)


cdef int wire_check_resource(Span body, uint32_t max_attributes, uint32_t max_string) noexcept nogil:
    return check_deferred(M_RESOURCE, body, DEPTH_RESOURCE, 1, max_attributes, max_string)


cdef int wire_check_scope(Span body, uint32_t max_attributes, uint32_t max_string) noexcept nogil:
    cdef int verdict = check_deferred(M_SCOPE, body, DEPTH_SCOPE, 3, max_attributes, max_string)
    if verdict == OK and (
        wire_string_field(body, 1).n > max_string or wire_string_field(body, 2).n > max_string
    ):
        return REJECT_STRING
    return verdict


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
    cdef Pieces value
    while p < end:
        p = read_tag(p, end, &tag)
        if tag & 7 != WT_BYTES or (field and tag >> 3 != field):
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        p = read_length(p, end, &length)
        stop = p + length
        at[0] = stop
        out.key = no_span()
        memset(&value, 0, sizeof(Pieces))
        value.whole = no_span()
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
            elif pieces_add(scan, &value, piece) != OK:
                return -1
        out.value = value.whole
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
    cdef Pieces body
    cdef Span piece
    cdef size_t length
    cdef uint8_t byte
    memset(&body, 0, sizeof(Pieces))
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
                body.any = False
            if pieces_add(scan, &body, piece) != OK:
                return -1
        else:
            p = skip_value(p, end, tag, DEPTH_POINT)
            continue
        member = tag >> 3
    if member == 1:
        return put_tagged(scan, b's', body.whole.p, body.whole.n)
    if member == 2:
        byte = number != 0
        return put_tagged(scan, b'b', &byte, 1)
    if member == 3:
        return put_tagged(scan, b'i', &number, 8)
    if member == 4:
        return put_tagged(scan, b'd', &number, 8)
    if member == 5:
        return put_array(scan, body.whole)
    if member == 6:
        return put_map(scan, body.whole)
    if member == 7:
        return put_tagged(scan, b'y', body.whole.p, body.whole.n)
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
    const uint8_t *key          # once all entries are there and the buffer moves no more
    uint32_t key_length


cdef int compare_keys(const MapEntry *a, const MapEntry *b) noexcept nogil:
    cdef size_t least = a.key_length if a.key_length < b.key_length else b.key_length
    cdef int order = memcmp(a.key, b.key, least)
    if order == 0 and a.key_length != b.key_length:
        return -1 if a.key_length < b.key_length else 1
    return order


cdef int by_key_and_place(const void *a, const void *b) noexcept nogil:
    cdef const MapEntry *x = <const MapEntry *>a
    cdef const MapEntry *y = <const MapEntry *>b
    cdef int order = compare_keys(x, y)
    return order if order else (x.at > y.at) - (x.at < y.at)


cdef int put_map(Scan *scan, Span body) noexcept nogil:
    cdef const uint8_t *at = body.p
    cdef const uint8_t *end = at + body.n
    cdef Attribute entry
    cdef MapEntry *entries = NULL
    cdef size_t count = 0, capacity = 0, begin, total, i
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
    for i in range(count):
        entries[i].key = scan.scratch + entries[i].at + 4
    # Of equal keys the last one is the one that is written.
    if count > 1:
        qsort(entries, count, sizeof(MapEntry), by_key_and_place)
    total = scan.scratch_used - begin
    sorted = arena_take(scan, total)
    if sorted == NULL:
        mem_free(scan.account, entries)
        return -1
    total = 0
    for i in range(count):
        if i + 1 < count and compare_keys(&entries[i], &entries[i + 1]) == 0:
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
