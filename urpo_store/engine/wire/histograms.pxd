# Points of histograms with explicit bounds.
from urpo_store.engine.wire.types cimport Scan, Span

# Reads a HistogramDataPoint and stages it. OK, BAD_BYTES, NO_MEMORY, or what a callback of the scan
# answered.
cdef int histogram_point(Scan *scan, Span body) noexcept nogil
