# Points of collapsed sources: how many of them become points of the one series that stands for all.
#
# A *source* is an attribute set, in a resource, a scope and a metric, that collapsed
# (collapse.pxd).
#
#   deltas                   Nothing is done here: the chunks add up points of equal time
#                            (overflow_adds).
#   cumulative sums,         The last value of each source is remembered. Its increase is added to a
#   histograms               running total, and that is what the collapsed series stores.
#   sums that may fall       The same, but a source needs no baseline: the total is the sum of what
#                            the sources said last.
#   gauges, summaries        The last one wins.
#
# A *baseline* is a point that is counted and not stored, because nothing can be added for it:
#   - the first one of a source;
#   - every one of a source beyond OVERFLOW_SOURCES;
#   - every one of a source that is new while the index is beyond its memory_limit, and one that
#     would then need more room than its source's last one;
#   - one whose bounds or buckets differ from its source's last one;
#   - a late or repeated one;
#   - a stale mark: that one source has ended says nothing of the others;
#   - one whose value is no finite number.
#
# When a known source's bounds differ from the total's, the total begins again, at a new start time.
# The total never goes back in time: a source that lags behind the others shows it at the newest
# time so far.
#
# Sources and totals are written under SeriesTable.lock; the counters are atomic.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.points.slots cimport TEMPORALITY_DELTA, Point
from urpo_store.engine.identity.types cimport (
    SERIES_OVERFLOW, Metric, Series, SeriesTable, metric_get,
)

cdef enum:
    OVERFLOW_SOURCES = 65536    # sources of a metric that are remembered
    BASELINE = 1                # returned by overflow_point

# Turns a source's point into the collapsed series' own, in place: time, value, flags, start, and
# the row words of histograms. `source`: source_hash. OK; BASELINE: nothing to store; or NO_MEMORY,
# and nothing is changed. Takes the lock.
# REQUIRES: the caller is inside an epoch.
cdef int overflow_point(
    SeriesTable *table, uint32_t series, uint64_t source, Point *point, int64_t *start,
    uint64_t *payload
) noexcept nogil
cdef void sources_free(SeriesTable *table, Metric *metric) noexcept nogil
cdef void total_free(SeriesTable *table, Series *series) noexcept nogil


# Whether points of equal time of this series must be added: deltas of many sources.
cdef inline bint overflow_adds(SeriesTable *table, const Series *series) noexcept nogil:
    return (series.flags & SERIES_OVERFLOW != 0
            and metric_get(table, series.metric).temporality == TEMPORALITY_DELTA)
