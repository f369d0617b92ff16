# Data points that have rows: histograms, exponential histograms, summaries.
#
# Each function reads one point of its message and stages it. OK, BAD_BYTES, NO_MEMORY, or
# what a callback of the scan answered, as staging.stage.
from libc.stdint cimport uint32_t

from urpo_store.engine.wire.types cimport Scan, Span

cdef int histogram_point(Scan *scan, Span body) noexcept nogil
cdef int exponential_point(Scan *scan, Span body) noexcept nogil
cdef int summary_point(Scan *scan, Span body) noexcept nogil
