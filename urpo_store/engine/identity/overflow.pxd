# Collapsed sources: what becomes of points whose attribute set was folded into another one.
#
# Deltas need nothing: the chunks add them up (DATA_ADD). Of cumulative sums and histograms the last value
# of each source is remembered, and its increase is added to a running total, which is what the collapsed
# series stores. A source that is seen first is a baseline, counted; so is every point of a source beyond
# OVERFLOW_SOURCES, and of one that is new while the index has used its share of memory (half of the limit); and, as nothing is added for them, late and repeated points of a source, stale marks
# and values that are no finite numbers. A sum that may fall needs no baseline: its total is the sum of what its
# sources said last. Of gauges and summaries the last one wins. A stale mark of one source is not passed on.
#
# What cannot be added is a baseline again: another set of bounds or buckets than the source had before.
# When a known source's bounds differ from the total's, the total begins anew, at a new start time. The total
# never goes back in time: a source that lags behind the others shows it at the newest time so far.
#
# Sources and totals are written under SeriesTable.lock; the counters are atomic.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.identity.types cimport Metric, Series, SeriesTable

# Turns a collapsed source's point into the collapsed series' own, in place (time, value, flags, and the row
# words of histograms). 1: use the point; 0: nothing to store, counted as a baseline; -1: no memory, nothing
# changed.
cdef int overflow_point(SeriesTable *table, uint32_t series, uint64_t source, Point *point, int64_t *start, uint64_t *payload) noexcept nogil
cdef void sources_free(SeriesTable *table, Metric *metric) noexcept nogil
cdef void total_free(SeriesTable *table, Series *series) noexcept nogil
