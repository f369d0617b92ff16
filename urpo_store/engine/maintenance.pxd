# Keeping a store within its bounds: retention, memory limit, and giving back what was retired.
#
# Done by the drain thread about every second, by callers of ingest that meet the memory limit
# before or after their request, and by compress_all.
#
# Invariants
# (1) Points are dropped under the drain lock, series are evicted under SeriesTable.lock.
# (2) Everything that goes is counted: expired_points, evicted_points, evicted_series.
# (3) What was given up in one round may wait in limbo for calls under way. Until they have left, no
#     round gives up more: that would free nothing sooner.
from libc.stdint cimport uint32_t

from urpo_store.engine.store cimport Store

# Reclamation; and retention and memory limit, if they are due. `force`: they are. Takes the drain
# lock.
cdef void maintain(Store *store, bint force) noexcept nogil
# The same; a series is idle that would be at monotonic second `second`.
cdef void maintain_as_of(Store *store, bint force, uint32_t second) noexcept nogil
# Whether a request has to be refused: the store is an eighth beyond its limit, and cannot get below
# it because calls under way (mostly queries) hold what it has given up. Waits for them for some
# milliseconds. Takes the drain lock.
cdef bint memory_is_held(Store *store) noexcept nogil
