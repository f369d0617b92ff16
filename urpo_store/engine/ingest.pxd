# From a request's bytes to points that queries see.
#
#   1  wire_scan unpacks the request into the caller's staging; resolve_point looks up each point's
#      series by its raw bytes as it is met
#   2  resolve_rest looks up what came in another order than last time, and checks in full what is
#      not known
#   -- so far only hints, and when series were last seen, have changed: a malformed request stores
#   nothing
#   3  what is not known is created: resources, scopes, metrics, series
#   4  the points are filed for health
#   5  room in the ring is claimed and the points are published; now they are visible
#
# Passes. A request of at most BATCH points and LARGE bytes is one batch and one pass. A larger one
# is scanned twice: the first pass only looks (Scan.dry), so that it is known to be well formed; the
# second one stores PART points at a time, so that what is staged is bounded and stays in the
# caches.
#
# Invariants
# (1) Points are staged as slots (points/slots.pxd) and leave the staging only in `publish`.
# (2) A slot whose point is refused after it was staged is voided: series 0, which the drain and
#     every reader pass over.
# (3) Points are counted as published before they are visible, so the drain never counts more.
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.store cimport Store

cdef enum:
    LARGE = 4 << 20
    BATCH = 65536
    PART = 8192

# Stores a request. Slot `slot`'s staging then tells what became of it: accepted, rejected,
# refusals. OK; BAD_BYTES (Scan.error says why; nothing is stored) or NO_MEMORY (of a large request
# some batches may be stored: see accepted). REQUIRES: the caller is in an epoch and holds its slot
# `slot`; the bytes do not change.
cdef int ingest_request(Store *store, int slot, const uint8_t *data, size_t length) noexcept nogil
