# The attribute keys of a metric, ranked by their number of distinct values: which one collapses
# first.
#
# REQUIRES of both: the caller holds SeriesTable.lock.
from libc.stdint cimport uint32_t

from urpo_store.engine.wire.types cimport Span
from urpo_store.engine.identity.types cimport Metric, SeriesTable

# Counts again, over a sample of the metric's series, and orders Metric.fattest. Without memory the
# old order stays.
cdef void count_values(SeriesTable *table, Metric *metric) noexcept nogil
# The key's rank, from 1. 0: no series had it when they were counted; it collapses first, for
# nothing that is stored needs it.
cdef uint32_t rank_of(SeriesTable *table, const Metric *metric, Span key) noexcept nogil
