# The attribute keys of a metric by their number of distinct values: which one collapses first.
from libc.stdint cimport uint32_t

from urpo_store.engine.wire.types cimport Span
from urpo_store.engine.identity.types cimport Metric, SeriesTable

# Counts anew, over a sample of the metric's series. Under SeriesTable.lock; without memory the old order stays.
cdef void count_values(SeriesTable *table, Metric *metric) noexcept nogil
# The key's place, from 1; 0: a key that no series had when they were counted.
cdef uint32_t rank_of(SeriesTable *table, const Metric *metric, Span key) noexcept nogil
