# Data points that have rows: histograms, exponential histograms, summaries.
#
# Each function reads one point of its message and stages it. WIRE_OK, WIRE_MALFORMED, WIRE_NO_MEMORY or
# WIRE_STOPPED, as data_points.stage.
from libc.stdint cimport uint32_t

from urpo_store.engine.wire.types cimport Scan, Span

cdef int histogram_point(Scan *scan, Span body) noexcept nogil
cdef int exponential_point(Scan *scan, Span body) noexcept nogil
cdef int summary_point(Scan *scan, Span body) noexcept nogil
