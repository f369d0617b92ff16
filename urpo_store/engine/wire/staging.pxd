# Staging a point: what all kinds of data points have in common.
#
#   1. A kind's module reads the fields of one point into PointFields, in one pass.
#   2. It says what is wrong with the point (`reason`) and how many words its payload needs.
#   3. stage() takes the point into Scan.points and, if it is good, into Scan.slots.
#   4. The kind's module fills the payload, at PointFields.words.
#
# Attributes are most of a point's bytes, and mostly those that are expected (Scan.expected). Then
# one comparison takes the place of reading them.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from urpo_store.engine.wire.arena cimport ArenaMark, arena_back, no_span
from urpo_store.engine.wire.protobuf cimport Cursor, Field
from urpo_store.engine.wire.types cimport REJECT_NONE, Scan, Span

cdef struct PointFields:
    # Set by fields_begin.
    Span body                   # the whole message
    uint32_t attribute_tag, exemplar_tag
    # Set by the kind's module, from the fields as sent.
    uint64_t time, start, value
    uint64_t sum, min, max
    uint32_t flags              # as sent
    uint32_t has                # FLAG_INT, FLAG_SUM, FLAG_MIN, FLAG_MAX
    uint32_t exemplars          # how many
    # Set by take_attribute.
    Span attributes
    bint scattered              # they are not one run
    bint expected               # they begin with the expected ones
    # Set by the kind's module before stage().
    uint32_t reason             # REJECT_*: what is wrong with the point so far
    size_t layout, row          # words of the payload
    # Set by stage(): where the layout and row words go. NULL: there is nothing to fill.
    uint64_t *words

# Takes one point of Scan.current into the arrays. OK, BAD_BYTES, NO_MEMORY, or what a callback
# answered.
cdef int stage(Scan *scan, PointFields *fields) noexcept nogil


cdef inline void fields_begin(
    PointFields *fields, Span body, uint32_t attribute_tag, uint32_t exemplar_tag
) noexcept nogil:
    fields.body = body
    fields.attribute_tag = attribute_tag
    fields.exemplar_tag = exemplar_tag
    # One by one: a memset of so few words takes longer than all of them.
    fields.time = fields.start = fields.value = 0
    fields.sum = fields.min = fields.max = 0
    fields.flags = fields.has = fields.exemplars = 0
    fields.attributes = no_span()
    fields.scattered = fields.expected = False
    fields.reason = REJECT_NONE
    fields.layout = fields.row = 0
    fields.words = NULL


# Takes a point's attribute, or all that are expected at once when this is the first one.
cdef inline void take_attribute(
    const Scan *scan, PointFields *fields, const Field *field, Cursor *cursor
) noexcept nogil:
    cdef const uint8_t *begin = field.begin
    cdef size_t expected
    if fields.attributes.n:
        if fields.attributes.p + fields.attributes.n == begin:
            fields.attributes.n += cursor.at - begin
        else:
            fields.scattered = True
        return
    expected = scan.expected.n
    if (expected and <size_t>(cursor.end - begin) >= expected
            and memcmp(begin, scan.expected.p, expected) == 0):
        fields.expected = True
        cursor.at = begin + expected
    fields.attributes.p = begin
    fields.attributes.n = cursor.at - begin


# Gives back what a point took of the arena, when its numbers are in slots. Attributes that were
# gathered there are needed until the point is resolved.
cdef inline void release_arena(
    Scan *scan, const PointFields *fields, ArenaMark mark
) noexcept nogil:
    if not fields.scattered:
        arena_back(scan, mark)
