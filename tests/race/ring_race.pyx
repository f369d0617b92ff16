"""The ring under threads, with a checker that knows at every moment what must be there.

The model. Producer p publishes its points 0, 1, 2, ... in claims of mixed sizes, each claim after
the one before. Point n belongs to series n % SERIES of its producer, and everything in it follows
from (p, n): time n, value, flags, start time (a new one every five points), payload words (none,
or up to 40). `acked[p]` is the number of its points that are published.

A model of the engine's drain passes points on into plain memory, under a lock: per series, how
many have come and the last of them. So what it is given must be the next point of its series, and
right.

A reader takes acked[p], copies series of p out of the ring, and then, under the lock, notes how
many points of each have been drained, and tail. Then

    every copy is right, word for word;
    the copies at or above tail continue each series where the drained part ends, without repeat;
    and no point is missing that is below acked[p], or belongs to an earlier claim than one that was
    found. (Of a claim that is just being published, a part may be found.)

Nothing here takes the GIL, whose locks would order what the ring must order by itself.
"""
cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, cas_acq_rel, load_acquire, load_relaxed, pthread_mutex_destroy,
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock, sched_yield,
    store_release,
)
from urpo_store.engine.memory.mutants cimport MUTANT_RELEASE_EARLY, MUTANT_WATERMARK_EARLY
from urpo_store.engine.points.slots cimport SERIES_START, Point, ext_slots
from urpo_store.engine.ring cimport (
    Ring, RingCopies, RingCopy, ring_claim, ring_collect, ring_collect_one, ring_committed,
    ring_copies_free, ring_destroy, ring_init, ring_payload, ring_publish, ring_release, ring_slot,
)

cdef enum:
    PRODUCERS = 4
    SERIES = 4                  # of each producer; their ids run from 1
    MAX_WORDS = 40
    MAX_SLOTS = 512
    DRAIN_SLOTS = 100           # of one step, so that there are many

    # What went wrong (Race.wrong); FAILURES below says it in words.
    DRAINED_WRONG = 1
    DRAINED_WITHOUT_START = 2
    COPIED_WRONG = 3
    REPEATED = 4
    NOT_FOUND = 5
    NO_MEMORY = 6

FAILURES = {
    DRAINED_WRONG: "the drain was given a point that is not the next one of its series, or is torn",
    DRAINED_WITHOUT_START: "the drain began at a point whose START slot it had passed before",
    COPIED_WRONG: "a reader was given a torn point",
    REPEATED: "a reader found a point in the ring that had been drained, or twice",
    NOT_FOUND: "a reader did not find a point that had been published before",
    NO_MEMORY: "no memory",
}


cdef struct Full:               # a point with all that belongs to it
    Point point                 # as in the ring; the distance to its START slot is of no account
    int64_t start
    uint64_t words[MAX_WORDS]


cdef inline uint64_t mix(uint64_t a, uint64_t b, uint64_t c) noexcept nogil:
    cdef uint64_t x = a * <uint64_t>0x9E3779B97F4A7C15 + b * <uint64_t>0xBF58476D1CE4E5B9 + c + 1
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


cdef void expect(uint64_t producer, uint64_t n, Full *out) noexcept nogil:
    cdef uint64_t shape = mix(producer, n, 1)
    cdef uint32_t i
    out.point.timestamp = <int64_t>n
    out.point.value = mix(producer, n, 0)
    out.point.series = <uint32_t>(1 + producer * SERIES + n % SERIES)
    out.point.flags = <uint32_t>(shape >> 32)
    out.point.payload = 1 + (shape >> 8) % MAX_WORDS if shape % 4 == 0 else 0
    out.start = <int64_t>mix(producer, n // 5, 2)
    for i in range(out.point.payload):
        out.words[i] = mix(producer, n, 10 + i)


cdef uint64_t claim_points(uint64_t producer, uint64_t first) noexcept nogil:
    # Mostly few, sometimes so many that a claim takes half of a small ring.
    cdef uint64_t shape = mix(producer, first, 4)
    return 1 + (shape >> 8) % (8 if shape % 8 else 40)


cdef bint as_expected(const Point *point, int64_t start, const uint64_t *words) noexcept nogil:
    cdef Full expected
    cdef uint64_t producer
    cdef uint32_t i
    if point.series < 1 or point.series > PRODUCERS * SERIES or point.timestamp < 0:
        return False
    producer = (point.series - 1) // SERIES
    expect(producer, <uint64_t>point.timestamp, &expected)
    if (
        point.series != expected.point.series
        or point.value != expected.point.value
        or point.flags != expected.point.flags
        or point.payload != expected.point.payload
        or start != expected.start
    ):
        return False
    for i in range(point.payload):
        if words[i] != expected.words[i]:
            return False
    return True


cdef class RingRace:
    """:param capacity: slots of the ring.
    :param points: how many each producer publishes.
    """
    cdef Account account
    cdef Ring ring
    cdef uint64_t points
    cdef uint32_t *claims[PRODUCERS]        # of each point, the first point of its claim; constant
    cdef uint64_t published[PRODUCERS]      # each its producer's alone
    cdef uint64_t acked[PRODUCERS]          # atomic; its producer stores with release
    cdef uint64_t wrong                     # atomic; the first failure
    cdef uint64_t wrong_series, wrong_time  # written by their setter, read after all threads
    cdef uint64_t checks                    # atomic
    cdef pthread_mutex_t lock
    # Under the lock: the drained part of each series.
    cdef uint64_t drained[1 + PRODUCERS * SERIES]
    cdef Point newest[1 + PRODUCERS * SERIES]
    cdef Full *batch                        # what a step took out of the ring

    def __cinit__(self, uint64_t capacity, uint64_t points):
        cdef uint64_t producer, first, n
        account_init(&self.account, NULL)
        if ring_init(&self.ring, &self.account, capacity) != 0:
            raise MemoryError("no memory for the ring")
        self.batch = <Full *>mem_alloc(&self.account, (DRAIN_SLOTS + MAX_SLOTS) * sizeof(Full))
        self.points = points
        for producer in range(PRODUCERS):
            self.claims[producer] = <uint32_t *>mem_alloc(&self.account, points * sizeof(uint32_t))
            first = n = 0
            while n < points:
                if n == first + claim_points(producer, first):
                    first = n
                self.claims[producer][n] = first
                n += 1
        pthread_mutex_init(&self.lock, NULL)

    def __dealloc__(self):
        if self.ring.account != NULL:
            ring_destroy(&self.ring)
            mem_free(&self.account, self.batch)
            for claims in self.claims:
                mem_free(&self.account, claims)
            pthread_mutex_destroy(&self.lock)

    @property
    def failure(self):
        """What went wrong first, or None. For use when no other thread runs."""
        if self.wrong == 0:
            return None
        return f"{FAILURES[self.wrong]} (series {self.wrong_series}, time {self.wrong_time})"

    @property
    def checked(self):
        """How many points readers have checked."""
        return load_relaxed(&self.checks)

    @property
    def complete(self):
        """Whether all points have been published and drained."""
        expected = self.points // SERIES
        return all([self.drained[i] == expected for i in range(1, 1 + PRODUCERS * SERIES)])

    def produce(self, int producer, uint64_t claims=2**63):
        """Publishes the next claims of a producer; False when that was all."""
        cdef bint more = True
        with nogil:
            while more and claims and load_relaxed(&self.wrong) == 0:
                more = publish_some(self, producer)
                claims -= 1
        return more and not claims

    def drain(self, uint64_t steps=2**63):
        """Drains; False when all is drained."""
        with nogil:
            while steps and load_relaxed(&self.wrong) == 0 and not is_drained(self):
                if drain_some(self) == 0:
                    sched_yield()
                steps -= 1
        return not steps

    def read(self, uint64_t seed, uint64_t reads=2**63):
        """Reads and checks; False when all is drained."""
        cdef RingCopies copies
        memset(&copies, 0, sizeof(copies))
        copies.account = &self.account
        with nogil:
            while reads and load_relaxed(&self.wrong) == 0 and not is_drained(self):
                seed = mix(seed, reads, 3)
                copies.count = copies.word_count = 0
                check(self, seed % PRODUCERS, (seed >> 8) % (2 * SERIES), &copies)
                reads -= 1
            ring_copies_free(&copies)
        return not reads


cdef void fail(RingRace race, uint64_t what, uint64_t series, uint64_t time) noexcept nogil:
    cdef uint64_t none = 0
    if cas_acq_rel(&race.wrong, &none, what):
        race.wrong_series = series
        race.wrong_time = time


# ---- a producer ---------------------------------------------------------------------------------

cdef uint64_t stage(uint64_t producer, uint64_t first, uint64_t count, Point *slots) noexcept nogil:
    """Slots of points first, first + 1, ..., as a scan stages them; returns how many slots."""
    cdef Full expected
    cdef uint64_t used = 0, start_slot = 0, n
    cdef uint64_t *words
    cdef uint32_t i
    for n in range(first, first + count):
        expect(producer, n, &expected)
        if n == first or expected.start != slots[start_slot].timestamp:
            memset(&slots[used], 0, sizeof(Point))
            slots[used].timestamp = expected.start
            slots[used].series = SERIES_START
            start_slot = used
            used += 1
        expected.point.start = <uint32_t>(used - start_slot)
        slots[used] = expected.point
        words = <uint64_t *>&slots[used + 1]
        for i in range(expected.point.payload):
            words[i] = expected.words[i]
        used += 1 + ext_slots(expected.point.payload)
    return used


cdef bint publish_some(RingRace race, int producer) noexcept nogil:
    """One claim; False when there is nothing left."""
    cdef Point slots[MAX_SLOTS]
    cdef uint64_t first = race.published[producer]
    cdef uint64_t shape = mix(producer, first, 4)
    cdef uint64_t count = min(claim_points(producer, first), race.points - first)
    cdef uint64_t used, position
    if count == 0:
        return False
    used = stage(producer, first, count, slots)
    while not ring_claim(&race.ring, used, &position):
        # Full. As in the engine, producers help to drain; here not always, for the drain's sake.
        if load_relaxed(&race.wrong) != 0:
            return False
        if shape & 0x10000 == 0 or drain_some(race) == 0:
            sched_yield()
    if shape & 0xE0000 == 0:
        # Stopped between claim and publish: a hole, behind which others go on.
        for _ in range(3):
            sched_yield()
    ring_publish(&race.ring, position, slots, used)
    race.published[producer] = first + count
    # Release: who reads this number may expect the points.
    store_release(&race.acked[producer], first + count)
    return True


# ---- the drain ----------------------------------------------------------------------------------

cdef bint is_drained(RingRace race) noexcept nogil:
    cdef int producer
    for producer in range(PRODUCERS):
        if load_acquire(&race.acked[producer]) != race.points:
            return False
    return load_acquire(&race.ring.tail) == load_acquire(&race.ring.head)


cdef uint64_t drain_some(RingRace race) noexcept nogil:
    """One step, as the engine's drain makes it. Returns how many slots were passed."""
    cdef uint64_t begin, end, count, i
    pthread_mutex_lock(&race.lock)
    begin = load_relaxed(&race.ring.tail)
    end = ring_committed(&race.ring, DRAIN_SLOTS)
    if MUTANT_RELEASE_EARLY:
        ring_release(&race.ring, end)
    count = take(race, begin, end)
    if MUTANT_WATERMARK_EARLY:
        ring_release(&race.ring, end)
        pthread_mutex_unlock(&race.lock)
        sched_yield()
        pthread_mutex_lock(&race.lock)
    for i in range(count):
        append(race, &race.batch[i])
    ring_release(&race.ring, end)
    pthread_mutex_unlock(&race.lock)
    return end - begin


cdef uint64_t take(RingRace race, uint64_t at, uint64_t end) noexcept nogil:
    """Copies the points from a boundary up to another into the batch; returns how many."""
    cdef uint64_t count = 0
    cdef int64_t start = 0
    cdef bint has_start = False
    cdef const Point *point
    while at < end:
        point = ring_slot(&race.ring, at)
        if point.series == SERIES_START:
            start = point.timestamp
            has_start = True
            at += 1
            continue
        if not has_start:
            fail(race, DRAINED_WITHOUT_START, point.series, point.timestamp)
            break
        if point.payload > MAX_WORDS:
            fail(race, DRAINED_WRONG, point.series, point.timestamp)
            break
        race.batch[count].point = point[0]
        race.batch[count].start = start
        ring_payload(&race.ring, at, point.payload, race.batch[count].words)
        count += 1
        at += 1 + ext_slots(point.payload)
    return count


@cython.cdivision(True)
cdef void append(RingRace race, const Full *full) noexcept nogil:
    cdef uint32_t series = full.point.series
    cdef uint64_t time = <uint64_t>full.point.timestamp
    if (
        not as_expected(&full.point, full.start, full.words)
        or time != race.drained[series] * SERIES + (series - 1) % SERIES
    ):
        fail(race, DRAINED_WRONG, series, time)
        return
    race.drained[series] += 1
    race.newest[series] = full.point


# ---- a reader -----------------------------------------------------------------------------------

cdef void check(RingRace race, uint64_t producer, uint64_t pick, RingCopies *copies) noexcept nogil:
    """Checks one series of a producer, or, for a pick beyond their number, all of them."""
    cdef uint32_t wanted[1 + PRODUCERS * SERIES]
    cdef uint64_t next_time[1 + PRODUCERS * SERIES]
    cdef uint32_t first = <uint32_t>(1 + producer * SERIES)
    cdef uint32_t last = first + SERIES
    cdef uint64_t acked = load_acquire(&race.acked[producer])
    cdef uint64_t tail, published, time
    cdef const RingCopy *copy
    cdef uint32_t series
    cdef size_t i
    cdef int verdict
    if pick < SERIES:
        first += <uint32_t>pick
        last = first + 1
        verdict = ring_collect_one(&race.ring, first, copies)
    else:
        memset(wanted, 0, sizeof(wanted))
        for series in range(first, last):
            wanted[series] = 1
        verdict = ring_collect(&race.ring, wanted, last, copies)
    if verdict != 0:
        fail(race, NO_MEMORY, first, 0)
        return
    pthread_mutex_lock(&race.lock)
    tail = load_relaxed(&race.ring.tail)
    for series in range(first, last):
        next_time[series] = race.drained[series] * SERIES + (series - 1) % SERIES
        if (race.drained[series]
                and race.newest[series].timestamp + SERIES != <int64_t>next_time[series]):
            fail(race, DRAINED_WRONG, series, race.newest[series].timestamp)
    pthread_mutex_unlock(&race.lock)
    # What has been published before a claim that was found must be found too.
    published = acked
    for i in range(copies.count):
        copy = &copies.items[i]
        series = copy.point.series
        if series < first or series >= last or not as_expected(
            &copy.point, copy.start, copies.words + copy.words
        ):
            fail(race, COPIED_WRONG, series, copy.point.timestamp)
            return
        if copy.position >= tail:
            published = max(published, race.claims[producer][copy.point.timestamp])
    for i in range(copies.count):
        copy = &copies.items[i]
        if copy.position < tail:
            continue
        series = copy.point.series
        time = <uint64_t>copy.point.timestamp
        if time < next_time[series]:
            fail(race, REPEATED, series, time)
            return
        if time > next_time[series] and next_time[series] < published:
            fail(race, NOT_FOUND, series, next_time[series])
            return
        next_time[series] = time + SERIES
    for series in range(first, last):
        if next_time[series] < published:
            fail(race, NOT_FOUND, series, next_time[series])
            return
    add_relaxed(&race.checks, copies.count)
