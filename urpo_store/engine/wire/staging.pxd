# Data points: what all kinds have in common, and numbers (of gauges and sums).
#
# A point's fields are read in one pass, then it is staged: what is wrong with it alone is noted, what
# is right becomes slots as points/slots.pxd describes them.
#
# The attributes are most of a point's bytes, and mostly those that are expected (Scan.expected): then one
# comparison takes the place of reading them.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from urpo_store.engine.wire.types cimport Scan, Span

# A data point while its fields are read.
cdef struct Fields:
    uint64_t time, start, value, count
    uint64_t sum, min, max
    uint32_t flags              # as sent
    uint32_t has                # FLAG_INT, FLAG_SUM, FLAG_MIN, FLAG_MAX
    bint has_value
    Span attributes
    bint scattered              # attributes are not one run
    bint expected               # they begin with the expected ones
    uint32_t exemplars
    uint32_t attribute_field, exemplar_field


cdef inline void add_attribute(Fields *fields, const uint8_t *tag, const uint8_t *end) noexcept nogil:
    if fields.attributes.n == 0:
        fields.attributes.p = tag
        fields.attributes.n = end - tag
    elif fields.attributes.p + fields.attributes.n == tag:
        fields.attributes.n += end - tag
    else:
        fields.scattered = True


cdef inline bint add_expected(Scan *scan, Fields *fields, const uint8_t *tag, const uint8_t *end) noexcept nogil:
    """Takes all attributes in one step when, from this first one on, they are the expected bytes."""
    cdef Span expected = scan.expected
    if (fields.attributes.n or expected.n == 0 or <size_t>(end - tag) < expected.n
            or memcmp(tag, expected.p, expected.n) != 0):
        return False
    fields.attributes.p = tag
    fields.attributes.n = expected.n
    fields.expected = True
    return True


# OK, BAD_BYTES, NO_MEMORY, or what a callback answered: both of these.
#
# Takes one point of Scan.current into the arrays. `reason` is what is wrong with it so far; layout and row
# words are counted here and filled by the caller, at *words (NULL: the point is refused).
cdef int stage(Scan *scan, Fields *fields, Span body, uint32_t reason, size_t layout,
               size_t row, uint64_t **words) noexcept nogil
# A NumberDataPoint.
cdef int number_point(Scan *scan, Span body) noexcept nogil
