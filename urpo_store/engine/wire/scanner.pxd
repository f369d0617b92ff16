# The OTLP scanner: from the protobuf bytes of an ExportMetricsServiceRequest to points, without
# objects.
#
# Invariants:
#   1. The scanner decides exactly as protobuf's reference decoder (upb). What upb refuses makes the
#      whole request BAD_BYTES. What upb accepts is read as upb reads it: any field order,
#      sub-messages in pieces, packed and unpacked, unknown fields and groups; the last scalar and
#      the last member of a oneof win.
#   2. One check is deferred: that of attributes (KeyValue) inside an attribute set, a resource or a
#      scope. If its raw bytes are known as an alias, they have been checked before. If not, the
#      caller calls wire_check_* (wire/attributes.pxd) before it uses them.
#   3. What is found points into the request or into the scan's arena, and is valid until the next
#      wire_scan with the same Scan.
#   4. Nothing here takes a lock or the GIL, or recurses on input. The callbacks may take a lock.
#
# In a producer's byte order identity may come after content. So a resource, a scope and a metric
# are read twice: first their fields are indexed, then their sub-messages are entered, identity
# first. Points, which are nearly all of the bytes, are read once: see temporality.pxd and
# Scan.expected.
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.wire.types cimport Scan

# OK, BAD_BYTES (see Scan.error), NO_MEMORY, or what a callback answered.
# REQUIRES: scan_init; the options of the Scan are set.
cdef int wire_scan(Scan *scan, const uint8_t *data, size_t length) noexcept nogil
# What WIRE_E_* means, for people.
cdef const char *wire_error_text(uint32_t error) noexcept nogil
