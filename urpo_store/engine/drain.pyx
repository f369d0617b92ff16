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
from urpo_store.engine.points.slots cimport SERIES_START, Point, ext_slots
from urpo_store.engine.chunks.append cimport chunks_append, chunks_seal
from urpo_store.engine.chunks.full_tails cimport full_seal_some
from urpo_store.engine.chunks.types cimport (
    FULL_TAILS, SeriesData, prefetch_series, prefetch_stream, prefetch_tail,
)
from urpo_store.engine.identity.types cimport Series, series_get
from urpo_store.engine.maintenance cimport maintain
from urpo_store.engine.ring cimport ring_committed, ring_payload, ring_release, ring_slot, ring_used
from urpo_store.engine.store cimport Store

cdef enum:
    # Slots drained under one hold of the lock: a reader waits for at most so many appends.
    DRAIN_SLOTS = 1024
    # Points noted before they are appended.
    RUN = 256
    # How long a producer waits for room at most before it looks again.
    ROOM_WAIT_NS = 1000000


# A point of the run that is drained: where it stands, and what it is appended to.
cdef struct Drained:
    Point *point
    SeriesData *data
    uint64_t position
    int64_t start


cdef uint64_t drain_some(Store *store) noexcept nogil:
    """Drains up to a boundary, about DRAIN_SLOTS on. Under the drain lock. Slots passed."""
    cdef Drained run[RUN]
    cdef uint64_t begin = load_relaxed(&store.ring.tail)     # only the drain moves it
    cdef uint64_t end = ring_committed(&store.ring, DRAIN_SLOTS)
    cdef uint64_t at = begin, points = 0
    cdef int64_t start = 0
    cdef size_t count
    cdef Point *point
    # Only while the drain does not keep pace are full tails taken aside: it takes some memory.
    store.chunks.behind = ring_used(&store.ring) * 2 > store.ring.capacity
    if MUTANT_RELEASE_EARLY and end > begin:
        ring_release(&store.ring, end)
    while at < end:
        # A run is noted first, so that what its points touch can be asked for ahead.
        count = 0
        while at < end and count < RUN:
            point = ring_slot(&store.ring, at)
            if point.series == SERIES_START:
                start = point.timestamp
                at += 1
                continue
            if point.series != 0:
                run[count].point = point
                run[count].data = &series_get(&store.table, point.series).data
                run[count].position = at
                run[count].start = start
                count += 1
            at += 1 + ext_slots(point.payload)
        append_run(store, run, count)
        points += count
    if end > begin:
        store_relaxed(&store.drained_points, load_relaxed(&store.drained_points) + points)
        # After the appends: a reader that takes the lock next finds in chunks all that is below tail.
        ring_release(&store.ring, end)
        # Limbo may now give back ids whose last point has been passed.
        store_release(&store.epochs.drained, end)
    return end - begin


cdef void append_run(Store *store, Drained *run, size_t count) noexcept nogil:
    cdef uint64_t *payload
    cdef Drained *item
    cdef size_t i
    for i in range(count):
        if i + 12 < count:
            prefetch_series(run[i + 12].data)
        if i + 8 < count:
            prefetch_tail(run[i + 8].data)
        if i + 4 < count:
            prefetch_stream(run[i + 4].data)
        item = &run[i]
        payload = NULL
        if item.point.payload:
            payload = payload_of(store, item.position, item.point.payload)
            if payload == NULL:
                add_relaxed(&store.chunks.evicted_points, 1)
                continue
        # A failure is counted there, as an evicted point.
        chunks_append(&store.chunks, item.data, item.point, item.start, payload)


cdef uint64_t *payload_of(Store *store, uint64_t position, uint32_t words) noexcept nogil:
    if mem_grow(&store.account, <void **>&store.payload, &store.payload_capacity, words,
                sizeof(uint64_t)) != 0:
        return NULL
    ring_payload(&store.ring, position, words, store.payload)
    return store.payload


cdef uint64_t drain_all(Store *store) noexcept nogil:
    # What has been published before this call is drained by it; what comes later may wait.
    cdef uint64_t target = load_acquire(&store.ring.head)
    cdef uint64_t passed = 0, some
    cdef int _round
    while True:
        pthread_mutex_lock(&store.chunks.lock)
        some = drain_some(store)
        if load_relaxed(&store.ring.tail) >= target or some == 0:
            store_relaxed(&store.drains, load_relaxed(&store.drains) + 1)
            pthread_mutex_unlock(&store.chunks.lock)
            wake_waiting(store, True)
            # What was in the queue by now; producers that help may fill it again and again.
            for _round in range(FULL_TAILS):
                if not seal_full(store):
                    break
            return passed + some
        pthread_mutex_unlock(&store.chunks.lock)
        wake_waiting(store, False)
        seal_full(store)
        passed += some


cdef bint seal_full(Store *store) noexcept nogil:
    """Seals some of the tails that draining has filled; False: nothing was left to do for us."""
    cdef int slot = epoch_enter(&store.epochs)
    cdef bint done = full_seal_some(&store.chunks)
    epoch_leave(&store.epochs, slot)
    return done


cdef void drain_help(Store *store, uint64_t count) noexcept nogil:
    cdef uint64_t passed
    if pthread_mutex_trylock(&store.chunks.lock) == 0:
        passed = drain_some(store)
        pthread_mutex_unlock(&store.chunks.lock)
        if passed == 0:
            # Full behind a hole: its producer's turn.
            sched_yield()
        else:
            wake_waiting(store, False)
        return
    # Somebody is at it: then there are tails to be sealed meanwhile.
    if full_seal_some(&store.chunks):
        return
    # Counted as waiting first, then the look: whoever drains makes room first and
    # looks for waiters then, so one of the two sees the other.
    add_seq_cst(&store.waiting, 1)
    if ring_used(&store.ring) + count > store.ring.capacity:
        # A post too many ends some later wait early, which then looks again. The time is for a lock
        # that is held by a reader, who makes no room.
        sem_wait_for(&store.room, ROOM_WAIT_NS)


cdef void wake_waiting(Store *store, bint finished) noexcept nogil:
    """Wakes the producers that wait for room, once there is enough of it to be worth their while."""
    cdef uint64_t waiting = load_seq_cst(&store.waiting)
    if waiting == 0 or not (finished or ring_used(&store.ring) * 2 <= store.ring.capacity):
        return
    if cas_acq_rel(&store.waiting, &waiting, 0):
        while waiting:
            sem_post(&store.room)
            waiting -= 1


cdef void drain_wanted(Store *store) noexcept nogil:
    cdef uint64_t no = 0
    if load_relaxed(&store.woken) == 0 and cas_acq_rel(&store.woken, &no, 1):
        sem_post(&store.wake)


# ---- everything at once -----------------------------------------------------------------------------

cdef int compress_all(Store *store) noexcept nogil:
    cdef uint32_t id, limit
    cdef Series *series
    cdef int verdict = 0
    drain_all(store)
    limit = load32_relaxed(&store.table.series_limit)
    for id in range(1, limit):
        # The lock is dropped between series: sealing all of them at once takes a while.
        pthread_mutex_lock(&store.chunks.lock)
        series = series_get(&store.table, id)
        if series != NULL and chunks_seal(&store.chunks, &series.data) != 0:
            verdict = -1
        pthread_mutex_unlock(&store.chunks.lock)
    maintain(store, True)
    return verdict


# ---- the drain thread -------------------------------------------------------------------------------

cdef void *drain_main(void *argument) noexcept nogil:
    cdef Store *store = <Store *>argument
    while load_acquire(&store.stopping) == 0:
        sem_wait_for(&store.wake, store.drain_interval)
        store_release(&store.woken, 0)
        # In no epoch: a series whose points are still to be drained waits for just that, and what is in
        # chunks changes under the lock alone. So what is given up meanwhile need not wait for us.
        drain_all(store)
        maintain(store, False)
    return NULL


cdef int drain_start(Store *store) noexcept nogil:
    if pthread_create(&store.thread, NULL, drain_main, store) != 0:
        return -1
    # What `top -H` and debuggers show.
    pthread_setname_np(store.thread, b"urpo-drain")
    store.has_thread = True
    return 0


cdef void drain_stop(Store *store) noexcept nogil:
    if store.has_thread:
        store_release(&store.stopping, 1)
        sem_post(&store.wake)
        pthread_join(store.thread, NULL)
        store.has_thread = False
