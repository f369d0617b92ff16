# The hot ring: recent points, written by many threads, drained by one at a time, read by any.
#
# Format. Slots are described in points/slots.pxd. Beside each slot stands one u64 tag:
#
#   lap << 32 | series      series: SERIES_START or SERIES_EXT in a slot that is no point
#                           lap: position / capacity + 1, its lower 32 bits
#
# The tag is the commit stamp of its slot, and the column that readers search. Positions are u64 and
# never wrap. Laps do after 2^32, which harms nothing: every lap writes every tag.
#
#   producer   ring_claim, ring_publish
#   drain      ring_committed, then ring_slot and ring_payload of what lies below, then ring_release
#   reader     ring_collect or ring_collect_one
#
# Invariants
# (1) tail <= head <= tail + capacity. Producers move head (CAS, release); only the drain moves
#     tail: the holder of the drain lock, while it drains.
# (2) A producer owns [claim, claim + n) from its CAS until it has stored the tags.
# (3) The tag of a claim's first slot is stored last, and each tag with release. So a thread that
#     sees the first tag (acquire) sees the whole claim, and a hole always starts at a claim's first
#     slot.
# (4) The drain stops at the first hole. It moves tail only to START slots or to the end of what is
#     committed, so tail never stands between a point and the START slot it refers to.
# (5) A reader copies slot words with relaxed loads, then (acquire fence) loads tail again: if the
#     point's START slot is still at or above tail, nothing that it copied has been overwritten.
#     Producers load tail with acquire before they claim, and issue a release fence before they
#     write.
# (6) A reader that finds a claim also finds what had been published before the claim was made: it
#     goes no further than a head that it acquired, and head is moved with release. Of a claim that
#     is being published it may find a part.
#
# Progress. Running producers are lock-free. One that stops between claim and publish leaves a hole:
# the drain waits behind it, readers and other producers go on until the ring is full.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.points.slots cimport Point

cdef struct Ring:
    Point *slots                # constant pointer; contents: the producers that own them
    uint64_t *tags              # constant pointer; contents: the producers, store release
    uint64_t capacity           # power of two, >= 1024; constant
    uint64_t mask               # capacity - 1; constant
    uint64_t shift              # capacity == 1 << shift; constant
    Account *account            # constant
    uint64_t padding0[2]
    uint64_t head               # atomic; producers
    uint64_t padding1[7]
    uint64_t tail               # atomic; the drain, under the drain lock
    uint64_t padding2[7]

# One point as a reader copied it.
cdef struct RingCopy:
    uint64_t position
    Point point
    int64_t start               # the start time, Unix ns; 0: unknown
    uint32_t selected           # wanted[point.series]
    uint32_t words              # index of its payload words in RingCopies.words

cdef struct RingCopies:
    Account *account            # set by the caller; all else 0 at first
    RingCopy *items
    size_t count, capacity
    uint64_t *words
    size_t word_count, word_capacity

# OK or NO_MEMORY. REQUIRES: capacity is a power of two.
cdef int ring_init(Ring *ring, Account *account, uint64_t capacity) noexcept nogil
cdef void ring_destroy(Ring *ring) noexcept nogil

# ---- producers
# Claims n slots: True and *position; or False, there is no room now. REQUIRES: n <= capacity / 2.
cdef bint ring_claim(Ring *ring, uint64_t n, uint64_t *position) noexcept nogil
# Copies a claim's slots in and publishes them. A point of series 0 is passed like any other, and no
# reader wants it. REQUIRES: the claim is ours; slots[0] is a START slot.
cdef void ring_publish(Ring *ring, uint64_t position, const Point *slots, uint64_t n) noexcept nogil
# Slots that are claimed and not drained, about.
cdef uint64_t ring_used(Ring *ring) noexcept nogil

# ---- the drain. REQUIRES, of each: the drain lock.
# How far [tail, ...) is committed: a boundary, at most about `limit` slots on. Until ring_release
# the slots in between may be read as plain memory.
cdef uint64_t ring_committed(Ring *ring, uint64_t limit) noexcept nogil
cdef Point *ring_slot(Ring *ring, uint64_t position) noexcept nogil
# Copies `count` payload words of the point at `position`; they may wrap around the end.
cdef void ring_payload(Ring *ring, uint64_t position, uint32_t count, uint64_t *out) noexcept nogil
# Moves tail to `position`, a boundary.
cdef void ring_release(Ring *ring, uint64_t position) noexcept nogil

# ---- readers
# Appends a copy of every visible point whose series is wanted (series < wanted_size and
# wanted[series] != 0), with start time and payload, in order of position. OK or NO_MEMORY.
cdef int ring_collect(Ring *ring, const uint32_t *wanted, uint32_t wanted_size,
                      RingCopies *out) noexcept nogil
# The same for one series; `selected` is 1.
cdef int ring_collect_one(Ring *ring, uint32_t series, RingCopies *out) noexcept nogil
cdef void ring_copies_free(RingCopies *copies) noexcept nogil
