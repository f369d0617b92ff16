# From a request's bytes to points that queries see.
#
#   1  wire_scan unpacks the request into the caller's staging memory
#   2  every part is looked up by its raw bytes; what is not known is checked in full
#      -- until here nothing has been changed: a malformed request leaves no trace --
#   3  what was not known is created: resources, scopes, metrics, series
#   4  the points are filed for health
#   5  room in the ring is claimed and the points are published; now they are visible
#
# A request of more than BATCH points is scanned twice: the first pass only validates.
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.store cimport Staging, Store

cdef enum:
    BATCH = 65536

# Stores a request. The caller is inside epoch slot `slot`, whose staging then tells what became of
# it: accepted, rejected, refusals. WIRE_OK, WIRE_MALFORMED (Scan.error, nothing stored) or
# WIRE_NO_MEMORY (of a large request some batches may have been stored: see accepted).
cdef int ingest_request(Store *store, int slot, const uint8_t *data, size_t length) noexcept nogil
