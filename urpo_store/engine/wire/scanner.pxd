# The OTLP scanner: protobuf bytes of an ExportMetricsServiceRequest to points, without objects.
#
# Identity comes after the values in every producer's byte order, so resources, scopes and metrics are scanned
# twice: first their fields are indexed, then their sub-messages are entered, identity first.
# Points, which are nearly all of the bytes, are scanned once: see scan_data, and Scan.expected.
#
# The scanner decides exactly as protobuf's reference decoder (upb) does: what upb refuses makes the
# whole request BAD_BYTES; what it accepts (any field order, merged and split sub-messages,
# packed and unpacked, unknown fields and groups, last scalar wins, last oneof member wins) is read
# as it reads it. Fragments of a message that is sent in several pieces are concatenated in the arena,
# which is what merging means in protobuf.
#
# One thing is deferred: the inside of attributes (KeyValue). The raw bytes of an attribute set, a
# resource or a scope that are already known as an alias have been checked when they first came;
# whoever does not know them calls wire_check_* (attribute_values) before believing them.
#
# Nothing here takes a lock or the GIL (but what on_batch does), or recurses on input. Everything found
# points into the request or into the scan's arena and is valid until the next wire_scan with the same Scan.
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.wire.types cimport Scan

cdef int wire_scan(Scan *scan, const uint8_t *data, size_t length) noexcept nogil
cdef const char *wire_error_text(uint32_t error) noexcept nogil
