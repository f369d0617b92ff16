# Giving chunks up: by age (retention), or the oldest first to make room.
#
# Whole sealed chunks go, from the front of their series; late points of the same time go with them.
# A tail goes too once its series has no chunk left and its newest point is older than the
# retention.
from libc.stdint cimport int64_t, uint64_t

from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

# Drops chunks that end before `before` (retention), and exemplars before it. Under the drain lock.
# Points dropped, counted in expired_points.
cdef uint64_t chunks_expire(ChunkStore *store, SeriesData *data, int64_t before) noexcept nogil
# Drops the oldest sealed chunks over all `count` series (entries may be NULL) until about `bytes`
# are freed. Under the drain lock. Bytes freed, about; the points are counted in evicted_points.
cdef uint64_t chunks_evict(ChunkStore *store, SeriesData **all_data, size_t count, uint64_t bytes) noexcept nogil
