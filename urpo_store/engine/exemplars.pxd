# What the drain does with the exemplars of a point: each is kept with its own time, or its point's.
from libc.stdint cimport uint64_t

from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

# Keeps those of a payload (points/slots.pxd). Under the drain lock.
cdef void keep_exemplars(
    ChunkStore *store, SeriesData *data, const Point *point, const uint64_t *payload
) noexcept nogil
