# The hot ring: recent points, written by many threads, drained by one at a time, read by anyone.
#
# Slots are described in points/slots.pxd. Beside the slots stands one u64 tag a slot: lap << 32 | series
# (or SERIES_START, SERIES_EXT), lap = position / capacity + 1. The tag is the commit stamp of its
# slot and the column that range scans filter on. Positions are u64 and never wrap; laps do, after
# 2^32, which harms nothing: every lap writes every tag.
#
# Invariants
# (1) tail <= head <= tail + capacity. head is moved by producers (CAS, release), tail by the drain alone:
#     by whoever holds the drain lock to drain.
# (2) A producer owns [claim, claim + n) from its CAS until it has stored the tags.
# (3) The tag of a claim's first slot is stored last, and each tag with release: who sees (acquire) the
#     first one sees the whole claim. So a hole always starts at a claim's first slot.
# (4) The drain stops at the first hole and moves tail only to START slots or to the end of what is
#     committed; so tail never stands between a point and the START slot it refers to.
# (5) A reader copies slot words with relaxed loads, then (acquire fence) loads tail again: if the
#     START slot of the point is still at or above tail, nothing it copied has been overwritten.
#     Producers load tail with acquire before they claim and issue a release fence before they write.
# (6) A scan that finds a claim also finds what had been published before it was made: the scan goes no
#     further than a head that it acquired, and head is moved with release. Of a claim that is just
#     being published it may find a part.
#
# Lock-free among running producers: one that stops between claim and publish leaves a hole, behind
# which the drain waits; readers and other producers go on until the ring is full.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.points.slots cimport Point

cdef struct Ring:
    Point *slots                # constant pointer; contents: producers that own them
    uint64_t *tags              # constant pointer; contents: producers, store release
    uint64_t capacity           # power of two, >= 1024; constant
    uint64_t mask               # capacity - 1; constant
    uint64_t shift              # capacity == 1 << shift; constant
    Account *account            # constant
    uint64_t padding0[2]
    uint64_t head               # atomic; producers
    uint64_t padding1[7]
    uint64_t tail               # atomic; who drains, under the drain lock
    uint64_t padding2[7]

# One point as a reader copied it.
cdef struct RingCopy:
    uint64_t position
    Point point
    int64_t start               # the start time, Unix ns, 0 unknown
    uint32_t selected           # wanted[point.series]
    uint32_t words              # index of its payload words in RingCopies.words
cdef struct RingCopies:
    Account *account
    RingCopy *items
    size_t count, capacity
    uint64_t *words
    size_t word_count, word_capacity

cdef int ring_init(Ring *ring, Account *account, uint64_t capacity) noexcept nogil
cdef void ring_destroy(Ring *ring) noexcept nogil
# Claims n slots (n <= capacity / 2). 1 and *position, or 0: no room now.
cdef bint ring_claim(Ring *ring, uint64_t n, uint64_t *position) noexcept nogil
# Copies a claim's slots in and publishes them. slots[0] is a START slot. (A point whose series is 0 is
# passed like any other, and no reader wants it.)
cdef void ring_publish(Ring *ring, uint64_t position, const Point *slots, uint64_t n) noexcept nogil
# Drain side (under the drain lock): how far [tail, ...) is committed, at most about `limit` slots on,
# always a boundary. Slots in between may be read as plain memory.
cdef uint64_t ring_committed(Ring *ring, uint64_t limit) noexcept nogil
cdef Point *ring_slot(Ring *ring, uint64_t position) noexcept nogil
# Copies `count` payload words of the point at `position` (they may wrap around the end).
cdef void ring_payload(Ring *ring, uint64_t position, uint32_t count, uint64_t *out) noexcept nogil
cdef void ring_release(Ring *ring, uint64_t position) noexcept nogil
cdef uint64_t ring_used(Ring *ring) noexcept nogil                           # slots claimed, about
# Reader side: appends a copy of every visible point whose series is wanted (wanted[series] != 0, for series
# < wanted_size), with start time and payload, in position order. 0, or -1: no memory.
cdef int ring_collect(Ring *ring, const uint32_t *wanted, uint32_t wanted_size, RingCopies *out) noexcept nogil
# The same for one series; `selected` is 1.
cdef int ring_collect_one(Ring *ring, uint32_t series, RingCopies *out) noexcept nogil
cdef void ring_copies_free(RingCopies *copies) noexcept nogil
