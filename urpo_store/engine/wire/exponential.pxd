# Points of exponential histograms.
from urpo_store.engine.wire.types cimport Scan, Span

# Reads an ExponentialHistogramDataPoint and stages it. OK, BAD_BYTES, NO_MEMORY, or what a callback
# of the scan answered.
cdef int exponential_point(Scan *scan, Span body) noexcept nogil
