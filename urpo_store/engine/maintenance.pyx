"""Keeping the store within its bounds; the contract is in maintenance.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    load32_relaxed, load_relaxed, monotonic_ns, pthread_mutex_lock, pthread_mutex_unlock,
    store_relaxed, wall_ns,
)
from urpo_store.engine.memory.epoch cimport epoch_reclaim, epoch_waits
from urpo_store.engine.chunks.append cimport chunks_seal
from urpo_store.engine.chunks.eviction cimport chunks_evict, chunks_expire
from urpo_store.engine.chunks.exemplars cimport exemplars_halve
from urpo_store.engine.chunks.types cimport SeriesData
from urpo_store.engine.identity.series cimport series_evict_idle
from urpo_store.engine.identity.types cimport Series, series_get
from urpo_store.engine.store cimport Store, staging_give_back

cdef enum:
    MAINTENANCE_NS = 1000000000
    EXPIRE_AT_ONCE = 4096
    # Once over the memory limit, drops enough that it is not reached again at once.
    EVICT_SHARE = 16
    # Exemplars may take an eighth of the memory when there is none left.
    EXEMPLAR_SHARE = 8
    # Series whose open chunks are sealed in one hold of the lock when memory is short: a few ms.
    SEAL_AT_ONCE = 256


cdef void expire(Store *store) noexcept nogil:
    """Drops what is older than the retention. Takes the drain lock for some series at a time: a walk over
    a million of them would hold up who reads or drains."""
    cdef int64_t before = wall_ns() - store.retention
    cdef uint32_t id = 1, limit = load32_relaxed(&store.table.series_limit), last
    cdef Series *series
    while id < limit:
        last = min(id + EXPIRE_AT_ONCE, limit)
        pthread_mutex_lock(&store.chunks.lock)
        while id < last:
            series = series_get(&store.table, id)
            if series != NULL:
                chunks_expire(&store.chunks, &series.data, before)
            id += 1
        pthread_mutex_unlock(&store.chunks.lock)


cdef void evict(Store *store, uint32_t ahead) noexcept nogil:
    """Brings the store back under its memory limit: the oldest sealed chunks first; if they are not
    enough, open ones are sealed, which leaves them a fifth of their memory and makes them the next to go;
    and series that are idle. Under the drain lock.
    """
    cdef uint64_t bytes = load_relaxed(&store.account.bytes)
    cdef uint64_t over
    cdef uint32_t id, limit = load32_relaxed(&store.table.series_limit)
    cdef SeriesData **data
    cdef Series *series
    # What was given up last may still wait for a reader to leave: dropping more would not free it sooner.
    if bytes <= store.memory_limit or epoch_waits(&store.epochs, store.evicted_epoch):
        return
    over = bytes - store.memory_limit + store.memory_limit // EVICT_SHARE
    data = <SeriesData **>mem_alloc(&store.query_account, limit * sizeof(void *))
    if data == NULL:
        return
    for id in range(limit):
        series = series_get(&store.table, id) if id else NULL
        data[id] = &series.data if series != NULL else NULL
    # What is kept beside points goes before points do, once it takes more than its share.
    if store.chunks.exemplar_room > store.memory_limit // EXEMPLAR_SHARE:
        for id in range(limit):
            if data[id] != NULL and data[id].exemplar_capacity:
                exemplars_halve(&store.chunks, data[id])
        bytes = load_relaxed(&store.account.bytes)
        if bytes <= store.memory_limit:
            mem_free(&store.query_account, data)
            return
        over = bytes - store.memory_limit + store.memory_limit // EVICT_SHARE
    if chunks_evict(&store.chunks, data, limit, over) < over:
        seal_some(store, data, limit)
        series_evict_idle(&store.table, <uint32_t>(monotonic_ns() // 1000000000) + ahead, limit)
    mem_free(&store.query_account, data)
    store_relaxed(&store.evicted_epoch, load_relaxed(&store.epochs.current))


cdef void seal_some(Store *store, SeriesData **data, uint32_t limit) noexcept nogil:
    """Seals the tails of the next few series, in turns: all at once would hold the lock for long."""
    cdef uint32_t _looked, sealed = 0
    for _looked in range(limit):
        if sealed == SEAL_AT_ONCE:
            break
        store.seal_next = store.seal_next + 1 if store.seal_next + 1 < limit else 0
        if data[store.seal_next] != NULL and data[store.seal_next].tail != NULL:
            # Without memory it stays as it is, and another is tried.
            chunks_seal(&store.chunks, data[store.seal_next])
            sealed += 1


cdef uint32_t evict_idle(Store *store, uint32_t ahead) noexcept nogil:
    cdef uint32_t evicted
    evicted = series_evict_idle(&store.table, <uint32_t>(monotonic_ns() // 1000000000) + ahead,
                                load32_relaxed(&store.table.series_limit))
    epoch_reclaim(&store.epochs)
    return evicted


cdef void maintain(Store *store, bint force, uint32_t ahead=0) noexcept nogil:
    cdef uint64_t now = monotonic_ns()
    cdef bint due = force or now >= load_relaxed(&store.next_maintenance)
    # After every drain: streams that tails have outgrown would else pile up faster than points.
    epoch_reclaim(&store.epochs)
    if not due and load_relaxed(&store.account.bytes) <= store.memory_limit:
        return
    if due:
        # Whoever comes meanwhile need not do it too.
        store_relaxed(&store.next_maintenance, now + MAINTENANCE_NS)
        if store.retention:
            expire(store)
        staging_give_back(store, <uint32_t>(now // 1000000000))
    pthread_mutex_lock(&store.chunks.lock)
    evict(store, ahead)
    pthread_mutex_unlock(&store.chunks.lock)
    epoch_reclaim(&store.epochs)
