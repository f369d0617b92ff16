# Which series the points of a request belong to, by their raw bytes.
#
#   resolve_point   while a batch is scanned: the point that followed last time is expected, and its
#                   attributes are compared as the scanner meets them. A stray (a point that is not
#                   the expected one) is looked up in the table.
#   resolve_rest    after the batch has been scanned: what has no series yet is looked up, many at a
#                   time. What is not known is checked in full, because it is going to be created.
#
# Invariants
# (1) Nothing is created here and nothing becomes visible. A request that turns out to be malformed
#     leaves nothing but hints at which series follows which, and when series were last seen.
# (2) The caller is in an epoch, so every Series and every id that is found stays valid.
from urpo_store.engine.wire.types cimport Scan, WirePoint
from urpo_store.engine.identity.types cimport Series
from urpo_store.engine.request cimport Request

cdef enum:
    NO_ROOM = 0xFFFFFFFF        # in Staging.metrics: there was no room for a series of this metric

# Begins a pass over the request: nothing has been looked up yet.
cdef void resolve_begin(Request *request) noexcept nogil
# The scan's on_point; its context is the Request. OK, BAD_BYTES or NO_MEMORY.
cdef int resolve_point(void *context, Scan *scan, WirePoint *point, bint expected) noexcept nogil
# OK, BAD_BYTES or NO_MEMORY. A point that is still without a series is new, or refused.
cdef int resolve_rest(Request *request) noexcept nogil
# Makes `series` the series of a good point, in its slot and in what health is told. OK or
# NO_MEMORY. If the series has been evicted meanwhile, the point is without one again.
cdef int resolve_assign(Request *request, Scan *scan, WirePoint *point,
                        Series *series) noexcept nogil
# Begins the next batch of the same pass; what the last one created may be known now.
cdef void resolve_next_batch(Request *request) noexcept nogil
