# Points of summaries.
from urpo_store.engine.wire.types cimport Scan, Span

# Reads a SummaryDataPoint and stages it. OK, BAD_BYTES, NO_MEMORY, or what a callback of the scan
# answered.
cdef int summary_point(Scan *scan, Span body) noexcept nogil
