# From a request's bytes to points that queries see.
#
#   1  wire_scan unpacks the request into the caller's staging memory; resolve_point looks up each point's
#      series by its raw bytes as it is met
#   2  resolve_rest looks up what came in another order than last time; what is not known is checked in full
#      -- until here nothing but hints and when series were last seen has been changed: a malformed request
#      stores nothing --
#   3  what was not known is created: resources, scopes, metrics, series
#   4  the points are filed for health
#   5  room in the ring is claimed and the points are published; now they are visible
#
# A request of more than LARGE bytes or BATCH points is scanned twice: the first pass only looks (Scan.dry),
# the second stores PART points at a time, so that what is staged is bounded and stays in the caches.
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.store cimport Store

cdef enum:
    LARGE = 4 << 20
    BATCH = 65536
    PART = 8192

# Stores a request. The caller is inside epoch slot `slot`, whose staging then tells what became of
# it: accepted, rejected, refusals. OK, BAD_BYTES (Scan.error, nothing stored) or
# NO_MEMORY (of a large request some batches may have been stored: see accepted).
cdef int ingest_request(Store *store, int slot, const uint8_t *data, size_t length) noexcept nogil
