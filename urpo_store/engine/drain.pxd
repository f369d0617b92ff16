# From the ring into the chunks.
#
#   drain_main    the drain thread: waits until it is woken or its interval has passed, drains,
#                 maintains
#   drain_all     parts, until all is drained that was published before the call
#   drain_part    under the drain lock: runs of points, each appended to its series; then the ring's
#                 tail
#   drain_help    the way of a producer that found the ring full
#
# Invariants
# (1) One thread drains at a time, under ChunkStore.lock. It appends every point up to a boundary of
#     the ring, then moves the ring's tail, then unlocks. So the holder of the lock finds all points
#     below the tail in chunks, and none at or above it: the ring's tail is the watermark of every
#     series.
# (2) A producer that waits for room counts itself in DrainThread.waiting, then looks for room; the
#     drain makes room, then looks for waiters. Both are sequentially consistent, so one of them
#     sees the other.
# (3) The drain thread is in no epoch while it drains. What changes in chunks does so under the
#     lock, and a series whose points are still in the ring waits for just that (Epochs.drained). So
#     what is given up meanwhile does not wait for the drain.
from libc.stdint cimport uint64_t

from urpo_store.engine.store cimport Store

# Drains until the ring is empty, or stops at a hole (ring.pxd). Returns how many slots it passed.
cdef uint64_t drain_all(Store *store) noexcept nogil
# For a producer that found no room for `count` slots. If nobody drains, it drains a part. Otherwise
# it seals full tails that the drain has taken aside (chunks/full_tails.pxd); if there are none it
# waits until there is room, 1 ms at most: the drain needs the core. REQUIRES: the caller is in an
# epoch.
cdef void drain_help(Store *store, uint64_t count) noexcept nogil
# Wakes the drain thread: there is enough in the ring. At most one semaphore post for each drain.
cdef void drain_wanted(Store *store) noexcept nogil
# Drains, seals every tail, and applies retention and memory limit. OK; or why a tail stays open.
cdef int compress_all(Store *store) noexcept nogil
# False: the thread cannot be made.
cdef bint drain_start(Store *store) noexcept nogil
cdef void drain_stop(Store *store) noexcept nogil
