# From the ring into the chunks.
#
# One drain runs at a time, under ChunkStore.lock. It appends every point up to a boundary of the ring,
# then moves the ring's tail, then unlocks: whoever holds the lock sees all points below tail in chunks
# and none at or above it (the watermark of every series is the ring's tail).
from libc.stdint cimport uint64_t

from urpo_store.engine.store cimport Store

# Drains until the ring is empty or a hole is met. Slots passed.
cdef uint64_t drain_all(Store *store) noexcept nogil
# For a producer that found no room for `count` slots, inside its epoch: drains a part if nobody else does; else seals what the
# drain has taken aside (chunks/full_tails.pxd, which takes the drain lock to put chunks in place), or waits until
# there is room, 1 ms at most. (Waiting, not spinning: the drain needs the core.)
cdef void drain_help(Store *store, uint64_t count) noexcept nogil
# Tells the drain thread that there is enough in the ring to be worth its while; one semaphore post per
# drain at most.
cdef void drain_wanted(Store *store) noexcept nogil
# Drains and seals every tail, and applies retention and memory limit. 0, or -1: no memory.
cdef int compress_all(Store *store) noexcept nogil
cdef int drain_start(Store *store) noexcept nogil
cdef void drain_stop(Store *store) noexcept nogil
