# Reading a series: what is needed is noted under the drain lock, and decoded without it.
#
# The caller is inside an epoch from before snapshot_take until after snapshot_decode, so that what
# the snapshot points to stays readable.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.chunks.ticks cimport TickSpan
from urpo_store.engine.chunks.types cimport Chunk, ChunkStore, Layout, Rows, SeriesData, TailView

# A chunk with what it names by number.
cdef struct Sealed:
    const Chunk *chunk
    const Layout *layout        # NULL for numbers
    uint32_t span_count         # of its ticks; 0: times of its own

cdef struct Snapshot:
    Account *account
    int64_t start, end
    bint predecessor
    uint32_t kind
    Sealed *chunks
    uint32_t chunk_count
    uint32_t tail_span_count
    TickSpan *spans             # of each chunk in turn, then of the tail
    TailView tail               # count 0: not needed
    uint64_t[2] layout          # of the tail, if it is an exponential histogram's
    Rows late

# Notes what holds the points with start <= time <= end in *snapshot. `predecessor`: also the newest
# point before `start`, however old. Under the drain lock. OK, NO_MEMORY or BAD_BYTES.
cdef int snapshot_take(
    ChunkStore *store, SeriesData *data, int64_t start, int64_t end, bint predecessor,
    Snapshot **snapshot
) noexcept nogil
# Appends those points (the predecessor first) to `rows`, ascending, each time once. Frees the
# snapshot. No lock. OK, NO_MEMORY or BAD_BYTES; without OK the rows are as before.
cdef int snapshot_decode(Snapshot *snapshot, Rows *rows) noexcept nogil
