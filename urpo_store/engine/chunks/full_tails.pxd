# Full tails: sealed without the drain lock, by any thread that has time.
#
# Encoding a chunk takes as long as appending its points. So when more than half of the ring waits,
# a tail that is full is taken aside, under the drain lock, into a FullTail of its own
# (SeriesData.full), and its series goes on with an empty one. The drain thread, and producers that
# would have to wait for room, then encode what was taken aside; only to put the chunk in its place
# they take the lock again. Whatever looks at a series under the lock first settles it: seals its
# full tail there and then.
#
# Invariants
# (1) A FullTail owns its stream, the times of its ticks, its newest row, its claim to the ticks and
#     its reference to a layout; none of them changes. With the chunk, claim and reference pass to
#     it.
# (2) SeriesData.full is written under the drain lock. Its points are newer than all chunks and
#     older than those of the tail; they are counted where points of chunks and tails are.
# (3) A FullTail is in the queue, or held by one worker, or with nobody (a worker had no memory for
#     it). In any case it can be settled; a worker that comes too late finds it gone and drops its
#     work.
# (4) The chunk is the one that `fold` would make: only tails are taken aside that become one chunk
#     alone.
# Lock order: the drain lock before ChunkStore.full_lock.
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

cdef void full_init(ChunkStore *store) noexcept nogil
# REQUIRES: no series has a full tail, and no worker is inside.
cdef void full_destroy(ChunkStore *store) noexcept nogil
# Takes the tail aside. Under the drain lock. False: not this one, or not now; nothing changed.
cdef bint full_take_aside(ChunkStore *store, SeriesData *data) noexcept nogil
# Seals what was taken aside, if anything. Under the drain lock. OK, or what is wrong; then it is
# still there.
cdef int full_settle(ChunkStore *store, SeriesData *data) noexcept nogil
# Gives up what was taken aside, if anything. Under the drain lock.
cdef void full_drop(ChunkStore *store, SeriesData *data) noexcept nogil
# Seals some of what was taken aside. Takes full_lock, and the drain lock to put chunks in place.
# False: there was nothing to do, or no room for one more worker.
# REQUIRES: the caller holds no lock and is inside an epoch.
cdef bint full_seal_some(ChunkStore *store) noexcept nogil
