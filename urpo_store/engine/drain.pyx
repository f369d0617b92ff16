"""From the ring into the chunks, and the drain thread; the contract is in drain.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, add_seq_cst, cas_acq_rel, load32_relaxed, load_acquire, load_relaxed,
    load_seq_cst, pthread_create, pthread_join, pthread_mutex_lock, pthread_mutex_trylock,
    pthread_mutex_unlock, pthread_setname_np, sched_yield, sem_post, sem_wait_for, store_relaxed,
    store_release,
)
from urpo_store.engine.memory.epoch cimport epoch_enter, epoch_leave
from urpo_store.engine.memory.mutants cimport MUTANT_RELEASE_EARLY
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.points.slots cimport SERIES_START, Point, ext_slots, payload_exemplar_bytes
from urpo_store.engine.chunks.append cimport chunks_append
from urpo_store.engine.chunks.folding cimport chunks_seal
from urpo_store.engine.chunks.full_tails cimport full_seal_some
from urpo_store.engine.chunks.types cimport (
    FULL_TAILS, SeriesData, prefetch_series, prefetch_stream, prefetch_tail,
)
from urpo_store.engine.identity.types cimport Series, series_get
from urpo_store.engine.exemplars cimport keep_exemplars
from urpo_store.engine.maintenance cimport maintain
from urpo_store.engine.ring cimport ring_committed, ring_payload, ring_release, ring_slot, ring_used
from urpo_store.engine.store cimport Store

cdef enum:
    # Slots drained in one hold of the lock: a reader waits for at most so many appends.
    PART_SLOTS = 1024
    # Points noted before they are appended.
    RUN = 256
    # How long a producer waits for room at most before it looks again.
    ROOM_WAIT_NS = 1000000
    # How many points ahead of the one that is appended its series, its tail and the end of its
    # stream are fetched: each can only be found in the one before.
    SERIES_AHEAD = 12
    TAIL_AHEAD = 8
    STREAM_AHEAD = 4


# ---- the drain thread ----------------------------------------------------------------------------

cdef void *drain_main(void *argument) noexcept nogil:
    cdef Store *store = <Store *>argument
    while load_acquire(&store.drain.stopping) == 0:
        sem_wait_for(&store.drain.wake, store.options.drain_interval)
        store_release(&store.drain.woken, 0)
        drain_all(store)
        maintain(store, False)
    return NULL


cdef bint drain_start(Store *store) noexcept nogil:
    if pthread_create(&store.drain.thread, NULL, drain_main, store) != 0:
        return False
    # What `top -H` and debuggers show.
    pthread_setname_np(store.drain.thread, b"urpo-drain")
    store.drain.running = True
    return True


cdef void drain_stop(Store *store) noexcept nogil:
    if store.drain.running:
        store_release(&store.drain.stopping, 1)
        sem_post(&store.drain.wake)
        pthread_join(store.drain.thread, NULL)
        store.drain.running = False


cdef void drain_wanted(Store *store) noexcept nogil:
    cdef uint64_t no = 0
    if load_relaxed(&store.drain.woken) == 0 and cas_acq_rel(&store.drain.woken, &no, 1):
        sem_post(&store.drain.wake)


# ---- draining ------------------------------------------------------------------------------------

# A point of the run: where it stands, and what it is appended to.
cdef struct Noted:
    Point *point
    SeriesData *data
    uint64_t position
    int64_t start


cdef uint64_t drain_all(Store *store) noexcept nogil:
    # What is published after this look may wait for the next drain.
    cdef uint64_t target = load_acquire(&store.ring.head)
    cdef uint64_t passed = 0, part
    cdef bint finished = False
    cdef int _round
    while not finished:
        pthread_mutex_lock(&store.chunks.lock)
        part = drain_part(store)
        passed += part
        finished = part == 0 or load_relaxed(&store.ring.tail) >= target
        if finished:
            store_relaxed(&store.counters.drains, load_relaxed(&store.counters.drains) + 1)
        pthread_mutex_unlock(&store.chunks.lock)
        wake_waiting(store, finished)
        if not finished:
            seal_full_tails(store)
    # Only what was in the queue by now: producers that help may fill it again and again.
    for _round in range(FULL_TAILS):
        if not seal_full_tails(store):
            break
    return passed


cdef uint64_t drain_part(Store *store) noexcept nogil:
    """Drains up to a boundary about PART_SLOTS on. Under the drain lock. Slots passed."""
    cdef Noted run[RUN]
    cdef uint64_t begin = load_relaxed(&store.ring.tail)     # only the drain moves it
    cdef uint64_t end = ring_committed(&store.ring, PART_SLOTS)
    cdef uint64_t at = begin, points = 0
    cdef int64_t start = 0
    cdef size_t count
    # Full tails are taken aside only while the drain does not keep pace: that takes some memory.
    store.chunks.behind = ring_used(&store.ring) * 2 > store.ring.capacity
    if MUTANT_RELEASE_EARLY and end > begin:
        ring_release(&store.ring, end)
    while at < end:
        at = note_run(store, at, end, &start, run, &count)
        append_run(store, run, count)
        points += count
    if end > begin:
        store_relaxed(&store.counters.drained_points,
                      load_relaxed(&store.counters.drained_points) + points)
        # After the appends (1).
        ring_release(&store.ring, end)
        # Limbo may now give back the ids whose last point has been passed.
        store_release(&store.epochs.drained, end)
    return end - begin


cdef inline uint64_t note_run(Store *store, uint64_t at, uint64_t end, int64_t *start, Noted *run,
                              size_t *count) noexcept nogil:
    """Notes up to RUN points from `at` on, so that what they touch can be fetched ahead.

    `*start` is the start time that governs, from one run to the next. Returns where the next run
    begins.
    """
    cdef int64_t governs = start[0]
    cdef size_t n = 0
    cdef Point *point
    while at < end and n < RUN:
        point = ring_slot(&store.ring, at)
        if point.series == SERIES_START:
            governs = point.timestamp
            at += 1
            continue
        if point.series != 0:
            run[n].point = point
            run[n].data = &series_get(&store.table, point.series).data
            run[n].position = at
            run[n].start = governs
            n += 1
        at += 1 + ext_slots(point.payload)
    start[0] = governs
    count[0] = n
    return at


cdef void append_run(Store *store, Noted *run, size_t count) noexcept nogil:
    cdef uint64_t *payload
    cdef Noted *item
    cdef size_t i
    for i in range(count):
        if i + SERIES_AHEAD < count:
            prefetch_series(run[i + SERIES_AHEAD].data)
        if i + TAIL_AHEAD < count:
            prefetch_tail(run[i + TAIL_AHEAD].data)
        if i + STREAM_AHEAD < count:
            prefetch_stream(run[i + STREAM_AHEAD].data)
        item = &run[i]
        payload = NULL
        if item.point.payload:
            payload = copy_payload(store, item.position, item.point.payload)
            if payload == NULL:
                add_relaxed(&store.chunks.evicted_points, 1)
                continue
            if payload_exemplar_bytes(payload[0]):
                keep_exemplars(&store.chunks, item.data, item.point, payload)
        # It counts its own failures, as evicted points.
        chunks_append(&store.chunks, item.data, item.point, item.start, payload)


cdef uint64_t *copy_payload(Store *store, uint64_t position, uint32_t words) noexcept nogil:
    """The payload of the point at `position`, in one piece. NULL: no memory."""
    if mem_grow(&store.account, <void **>&store.payload, &store.payload_capacity, words,
                sizeof(uint64_t)) != OK:
        return NULL
    ring_payload(&store.ring, position, words, store.payload)
    return store.payload


cdef bint seal_full_tails(Store *store) noexcept nogil:
    """Seals some of the tails that draining has filled. False: there was nothing to do."""
    cdef int slot = epoch_enter(&store.epochs)
    cdef bint done = full_seal_some(&store.chunks)
    epoch_leave(&store.epochs, slot)
    return done


# ---- producers without room ----------------------------------------------------------------------

cdef void drain_help(Store *store, uint64_t count) noexcept nogil:
    cdef uint64_t passed
    if pthread_mutex_trylock(&store.chunks.lock) == 0:
        passed = drain_part(store)
        pthread_mutex_unlock(&store.chunks.lock)
        if passed == 0:
            # The ring is full behind a hole: let its producer run.
            sched_yield()
        else:
            wake_waiting(store, False)
        return
    # Another thread drains, so there may be tails to be sealed.
    if full_seal_some(&store.chunks):
        return
    add_seq_cst(&store.drain.waiting, 1)        # before the look (2)
    if ring_used(&store.ring) + count > store.ring.capacity:
        # Spurious posts are harmless: the caller looks again. The timeout covers a reader that
        # holds the lock and frees no slots.
        sem_wait_for(&store.drain.room, ROOM_WAIT_NS)


cdef void wake_waiting(Store *store, bint finished) noexcept nogil:
    """Wakes the producers that wait, if the drain has finished or half of the ring is free."""
    cdef uint64_t waiting = load_seq_cst(&store.drain.waiting)
    if waiting == 0 or not (finished or ring_used(&store.ring) * 2 <= store.ring.capacity):
        return
    if cas_acq_rel(&store.drain.waiting, &waiting, 0):
        while waiting:
            sem_post(&store.drain.room)
            waiting -= 1


# ---- everything at once --------------------------------------------------------------------------

cdef int compress_all(Store *store) noexcept nogil:
    cdef uint32_t id, limit
    cdef Series *series
    cdef int verdict = OK, sealed
    drain_all(store)
    limit = load32_relaxed(&store.table.series_limit)
    for id in range(1, limit):
        # The lock is dropped between series: sealing all of them in one hold would take long.
        pthread_mutex_lock(&store.chunks.lock)
        series = series_get(&store.table, id)
        sealed = chunks_seal(&store.chunks, &series.data) if series != NULL else OK
        pthread_mutex_unlock(&store.chunks.lock)
        if sealed != OK:
            verdict = sealed
    maintain(store, True)
    return verdict
