# Which series the points of a request belong to, by their raw bytes.
#
#   while it is scanned   `resolve_point`: the point that followed last time is expected; its attributes
#                         are compared as the scanner meets them. A stray is looked up in the tables.
#   after the scan        `resolve_rest`: what has no series yet is looked up many at a time, and what
#                         is not known is checked in full, for it is going to be created.
#
# Nothing is created here and nothing becomes visible: a request that turns out to be malformed leaves no
# trace but hints at who follows whom, and that series were seen. The caller is inside an epoch, so that a
# Series stays valid.
from urpo_store.engine.wire.types cimport Scan, WirePoint
from urpo_store.engine.identity.types cimport Series
from urpo_store.engine.request cimport Request

cdef enum:
    NO_ROOM = 0xFFFFFFFF        # in Staging.metrics: no room for another series of this metric

# Of a pass over the request: nothing has been looked up yet.
cdef void resolve_begin(Request *request) noexcept nogil
# The scan's on_point; its context is the Request.
cdef int resolve_point(void *context, Scan *scan, WirePoint *point, bint expected) noexcept nogil
# Notes the series of a good point where it is needed: its slot, what health is told. OK (the point is
# without a series again if that has been evicted meanwhile) or NO_MEMORY.
cdef int resolve_take(Request *request, Scan *scan, WirePoint *point, Series *series) noexcept nogil
# After the points of a batch have been scanned. OK, BAD_BYTES or NO_MEMORY; a point that
# is still without a series is new, or refused.
cdef int resolve_rest(Request *request) noexcept nogil
# The points of a batch have been stored, and what was not known may be known now; more may follow.
cdef void resolve_next(Request *request) noexcept nogil
