# Attributes as they come in a request: checked in full only when they are not known, walked, and
# their values written in the one form in which equal values have equal bytes (identity/values.pxd).
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.wire.types cimport Scan, Span

cdef struct Attribute:
    Span key                    # UTF-8
    Span value                  # the AnyValue message, merged (empty: no value)

# The full check of what a scan has deferred, as upb would make it at the place in the request.
# OK, BAD_BYTES, or the limit that is broken: REJECT_ATTRIBUTES or REJECT_STRING (both > 0).
cdef int wire_check_attributes(
    Span attributes, uint32_t max_attributes, uint32_t max_string
) noexcept nogil
cdef int wire_check_resource(
    Span body, uint32_t max_attributes, uint32_t max_string
) noexcept nogil
cdef int wire_check_scope(Span body, uint32_t max_attributes, uint32_t max_string) noexcept nogil

# REQUIRES for all below: the bytes have been checked.

# The next attribute from *at on, which it moves. `field` is the number of the KeyValue field: 1 in
# a resource, 3 in a scope, 0 in WirePoint.attributes, where every field is one. A value in pieces
# is merged in the arena. 1; 0: there is none; NO_MEMORY.
cdef int wire_next_attribute(
    Scan *scan, const uint8_t **at, const uint8_t *end, uint32_t field, Attribute *out
) noexcept nogil
# A string field of a message: its last occurrence, empty if there is none.
cdef Span wire_string_field(Span body, uint32_t field) noexcept nogil
# The canonical bytes (identity/values.pxd) of an AnyValue, in the arena. p is NULL: no memory.
cdef Span wire_canonical_value(Scan *scan, Span value) noexcept nogil
