"""A hot ring that stands alone, through which tests and benchmarks drive engine/ring."""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport load_acquire, load_relaxed
from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.ring cimport (
    Ring, RingCopies, RingCopy, ring_claim, ring_collect, ring_collect_one, ring_committed,
    ring_copies_free, ring_destroy, ring_init, ring_payload, ring_publish, ring_release, ring_slot,
    ring_used,
)


@cython.final
cdef class HotRing:
    """Its methods are the calls of engine/ring, one to one.

    Producers and readers may be any threads; `committed`, `slot`, `payload` and `release` belong to
    one thread at a time.

    :param capacity: slots, a power of two.
    :param first: the position of the first slot, a multiple of capacity.
    :param fail_at: the allocation that fails, counted from 1; 0 for none.
    """
    cdef Account account
    cdef Ring ring

    def __cinit__(self, uint64_t capacity, *, uint64_t first=0, uint64_t fail_at=0):
        if capacity == 0 or capacity & (capacity - 1):
            raise ValueError(f"capacity is {capacity}; it must be a power of two")
        if first % capacity:
            raise ValueError(f"first is {first}; it must be a multiple of {capacity}")
        account_init(&self.account, NULL)
        self.account.fail_at = fail_at
        if ring_init(&self.ring, &self.account, capacity) != 0:
            raise MemoryError(f"no memory for a ring of {capacity} slots")
        self.ring.head = self.ring.tail = first

    def __dealloc__(self):
        if self.ring.account != NULL:
            ring_destroy(&self.ring)

    def claim(self, uint64_t slots):
        """The position of `slots` slots that are the caller's to publish; None: no room."""
        cdef uint64_t position
        return position if ring_claim(&self.ring, slots, &position) else None

    def publish(self, uint64_t position, bytes slots not None):
        """Publishes a claim: the bytes of its slots, 32 each."""
        cdef const Point *points = <const Point *>PyBytes_AS_STRING(slots)
        cdef uint64_t count = PyBytes_GET_SIZE(slots) // sizeof(Point)
        with nogil:
            ring_publish(&self.ring, position, points, count)

    def committed(self, uint64_t limit):
        """Up to where the drain may go."""
        return ring_committed(&self.ring, limit)

    def slot(self, uint64_t position):
        """The bytes of a committed slot."""
        return (<char *>ring_slot(&self.ring, position))[:sizeof(Point)]

    def payload(self, uint64_t position, uint32_t count):
        """The payload words of the committed point at `position`."""
        cdef uint64_t *words = <uint64_t *>mem_alloc(&self.account, count * sizeof(uint64_t))
        cdef uint32_t i
        if words == NULL:
            raise MemoryError(f"no memory for {count} words")
        try:
            ring_payload(&self.ring, position, count, words)
            return [words[i] for i in range(count)]
        finally:
            mem_free(&self.account, words)

    def release(self, uint64_t position):
        """Moves tail to `position`."""
        ring_release(&self.ring, position)

    def collect(self, wanted):
        """Copies of the points of the series that `wanted` maps to a number that is not 0.

        :param wanted: dict of series to number; or an int, one series, for which `selected` is 1.
        :returns: tuples position, timestamp, value, series, start time, flags, selected, payload
        words.
        """
        cdef RingCopies copies
        cdef uint32_t *selected = NULL
        cdef uint32_t size = 0, series
        cdef int verdict
        memset(&copies, 0, sizeof(copies))
        copies.account = &self.account
        try:
            if isinstance(wanted, int):
                series = wanted
                with nogil:
                    verdict = ring_collect_one(&self.ring, series, &copies)
            else:
                size = max(wanted, default=0) + 1
                selected = <uint32_t *>mem_calloc(&self.account, size * sizeof(uint32_t))
                if selected == NULL:
                    raise MemoryError("no memory for what is wanted")
                for series, number in wanted.items():
                    selected[series] = number
                with nogil:
                    verdict = ring_collect(&self.ring, selected, size, &copies)
            if verdict != 0:
                raise MemoryError("no memory for the copies")
            return [copy_to_tuple(&copies, i) for i in range(copies.count)]
        finally:
            mem_free(&self.account, selected)
            ring_copies_free(&copies)

    def count(self, uint32_t series):
        """How many points of a series are visible; nothing else, so that a scan can be timed."""
        cdef RingCopies copies
        cdef size_t count
        memset(&copies, 0, sizeof(copies))
        copies.account = &self.account
        with nogil:
            ring_collect_one(&self.ring, series, &copies)
            count = copies.count
            ring_copies_free(&copies)
        return count

    @property
    def used(self):
        """Slots claimed and not released."""
        return ring_used(&self.ring)

    @property
    def tail(self):
        """The position below which all is drained."""
        return load_acquire(&self.ring.tail)

    @property
    def bytes(self):
        """Bytes owned, as the account counts them."""
        return load_relaxed(&self.account.bytes)


cdef tuple copy_to_tuple(const RingCopies *copies, size_t i):
    cdef const RingCopy *copy = &copies.items[i]
    cdef uint32_t j
    words = tuple([copies.words[copy.words + j] for j in range(copy.point.payload)])
    return (
        copy.position, copy.point.timestamp, copy.point.value, copy.point.series, copy.start,
        copy.point.flags, copy.selected, words,
    )
