# Attributes as they come in a request: checked in full only when they are not known, walked, and their
# values written in the one form in which equal values have equal bytes (identity/values.pxd).
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.wire.types cimport Scan, Span

cdef struct Attribute:
    Span key                    # UTF-8
    Span value                  # the AnyValue message, merged (empty: no value)

# Full check of deferred parts, as upb would. `depth` is fixed by where they stand in a request.
# OK, BAD_BYTES, or the limit that is broken: REJECT_ATTRIBUTES, REJECT_STRING (all > 0).
cdef int wire_check_attributes(Span attributes, uint32_t max_attributes, uint32_t max_string) noexcept nogil
cdef int wire_check_resource(Span body, uint32_t max_attributes, uint32_t max_string) noexcept nogil
cdef int wire_check_scope(Span body, uint32_t max_attributes, uint32_t max_string) noexcept nogil

# Iterates the attributes of a checked span. `field` is the KeyValue field's number in it (1 in a
# resource, 3 in a scope), 0 in WirePoint.attributes where every field is one. Moves *at; returns 1,
# 0 at the end. A KeyValue whose value comes in pieces is merged in the arena (-1: no memory).
cdef int wire_next_attribute(Scan *scan, const uint8_t **at, const uint8_t *end, uint32_t field, Attribute *out) noexcept nogil
# A field of a checked message as a string: its last occurrence (empty if none).
cdef Span wire_string_field(Span body, uint32_t field) noexcept nogil
# The canonical bytes (identity/values.pxd) of a checked AnyValue, in the arena; p is NULL: no memory.
cdef Span wire_canonical_value(Scan *scan, Span value) noexcept nogil
