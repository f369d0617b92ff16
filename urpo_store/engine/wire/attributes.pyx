"""Attributes as they come; the contract is in wire/attributes.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memset

from urpo_store.engine.memory.alloc cimport mem_free, mem_grow
from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.wire.arena cimport Pieces, arena_take, no_span, pieces_add
from urpo_store.engine.wire.messages cimport (
    DEPTH_POINT, DEPTH_RESOURCE, DEPTH_SCOPE, M_ATTRIBUTES, M_RESOURCE, M_SCOPE, check_message,
)
from urpo_store.engine.wire.protobuf cimport (
    CHECKED, WT_BYTES, Cursor, Field, cursor_over, next_field,
)
from urpo_store.engine.wire.tags cimport (
    ANY_ARRAY, ANY_BOOL, ANY_BYTES, ANY_DOUBLE, ANY_INT, ANY_MAP, ANY_STRING, ANY_STRING_INDEX,
    ARRAY_ITEM, KEYVALUE_KEY, KEYVALUE_VALUE, MAP_ENTRY, RESOURCE_ATTRIBUTE, SCOPE_ATTRIBUTE,
    SCOPE_NAME, SCOPE_VERSION,
)
from urpo_store.engine.wire.types cimport REJECT_ATTRIBUTES, REJECT_STRING, WIRE_E_NONE, Scan, Span


# ---- limits and checks ---------------------------------------------------------------------------

cdef inline bint is_attribute(const Field *field, uint32_t number) noexcept nogil:
    """Whether the field is a KeyValue of this number, 0 for any."""
    return field.tag & 7 == WT_BYTES and (number == 0 or field.tag >> 3 == number)


cdef bint has_long_string(Span attribute, uint32_t max_string) noexcept nogil:
    """Whether a KeyValue's key, or its value with all that is in it, is longer than the limit.

    Of a value its own bytes are measured, tags and lengths included: a list of many short texts
    takes as much memory as one long text.
    """
    cdef Cursor cursor = cursor_over(attribute, CHECKED)
    cdef Field field
    cdef uint32_t rest = max_string >> 7
    cdef size_t head = 2
    # A text of exactly max_string bytes comes after a tag and its length, a varint.
    while rest:
        head += 1
        rest >>= 7
    while next_field(&cursor, &field):
        if field.tag == KEYVALUE_KEY and field.body.n > max_string:
            return True
        if field.tag == KEYVALUE_VALUE and field.body.n > max_string + head:
            return True
    return False


cdef int check_limits(
    Span body, uint32_t number, uint32_t max_attributes, uint32_t max_string
) noexcept nogil:
    """The limits on the attributes in a checked message."""
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    cdef uint32_t count = 0
    while next_field(&cursor, &field):
        if not is_attribute(&field, number):
            continue
        count += 1
        if count > max_attributes:
            return REJECT_ATTRIBUTES
        if field.body.n > max_string and has_long_string(field.body, max_string):
            return REJECT_STRING
    return OK


cdef int wire_check_attributes(
    Span attributes, uint32_t max_attributes, uint32_t max_string
) noexcept nogil:
    if check_message(M_ATTRIBUTES, attributes, DEPTH_POINT) != WIRE_E_NONE:
        return BAD_BYTES
    return check_limits(attributes, 0, max_attributes, max_string)


cdef int wire_check_resource(
    Span body, uint32_t max_attributes, uint32_t max_string
) noexcept nogil:
    if check_message(M_RESOURCE, body, DEPTH_RESOURCE) != WIRE_E_NONE:
        return BAD_BYTES
    return check_limits(body, RESOURCE_ATTRIBUTE >> 3, max_attributes, max_string)


cdef int wire_check_scope(Span body, uint32_t max_attributes, uint32_t max_string) noexcept nogil:
    cdef int verdict
    if check_message(M_SCOPE, body, DEPTH_SCOPE) != WIRE_E_NONE:
        return BAD_BYTES
    verdict = check_limits(body, SCOPE_ATTRIBUTE >> 3, max_attributes, max_string)
    if verdict == OK and (wire_string_field(body, SCOPE_NAME >> 3).n > max_string
                          or wire_string_field(body, SCOPE_VERSION >> 3).n > max_string):
        return REJECT_STRING
    return verdict


# ---- attributes ----------------------------------------------------------------------------------

cdef Span wire_string_field(Span body, uint32_t field) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field each
    cdef Span found = no_span()
    while next_field(&cursor, &each):
        if each.tag == (field << 3 | WT_BYTES):
            found = each.body
    return found


cdef int read_attribute(Scan *scan, Span body, Attribute *out) noexcept nogil:
    """A KeyValue. OK or NO_MEMORY."""
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    cdef Pieces value
    memset(&value, 0, sizeof(Pieces))
    value.whole = out.key = no_span()
    while next_field(&cursor, &field):
        if field.tag == KEYVALUE_KEY:
            out.key = field.body
        elif field.tag == KEYVALUE_VALUE and pieces_add(scan, &value, field.body) != OK:
            return NO_MEMORY
    out.value = value.whole
    return OK


cdef int wire_next_attribute(
    Scan *scan, const uint8_t **at, const uint8_t *end, uint32_t field, Attribute *out
) noexcept nogil:
    cdef Cursor cursor
    cdef Field each
    cursor.at = at[0]
    cursor.end = end
    cursor.depth = CHECKED
    while next_field(&cursor, &each):
        if is_attribute(&each, field):
            at[0] = cursor.at
            return 1 if read_attribute(scan, each.body, out) == OK else NO_MEMORY
    return 0


# ---- canonical values ----------------------------------------------------------------------------
#
# They are built in Scan.scratch. Each put_* appends to it and answers OK or NO_MEMORY.

cdef int put(Scan *scan, const void *bytes, size_t n) noexcept nogil:
    if mem_grow(scan.account, <void **>&scan.scratch, &scan.scratch_capacity, scan.scratch_used + n,
                1) != OK:
        return NO_MEMORY
    if n:
        memcpy(scan.scratch + scan.scratch_used, bytes, n)
    scan.scratch_used += n
    return OK


cdef int put_tagged(Scan *scan, uint8_t tag, const void *bytes, size_t n) noexcept nogil:
    cdef int verdict = put(scan, &tag, 1)
    return put(scan, bytes, n) if verdict == OK else verdict


cdef int put_sized_value(Scan *scan, Span value) noexcept nogil:
    """A value after its length, which is known only when the value has been written."""
    cdef uint32_t length = 0
    cdef size_t place = scan.scratch_used
    if put(scan, &length, 4) != OK or put_value(scan, value) != OK:
        return NO_MEMORY
    length = <uint32_t>(scan.scratch_used - place - 4)
    memcpy(scan.scratch + place, &length, 4)
    return OK


cdef int put_value(Scan *scan, Span value) noexcept nogil:
    """An AnyValue. It recurses at most 47 deep: the value has been checked, and no more fit into
    the 100 messages that may be nested."""
    cdef Cursor cursor = cursor_over(value, CHECKED)
    cdef Field field
    cdef Pieces body            # of the member, if it has one
    cdef uint64_t number = 0
    cdef uint32_t member = 0    # of the oneof, as a tag: the last one sent
    cdef uint8_t byte
    memset(&body, 0, sizeof(Pieces))
    while next_field(&cursor, &field):
        if (field.tag == ANY_STRING or field.tag == ANY_ARRAY or field.tag == ANY_MAP
                or field.tag == ANY_BYTES):
            # Pieces of a list or a map are merged; of texts the last one counts.
            if field.tag != member or member == ANY_STRING or member == ANY_BYTES:
                body.any = False
            if pieces_add(scan, &body, field.body) != OK:
                return NO_MEMORY
        elif (field.tag == ANY_BOOL or field.tag == ANY_INT or field.tag == ANY_DOUBLE
                or field.tag == ANY_STRING_INDEX):
            number = field.value
        else:
            continue
        member = field.tag
    if member == ANY_STRING:
        return put_tagged(scan, b's', body.whole.p, body.whole.n)
    if member == ANY_BOOL:
        byte = number != 0
        return put_tagged(scan, b'b', &byte, 1)
    if member == ANY_INT:
        return put_tagged(scan, b'i', &number, 8)
    if member == ANY_DOUBLE:
        return put_tagged(scan, b'd', &number, 8)
    if member == ANY_ARRAY:
        return put_array(scan, body.whole)
    if member == ANY_MAP:
        return put_map(scan, body.whole)
    if member == ANY_BYTES:
        return put_tagged(scan, b'y', body.whole.p, body.whole.n)
    # Nothing is set, or an index into a table that only profiles have: no value.
    return put_tagged(scan, b'n', NULL, 0)


cdef int put_array(Scan *scan, Span body) noexcept nogil:
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    if put_tagged(scan, b'a', NULL, 0) != OK:
        return NO_MEMORY
    while next_field(&cursor, &field):
        if field.tag == ARRAY_ITEM and put_sized_value(scan, field.body) != OK:
            return NO_MEMORY
    return OK


# ---- maps: sorted by key, of equal keys the last one ---------------------------------------------

# An entry of a map in the scratch buffer: u32 length of the key, key, u32 length of the value,
# value.
cdef struct MapEntry:
    size_t at, size             # of the whole entry
    const uint8_t *key          # set when all entries are there and the buffer moves no more
    uint32_t key_length

cdef struct MapEntries:
    MapEntry *entries
    size_t count, capacity


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


cdef int put_entries(Scan *scan, Span body, MapEntries *map) noexcept nogil:
    """Appends the entries in the order in which they come, and notes where each is."""
    cdef Cursor cursor = cursor_over(body, CHECKED)
    cdef Field field
    cdef Attribute sent
    cdef MapEntry *entry
    cdef uint32_t length
    while next_field(&cursor, &field):
        if field.tag != MAP_ENTRY:
            continue
        if read_attribute(scan, field.body, &sent) != OK:
            return NO_MEMORY
        if mem_grow(scan.account, <void **>&map.entries, &map.capacity, map.count + 1,
                    sizeof(MapEntry)) != OK:
            return NO_MEMORY
        entry = &map.entries[map.count]
        entry.at = scan.scratch_used
        entry.key_length = length = <uint32_t>sent.key.n
        if (put(scan, &length, 4) != OK or put(scan, sent.key.p, length) != OK
                or put_sized_value(scan, sent.value) != OK):
            return NO_MEMORY
        entry.size = scan.scratch_used - entry.at
        map.count += 1
    return OK


cdef int sort_entries(Scan *scan, size_t begin, MapEntries *map) noexcept nogil:
    """Puts the entries into canonical order. They take the scratch buffer from `begin` on."""
    cdef MapEntry *entries = map.entries
    cdef uint8_t *sorted = arena_take(scan, scan.scratch_used - begin)
    cdef size_t i, total = 0
    if sorted == NULL:
        return NO_MEMORY
    for i in range(map.count):
        entries[i].key = scan.scratch + entries[i].at + 4
    if map.count > 1:
        qsort(entries, map.count, sizeof(MapEntry), by_key_and_place)
    for i in range(map.count):
        if i + 1 < map.count and compare_keys(&entries[i], &entries[i + 1]) == 0:
            continue
        memcpy(sorted + total, scan.scratch + entries[i].at, entries[i].size)
        total += entries[i].size
    if total:
        memcpy(scan.scratch + begin, sorted, total)
    scan.scratch_used = begin + total
    return OK


cdef int put_map(Scan *scan, Span body) noexcept nogil:
    cdef MapEntries map
    cdef size_t begin
    cdef int verdict
    memset(&map, 0, sizeof(MapEntries))
    if put_tagged(scan, b'm', NULL, 0) != OK:
        return NO_MEMORY
    begin = scan.scratch_used
    verdict = put_entries(scan, body, &map)
    if verdict == OK:
        verdict = sort_entries(scan, begin, &map)
    mem_free(scan.account, map.entries)
    return verdict


cdef Span wire_canonical_value(Scan *scan, Span value) noexcept nogil:
    cdef Span out
    cdef uint8_t *room
    out.p = NULL
    out.n = 0
    scan.scratch_used = 0
    if put_value(scan, value) != OK:
        return out
    room = arena_take(scan, scan.scratch_used)
    if room == NULL:
        return out
    memcpy(room, scan.scratch, scan.scratch_used)
    out.p = room
    out.n = scan.scratch_used
    return out
