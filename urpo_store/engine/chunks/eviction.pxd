# Giving chunks up: by age (retention), or the oldest first to make room.
#
# Whole sealed chunks go, from the front of their series. Late points up to their end go with them:
# what those override is gone. A tail goes too once its series has no chunk left and its newest
# point is older than the retention. SeriesData.given_up remembers up to when points were dropped.
from libc.stdint cimport int64_t, uint64_t

from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

# Drops chunks that end before `before`, and exemplars from before it. Under the drain lock. Returns
# the points dropped, which are counted in expired_points.
cdef uint64_t chunks_expire(ChunkStore *store, SeriesData *data, int64_t before) noexcept nogil
# Drops the oldest sealed chunks of `count` series (entries may be NULL) until some `bytes` are
# free. Under the drain lock. Returns the bytes freed, about; points are counted in evicted_points.
cdef uint64_t chunks_evict(
    ChunkStore *store, SeriesData **all_data, size_t count, uint64_t bytes
) noexcept nogil
