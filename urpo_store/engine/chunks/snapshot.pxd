# Reading a series: what is needed is noted under the drain lock, and decoded without it.
from libc.stdint cimport int64_t

from urpo_store.engine.chunks.rows cimport Rows
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

cdef struct Snapshot            # chunks/snapshot.pyx

# Reading. The caller is inside an epoch. `predecessor`: also the newest point before `start`,
# however old. snapshot_take: under the lock; NULL: no memory.
cdef Snapshot *snapshot_take(ChunkStore *store, SeriesData *data, int64_t start, int64_t end, bint predecessor) noexcept nogil
# Appends the series' points with start <= time <= end (and the predecessor, first) to `rows`,
# ascending, each time once. No lock. Frees the snapshot. 0, or -1: no memory (rows as before).
cdef int snapshot_decode(ChunkStore *store, Snapshot *snapshot, Rows *rows) noexcept nogil
