# Range scans: the points of some series, from ring and chunks, each exactly once.
#
# First the ring is read, without a lock, and matching points are copied with their positions. Then, for
# each series, under the drain lock, references to its sealed chunks and a view of its tail are taken
# together with the ring's tail. Copies below that tail are dropped: they are in the chunks. So a point is never
# missed (what left the ring before it was read is in the chunks by the time the lock is held) and
# never doubled.
from libc.stdint cimport int64_t, uint32_t

from urpo_store.engine.chunks.rows cimport Rows
from urpo_store.engine.store cimport Store

# Appends the points of ids[0..count) to `rows`, series after series; offsets[i] and first[i] as
# query/source.py says (offsets has count + 1). With `predecessor`, the start of the first value of a series
# whose older points were dropped is 0: what came before it is not known. The caller is inside an epoch. OK,
# NO_MEMORY, or BAD_BYTES: a chunk is damaged.
cdef int scan_series(Store *store, const uint32_t *ids, size_t count, int64_t start, int64_t end,
                     bint predecessor, Rows *rows, int64_t *offsets, int64_t *first) noexcept nogil
