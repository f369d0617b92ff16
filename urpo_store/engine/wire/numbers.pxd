# Points of gauges and sums.
from urpo_store.engine.wire.types cimport Scan, Span

# Reads a NumberDataPoint and stages it. OK, BAD_BYTES, NO_MEMORY, or what a callback of the scan
# answered.
cdef int number_point(Scan *scan, Span body) noexcept nogil
