# Full tails: sealed without the drain lock, by whoever has time.
#
# Encoding a chunk takes as long as appending its points. So a tail that is full is taken aside,
# under the drain lock, into a FullTail of its own (SeriesData.full), and its series goes on with an
# empty one. The drain thread, and producers that would have to wait for room, then encode what was
# taken aside; only putting the chunk in its place takes the lock again. That is done while more
# than half of the ring waits. Whoever wants to see a series under the lock settles it first.
#
# Invariants
# (1) A FullTail owns its stream, the times of its ticks and its newest row; none of them changes
# any more.
# (2) SeriesData.full is written under the drain lock. Its points are newer than all chunks and
#     older than what the tail holds; they are counted where points of chunks and tails are.
# (3) A FullTail is in the queue, or held by one worker, or with nobody (a worker had no memory for
#     it): in any case it can be settled, and a worker that comes too late finds it gone and drops
#     its work.
# (4) The chunk is the one that `fold` would make: only tails are taken aside that become a chunk
# alone. Lock order: the drain lock before ChunkStore.full_lock.
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

cdef void full_init(ChunkStore *store) noexcept nogil
cdef void full_destroy(ChunkStore *store) noexcept nogil
# Takes the tail aside. Under the drain lock. False: not this one, or not now; nothing changed.
cdef bint full_take_aside(ChunkStore *store, SeriesData *data) noexcept nogil
# Seals what was taken aside, if anything. Under the drain lock. 0, or -1: no memory, it is still
# there.
cdef int full_settle(ChunkStore *store, SeriesData *data) noexcept nogil
# Gives up what was taken aside, if anything. Under the drain lock.
cdef void full_drop(ChunkStore *store, SeriesData *data) noexcept nogil
# Seals some of what was taken aside. The caller holds no lock and is inside an epoch; takes
# full_lock, and the drain lock to put chunks in their place. False: nothing was left to do, or
# there is no room for one more worker.
cdef bint full_seal_some(ChunkStore *store) noexcept nogil
