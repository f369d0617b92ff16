# The begin and the end of a chunk store, and of what it holds of a series.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

# OK, or NO_MEMORY: nothing to destroy.
cdef int chunk_store_init(ChunkStore *store, Account *account, Epochs *epochs) noexcept nogil
# REQUIRES: every series cleared, and nobody inside.
cdef void chunk_store_destroy(ChunkStore *store) noexcept nogil
# A series without points. `options`: DATA_*.
cdef void series_data_init(
    SeriesData *data, uint32_t kind, uint32_t clock_group, uint32_t options
) noexcept nogil
# Gives back everything of a series, retired where readers may still look; the series is then as
# new. Returns the points it held. Under the drain lock.
cdef uint64_t series_data_clear(ChunkStore *store, SeriesData *data) noexcept nogil
