# What keeps the store within its bounds: retention, the memory limit, and giving back what was retired.
#
# Done by the drain thread, about every second, by callers of ingest that meet the memory limit before their
# request or behind it, and by compress_all. Points are dropped under the drain lock, series evicted under
# SeriesTable.lock; the counters say what went (expired_points, evicted_points, evicted_series).
from libc.stdint cimport uint32_t

from urpo_store.engine.store cimport Store

# Retention, memory limit and reclamation, if they are due; `force`: now. `ahead`: idle series are judged as if
# it were so many seconds later. Takes the drain lock.
cdef void maintain(Store *store, bint force, uint32_t ahead=*) noexcept nogil
# Evicts every series that will have been idle for IDLE_SECONDS `ahead` seconds from now. Returns how many.
# Takes SeriesTable.lock, and the drain lock to reclaim.
cdef uint32_t evict_idle(Store *store, uint32_t ahead) noexcept nogil
