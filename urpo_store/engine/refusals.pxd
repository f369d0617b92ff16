# Points refused: counted, and told apart by reason, metric and service.
#
# Nothing is counted before the whole request is known to be well formed; until then a reason only
# stands in its point.
from libc.stdint cimport uint32_t

from urpo_store.engine.wire.types cimport WirePoint
from urpo_store.engine.request cimport Request

# Counts a refused point in its staging, and voids its slot.
cdef void refuse(Request *request, WirePoint *point, uint32_t reason) noexcept nogil
