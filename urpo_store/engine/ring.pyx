"""The hot ring; the contract and its invariants are in ring.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.alloc cimport Account, mem_calloc, mem_free, mem_grow
from urpo_store.engine.atomics cimport (
    cas_acq_rel, fence_acquire, fence_release, load_acquire, load_relaxed, load_tag, store_relaxed,
    store_release, store_tag,
)
from urpo_store.engine.points cimport Point, SERIES_EXT, SERIES_START, ext_slots

cdef enum:
    SLOT_WORDS = 4              # u64 words in a slot


cdef inline uint64_t lap_of(const Ring *ring, uint64_t position) noexcept nogil:
    # Tags of a fresh ring are 0, so laps count from 1.
    return (position >> ring.shift) + 1


cdef inline uint64_t tag_of(const Ring *ring, uint64_t position, uint32_t series) noexcept nogil:
    return (lap_of(ring, position) << 32) | series


cdef int ring_init(Ring *ring, Account *account, uint64_t capacity) noexcept nogil:
    ring.account = account
    ring.capacity = capacity
    ring.mask = capacity - 1
    ring.shift = 0
    while (<uint64_t>1 << ring.shift) < capacity:
        ring.shift += 1
    store_relaxed(&ring.head, 0)
    store_relaxed(&ring.tail, 0)
    ring.slots = <Point *>mem_calloc(account, capacity * sizeof(Point))
    ring.tags = <uint64_t *>mem_calloc(account, capacity * sizeof(uint64_t))
    if ring.slots == NULL or ring.tags == NULL:
        ring_destroy(ring)
        return -1
    return 0


cdef void ring_destroy(Ring *ring) noexcept nogil:
    mem_free(ring.account, ring.slots)
    mem_free(ring.account, ring.tags)
    ring.slots = NULL
    ring.tags = NULL


# ---- producers ------------------------------------------------------------------------------------

cdef bint ring_claim(Ring *ring, uint64_t n, uint64_t *position) noexcept nogil:
    cdef uint64_t head = load_relaxed(&ring.head)
    while True:
        # Acquire: whoever sees this tail sees that the drain has read all below it, so the slots may
        # be written.
        if head + n > load_acquire(&ring.tail) + ring.capacity:
            return False
        if cas_acq_rel(&ring.head, &head, head + n):
            position[0] = head
            return True


cdef void ring_publish(Ring *ring, uint64_t position, const Point *slots, uint64_t n) noexcept nogil:
    cdef const uint64_t *source = <const uint64_t *>slots
    cdef uint64_t i, at, run
    # A reader that finds one of the words below must, when it looks at tail after that, find the tail
    # that let us claim these slots: this fence pairs with the acquire fence in copy_point.
    fence_release()
    i = 0
    while i < n:
        at = (position + i) & ring.mask
        run = ring.capacity - at
        if run > n - i:
            run = n - i
        copy_words(<uint64_t *>(ring.slots + at), source + i * SLOT_WORDS, run * SLOT_WORDS)
        i += run
    publish_tags(ring, position, slots, n)


cdef inline void copy_words(uint64_t *target, const uint64_t *source, uint64_t count) noexcept nogil:
    # Relaxed atomic stores, plain on x86-64: readers may be copying the same slots, and will find out
    # from tail that they must not use them.
    cdef uint64_t i
    for i in range(count):
        store_relaxed(target + i, source[i])


cdef void publish_tags(Ring *ring, uint64_t position, const Point *slots, uint64_t n) noexcept nogil:
    """Tags slots[1:], then slot 0: the claim's first tag commits all of it, for the drain never passes
    an untagged slot.

    Every tag is a release store, since a reader may meet any of them first and then reads the words of
    its slot, of its START slot and of its EXT slots, all written before.
    """
    cdef uint64_t i = 1
    cdef uint64_t j
    cdef uint32_t ext
    while i < n:
        store_tag(&ring.tags[(position + i) & ring.mask], tag_of(ring, position + i, slots[i].series))
        if slots[i].series == SERIES_START:
            i += 1
            continue
        ext = ext_slots(slots[i].payload)
        for j in range(i + 1, i + 1 + ext):
            store_tag(&ring.tags[(position + j) & ring.mask], tag_of(ring, position + j, SERIES_EXT))
        i += 1 + ext
    store_tag(&ring.tags[position & ring.mask], tag_of(ring, position, SERIES_START))


# ---- the drain --------------------------------------------------------------------------------------

cdef uint64_t ring_committed(Ring *ring, uint64_t limit) noexcept nogil:
    cdef uint64_t tail = load_relaxed(&ring.tail)       # only the drain, our caller, moves it
    cdef uint64_t head = load_acquire(&ring.head)
    cdef uint64_t at = tail
    cdef uint64_t tag
    while at < head:
        # Acquire: the tag was stored after the words of its claim, which may be read from now on as
        # plain memory. Nobody writes them again before tail has passed them.
        tag = load_tag(&ring.tags[at & ring.mask])
        if tag >> 32 != lap_of(ring, at):
            return at
        if <uint32_t>tag == SERIES_START:
            if at - tail >= limit:
                return at
            at += 1
        else:
            at += 1 + ext_slots(ring.slots[at & ring.mask].payload)
    return at


cdef Point *ring_slot(Ring *ring, uint64_t position) noexcept nogil:
    return &ring.slots[position & ring.mask]


cdef void ring_payload(Ring *ring, uint64_t position, uint32_t count, uint64_t *out) noexcept nogil:
    cdef uint64_t at = (position + 1) & ring.mask
    cdef uint64_t run = (ring.capacity - at) * SLOT_WORDS
    if run > count:
        run = count
    memcpy(out, ring.slots + at, run * sizeof(uint64_t))
    memcpy(out + run, ring.slots, (count - run) * sizeof(uint64_t))


cdef void ring_release(Ring *ring, uint64_t position) noexcept nogil:
    # Release: our reads of the slots come before; a producer that acquires this tail may write them.
    store_release(&ring.tail, position)


cdef uint64_t ring_used(Ring *ring) noexcept nogil:
    # Tail first: head only grows, so the difference is never negative.
    cdef uint64_t tail = load_relaxed(&ring.tail)
    return load_acquire(&ring.head) - tail


# ---- readers ----------------------------------------------------------------------------------------

cdef int copy_point(Ring *ring, uint64_t position, uint32_t selected, RingCopies *out) noexcept nogil:
    """Copies the point at `position`, whose tag has been seen, unless it is being overwritten.

    0; or -1: no memory. Words are read with relaxed order; they count only if tail, loaded after an
    acquire fence, still stands at or below the START slot: see invariant (5).
    """
    cdef uint64_t *words = <uint64_t *>&ring.slots[position & ring.mask]
    cdef uint64_t begin, at, run, i
    cdef RingCopy *copy
    cdef uint64_t *payload
    cdef Point point
    for i in range(SLOT_WORDS):
        (<uint64_t *>&point)[i] = load_relaxed(words + i)
    fence_acquire()
    begin = position - point.start
    if point.start > position or load_relaxed(&ring.tail) > begin:
        # Drained, and perhaps written anew: the chunks have it.
        return 0
    if mem_grow(out.account, <void **>&out.items, &out.capacity, out.count + 1, sizeof(RingCopy)) != 0:
        return -1
    if mem_grow(out.account, <void **>&out.words, &out.word_capacity, out.word_count + point.payload,
                sizeof(uint64_t)) != 0:
        return -1
    copy = &out.items[out.count]
    copy.position = position
    copy.point = point
    copy.selected = selected
    copy.words = <uint32_t>out.word_count
    copy.start = <int64_t>load_relaxed(<uint64_t *>&ring.slots[begin & ring.mask].timestamp)
    if point.payload:
        payload = out.words + out.word_count
        at = (position + 1) & ring.mask
        run = (ring.capacity - at) * SLOT_WORDS
        words = <uint64_t *>(ring.slots + at)
        for i in range(point.payload):
            if i == run:
                words = <uint64_t *>ring.slots - run
            payload[i] = load_relaxed(words + i)
    fence_acquire()
    if load_relaxed(&ring.tail) <= begin:
        out.count += 1
        out.word_count += point.payload
    return 0


cdef int ring_collect(Ring *ring, const uint32_t *wanted, uint32_t wanted_size, RingCopies *out) noexcept nogil:
    cdef uint64_t at = load_acquire(&ring.tail)
    cdef uint64_t head = load_acquire(&ring.head)
    cdef uint64_t tag
    cdef uint32_t series, selected
    while at < head:
        # Acquire, so that the words read behind it are not older than the tag.
        tag = load_tag(&ring.tags[at & ring.mask])
        series = <uint32_t>tag
        # START and EXT lie beyond every size; series 0 is a voided slot, and never wanted.
        if series < wanted_size:
            selected = wanted[series]
            # An older lap is a hole, or a slot that has been drained: its point is not at `at`.
            if selected and tag >> 32 == lap_of(ring, at):
                if copy_point(ring, at, selected, out) != 0:
                    return -1
        at += 1
    return 0


cdef int ring_collect_one(Ring *ring, uint32_t series, RingCopies *out) noexcept nogil:
    cdef uint64_t at = load_acquire(&ring.tail)
    cdef uint64_t head = load_acquire(&ring.head)
    while at < head:
        if load_tag(&ring.tags[at & ring.mask]) == tag_of(ring, at, series):
            if copy_point(ring, at, 1, out) != 0:
                return -1
        at += 1
    return 0


cdef void ring_copies_free(RingCopies *copies) noexcept nogil:
    mem_free(copies.account, copies.items)
    mem_free(copies.account, copies.words)
    copies.items = NULL
    copies.words = NULL
    copies.count = copies.capacity = 0
    copies.word_count = copies.word_capacity = 0
