"""The hot ring; the contract and its invariants are in ring.pxd.

Three kinds of memory are shared, each under one rule:

    head, tail      atomics. A stale value means less room for a producer, a longer search for a
                    reader
    tags            stored with release, loaded with acquire: what a tag stands for is visible with
                    it
    slot words      The claim's owner writes them as relaxed atomics. The drain reads them plainly:
                    nobody writes between publishing and passing. Readers copy them as relaxed
                    atomics at any time, and drop what may have been overwritten (5).

Relaxed 8-byte loads and stores are plain moves on x86-64. What they rule out is tearing, and a
compiler that reads twice.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.memory.alloc cimport Account, mem_calloc, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport (
    cas_acq_rel, fence_acquire, fence_release, load_acquire, load_relaxed, load_tag, load_tail,
    store_relaxed, store_tag, store_tail,
)
from urpo_store.engine.memory.mutants cimport MUTANT_FIRST_TAG_FIRST, MUTANT_NO_SECOND_LOOK
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport SERIES_EXT, SERIES_START, Point, ext_slots

cdef enum:
    SLOT_WORDS = 4              # u64 words in a slot
    UNROLL = 8                  # tags looked at between two loop conditions


cdef inline uint64_t tag_of(const Ring *ring, uint64_t position, uint32_t series) noexcept nogil:
    # Laps count from 1 because the tags of a fresh ring are 0. The shift drops what is beyond 32
    # bits.
    return ((position >> ring.shift) + 1) << 32 | series


cdef inline bint same_lap(uint64_t tag, uint64_t other) noexcept nogil:
    return (tag ^ other) >> 32 == 0


cdef int ring_init(Ring *ring, Account *account, uint64_t capacity) noexcept nogil:
    ring.account = account
    ring.capacity = capacity
    ring.mask = capacity - 1
    ring.shift = 0
    while (<uint64_t>1 << ring.shift) < capacity:
        ring.shift += 1
    # Relaxed: no other thread knows of the ring yet.
    store_relaxed(&ring.head, 0)
    store_relaxed(&ring.tail, 0)
    # Zeros, so that a reader that looks before anything is written does not copy uninitialised
    # memory.
    ring.slots = <Point *>mem_calloc(account, capacity * sizeof(Point))
    ring.tags = <uint64_t *>mem_calloc(account, capacity * sizeof(uint64_t))
    if ring.slots == NULL or ring.tags == NULL:
        ring_destroy(ring)
        return NO_MEMORY
    return OK


cdef void ring_destroy(Ring *ring) noexcept nogil:
    mem_free(ring.account, ring.slots)
    mem_free(ring.account, ring.tags)
    ring.slots = NULL
    ring.tags = NULL


# ---- producers -----------------------------------------------------------------------------------

cdef bint ring_claim(Ring *ring, uint64_t n, uint64_t *position) noexcept nogil:
    cdef uint64_t head = load_relaxed(&ring.head)       # a guess; the swap decides
    while True:
        # Acquire: the drain's reads of what lies below this tail come before our writes there.
        if head + n > load_tail(&ring.tail) + ring.capacity:
            return False
        # Release, for (6): a thread that acquires this head sees the tags stored before by this
        # thread, and by those whose stores it has seen.
        if cas_acq_rel(&ring.head, &head, head + n):
            position[0] = head
            return True


cdef inline void write_words(uint64_t *target, const uint64_t *source,
                             uint64_t count) noexcept nogil:
    cdef uint64_t i
    for i in range(count):
        store_relaxed(target + i, source[i])


cdef void publish_tags(Ring *ring, uint64_t position, const Point *slots,
                       uint64_t n) noexcept nogil:
    """Tags all slots but the first, then the first, which is what the drain waits for.

    Each tag is stored with release: a reader may meet any of them first, and then copies the words
    of that slot, of its START slot and of its EXT slots. All of them have been written before.
    """
    cdef uint64_t i = 1
    cdef uint64_t ext_end
    if MUTANT_FIRST_TAG_FIRST:
        store_tag(&ring.tags[position & ring.mask], tag_of(ring, position, SERIES_START))
    while i < n:
        store_tag(&ring.tags[(position + i) & ring.mask],
                  tag_of(ring, position + i, slots[i].series))
        # The slots behind a point with payload hold its words, which may look like anything. A
        # START slot has no payload, but its field need not be 0.
        ext_end = i + 1
        if slots[i].series != SERIES_START:
            ext_end += ext_slots(slots[i].payload)
        i += 1
        while i < ext_end:
            store_tag(&ring.tags[(position + i) & ring.mask],
                      tag_of(ring, position + i, SERIES_EXT))
            i += 1
    store_tag(&ring.tags[position & ring.mask], tag_of(ring, position, SERIES_START))


cdef void ring_publish(Ring *ring, uint64_t position, const Point *slots,
                       uint64_t n) noexcept nogil:
    cdef const uint64_t *words = <const uint64_t *>slots
    cdef uint64_t at = position & ring.mask
    cdef uint64_t run = min(n, ring.capacity - at)
    # Pairs with the acquire fence in still_there: a reader that has copied one of the words below,
    # and then looks at tail, finds at least the tail that let us claim, so it drops its copy.
    fence_release()
    write_words(<uint64_t *>(ring.slots + at), words, run * SLOT_WORDS)
    write_words(<uint64_t *>ring.slots, words + run * SLOT_WORDS, (n - run) * SLOT_WORDS)
    publish_tags(ring, position, slots, n)


# ---- the drain -----------------------------------------------------------------------------------

cdef uint64_t ring_committed(Ring *ring, uint64_t limit) noexcept nogil:
    cdef uint64_t tail = load_relaxed(&ring.tail)       # only our caller writes it
    cdef uint64_t head = load_acquire(&ring.head)       # a stale one means that we drain less
    cdef uint64_t at = tail
    cdef uint64_t tag
    while at < head:
        # Acquire pairs with the release in publish_tags: the slots passed here may be read as plain
        # memory until tail has passed them too.
        tag = load_tag(&ring.tags[at & ring.mask])
        if not same_lap(tag, tag_of(ring, at, 0)):
            break
        if <uint32_t>tag == SERIES_START and at - tail >= limit:
            break
        at += 1
    return at


cdef Point *ring_slot(Ring *ring, uint64_t position) noexcept nogil:
    return &ring.slots[position & ring.mask]


cdef void ring_payload(Ring *ring, uint64_t position, uint32_t count, uint64_t *out) noexcept nogil:
    cdef uint64_t at = (position + 1) & ring.mask
    cdef uint64_t run = min(<uint64_t>count, (ring.capacity - at) * SLOT_WORDS)
    memcpy(out, ring.slots + at, run * sizeof(uint64_t))
    memcpy(out + run, ring.slots, (count - run) * sizeof(uint64_t))


cdef void ring_release(Ring *ring, uint64_t position) noexcept nogil:
    # Release: our reads of the slots come before. A producer that acquires this tail may write
    # there.
    store_tail(&ring.tail, position)


cdef uint64_t ring_used(Ring *ring) noexcept nogil:
    # Tail first, with acquire so that head is read after it: head never lies below an earlier tail.
    cdef uint64_t tail = load_acquire(&ring.tail)
    return load_relaxed(&ring.head) - tail


# ---- readers -------------------------------------------------------------------------------------

cdef inline bint still_there(Ring *ring, uint64_t start) noexcept nogil:
    # The fence orders the copies before it and the look at tail after it, and pairs with the
    # release fence of a producer that overwrites. So if one of the words came from a later lap,
    # this tail has passed the slot, and with it (4) the START slot.
    fence_acquire()
    return load_relaxed(&ring.tail) <= start or MUTANT_NO_SECOND_LOOK


cdef void copy_words(Ring *ring, uint64_t position, uint64_t *target,
                     uint32_t count) noexcept nogil:
    """Copies `count` words from the slot at `position` on, around the end."""
    cdef uint64_t at = position & ring.mask
    cdef uint64_t run = min(<uint64_t>count, (ring.capacity - at) * SLOT_WORDS)
    cdef uint64_t *source = <uint64_t *>(ring.slots + at)
    cdef uint64_t i
    for i in range(run):
        target[i] = load_relaxed(source + i)
    source = <uint64_t *>ring.slots
    for i in range(run, count):
        target[i] = load_relaxed(source + (i - run))


cdef int copy_point(Ring *ring, uint64_t position, uint32_t selected,
                    RingCopies *out) noexcept nogil:
    """Appends the point at `position`, unless the drain has passed it. OK or NO_MEMORY.

    REQUIRES: its tag has been loaded with acquire.
    """
    cdef Point point
    cdef RingCopy *copy
    cdef uint64_t start
    cdef int64_t start_time
    copy_words(ring, position, <uint64_t *>&point, SLOT_WORDS)
    # An overwritten word may hold any number; the slot that it leads to is read and not used.
    start = position - point.start
    start_time = <int64_t>load_relaxed(<uint64_t *>&ring.slots[start & ring.mask].timestamp)
    if point.start > position or not still_there(ring, start):
        # Drained: it is in the chunks.
        return OK
    # Point and start are right, so the payload's length can be trusted. It needs a look of its own.
    if out.count == out.capacity and mem_grow(
        out.account, <void **>&out.items, &out.capacity, out.count + 1, sizeof(RingCopy)
    ) != OK:
        return NO_MEMORY
    if point.payload:
        if mem_grow(out.account, <void **>&out.words, &out.word_capacity,
                    out.word_count + point.payload, sizeof(uint64_t)) != OK:
            return NO_MEMORY
        copy_words(ring, position + 1, out.words + out.word_count, point.payload)
        if not still_there(ring, start):
            return OK
    copy = &out.items[out.count]
    copy.position = position
    copy.point = point
    copy.start = start_time
    copy.selected = selected
    copy.words = <uint32_t>out.word_count
    out.count += 1
    out.word_count += point.payload
    return OK


cdef inline void visible(Ring *ring, uint64_t *begin, uint64_t *end) noexcept nogil:
    """The positions that may hold points; below `begin` all has left the ring."""
    # Acquire, tail first: then head is not older than tail. Acquire of head, for (6).
    begin[0] = load_acquire(&ring.tail)
    end[0] = load_acquire(&ring.head)
    # Head may have moved on in between. What is a lap behind it has been drained.
    if end[0] - begin[0] > ring.capacity:
        begin[0] = end[0] - ring.capacity


# Both ways to collect go through the tags in stretches of one lap, where the array is contiguous.
# They filter with relaxed loads, since most tags are not wanted, and load a wanted tag again with
# acquire: the words read after it are those that the tag stands for, or later ones. A tag of
# another lap marks a hole (claimed, not published), or a slot that has been drained since.

cdef int ring_collect(Ring *ring, const uint32_t *wanted, uint32_t wanted_size,
                      RingCopies *out) noexcept nogil:
    cdef uint64_t at, end, count, i, lap
    cdef uint64_t *tags
    cdef uint64_t tag
    cdef uint32_t series
    visible(ring, &at, &end)
    while at < end:
        count = min(end, (at | ring.mask) + 1) - at
        tags = ring.tags + (at & ring.mask)
        lap = tag_of(ring, at, 0)
        for i in range(count):
            # START and EXT are beyond every size.
            series = <uint32_t>load_relaxed(tags + i)
            if series >= wanted_size or wanted[series] == 0:
                continue
            tag = load_tag(tags + i)
            if tag == (lap | series) and copy_point(ring, at + i, wanted[series], out) != OK:
                return NO_MEMORY
        at += count
    return OK


cdef inline uint64_t find_tag(const uint64_t *tags, uint64_t i, uint64_t count,
                              uint64_t tag) noexcept nogil:
    """The first index from i on where `tag` stands, or count."""
    while i + UNROLL <= count:
        if (
            load_relaxed(tags + i) == tag or load_relaxed(tags + i + 1) == tag
            or load_relaxed(tags + i + 2) == tag or load_relaxed(tags + i + 3) == tag
            or load_relaxed(tags + i + 4) == tag or load_relaxed(tags + i + 5) == tag
            or load_relaxed(tags + i + 6) == tag or load_relaxed(tags + i + 7) == tag
        ):
            break
        i += UNROLL
    while i < count and load_relaxed(tags + i) != tag:
        i += 1
    return i


cdef int ring_collect_one(Ring *ring, uint32_t series, RingCopies *out) noexcept nogil:
    cdef uint64_t at, end, count, i, tag
    cdef uint64_t *tags
    visible(ring, &at, &end)
    while at < end:
        count = min(end, (at | ring.mask) + 1) - at
        tags = ring.tags + (at & ring.mask)
        tag = tag_of(ring, at, series)
        i = find_tag(tags, 0, count, tag)
        while i < count:
            if load_tag(tags + i) == tag and copy_point(ring, at + i, 1, out) != OK:
                return NO_MEMORY
            i = find_tag(tags, i + 1, count, tag)
        at += count
    return OK


cdef void ring_copies_free(RingCopies *copies) noexcept nogil:
    mem_free(copies.account, copies.items)
    mem_free(copies.account, copies.words)
    copies.items = NULL
    copies.words = NULL
    copies.count = copies.capacity = 0
    copies.word_count = copies.word_capacity = 0
