# Refused points: counted, and told apart by reason, metric and service.
#
# Invariant: nothing is counted before the whole request is known to be well formed. Until then a
# reason only stands in its point (reject, wire/types.pxd).
from libc.stdint cimport uint32_t

from urpo_store.engine.wire.types cimport WirePoint
from urpo_store.engine.request cimport Request

# Counts a refused point in its staging, and voids its slot.
cdef void refuse(Request *request, WirePoint *point, uint32_t reason) noexcept nogil
