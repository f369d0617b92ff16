"""Keeping the store within its bounds; the contract is in maintenance.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from posix.unistd cimport usleep

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    load32_relaxed, load_relaxed, monotonic_ns, pthread_mutex_lock, pthread_mutex_unlock,
    store_relaxed, wall_ns,
)
from urpo_store.engine.memory.epoch cimport epoch_reclaim, epoch_waits
from urpo_store.engine.chunks.eviction cimport chunks_evict, chunks_expire
from urpo_store.engine.chunks.exemplars cimport exemplars_halve
from urpo_store.engine.chunks.folding cimport chunks_seal
from urpo_store.engine.chunks.types cimport SeriesData
from urpo_store.engine.identity.idle cimport series_evict_idle
from urpo_store.engine.identity.types cimport Series, series_get
from urpo_store.engine.request cimport stagings_give_back
from urpo_store.engine.store cimport Store

cdef enum:
    ROUND_NS = 1000000000       # between two rounds
    SECOND_NS = 1000000000
    # Series expired in one hold of the drain lock.
    EXPIRE_AT_ONCE = 4096
    # Of memory_limit: what is freed beyond the limit, so that it is not reached again at once.
    SPARE_SHARE = 16
    # Of memory_limit: what exemplars may keep when memory is short.
    EXEMPLAR_SHARE = 8
    # Of memory_limit: how far beyond it the store may be before requests are refused.
    HARD_SHARE = 8
    # Series whose open chunks are sealed in one hold of the lock when memory is short: a few ms.
    SEAL_AT_ONCE = 256
    # How often memory_is_held waits for calls under way, and how often it tries in vain.
    HELD_WAITS = 8
    HELD_WAIT_US = 500
    VAIN_ROUNDS = 4


# ---- a round -------------------------------------------------------------------------------------

cdef void maintain(Store *store, bint force) noexcept nogil:
    maintain_as_of(store, force, <uint32_t>(monotonic_ns() // SECOND_NS))


cdef void maintain_as_of(Store *store, bint force, uint32_t second) noexcept nogil:
    cdef uint64_t now = monotonic_ns()
    cdef bint due = force or now >= load_relaxed(&store.next_maintenance)
    # Even if nothing is due: streams that tails have outgrown would pile up faster than points.
    epoch_reclaim(&store.epochs)
    if not due and load_relaxed(&store.account.bytes) <= store.options.memory_limit:
        return
    if due:
        # First, so that another thread does not do the same.
        store_relaxed(&store.next_maintenance, now + ROUND_NS)
        if store.options.retention:
            expire(store)
        stagings_give_back(store, <uint32_t>(now // SECOND_NS))
    pthread_mutex_lock(&store.chunks.lock)
    shrink(store, second)
    pthread_mutex_unlock(&store.chunks.lock)
    epoch_reclaim(&store.epochs)


# ---- retention -----------------------------------------------------------------------------------

cdef void expire(Store *store) noexcept nogil:
    """Drops what is older than the retention.

    Takes the drain lock for some series at a time: a walk over a million of them would hold up
    queries and the drain.
    """
    cdef int64_t before = wall_ns() - store.options.retention
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


# ---- the memory limit ----------------------------------------------------------------------------

cdef inline uint64_t excess(Store *store) noexcept nogil:
    """Bytes to be freed: down to the limit and some more; 0: the store is within it."""
    cdef uint64_t bytes = load_relaxed(&store.account.bytes)
    cdef uint64_t limit = store.options.memory_limit
    return bytes - limit + limit // SPARE_SHARE if bytes > limit else 0


cdef void shrink(Store *store, uint32_t second) noexcept nogil:
    """Brings the store back under its memory limit. Under the drain lock."""
    cdef uint32_t id, limit = load32_relaxed(&store.table.series_limit)
    cdef SeriesData **data
    cdef Series *series
    if excess(store) == 0 or epoch_waits(&store.epochs, store.evicted_epoch):      # (3)
        return
    data = <SeriesData **>mem_alloc(&store.query_account, limit * sizeof(void *))
    if data == NULL:
        return
    for id in range(limit):
        series = series_get(&store.table, id) if id else NULL
        data[id] = &series.data if series != NULL else NULL
    if give_up(store, data, limit, second):
        store_relaxed(&store.evicted_epoch, load_relaxed(&store.epochs.current))
    mem_free(&store.query_account, data)


cdef bint give_up(Store *store, SeriesData **data, uint32_t limit, uint32_t second) noexcept nogil:
    """Gives up what is worth least, until there is room. False: halving exemplars was enough.

    1  exemplars, if they take more than their share: points are worth more
    2  the oldest sealed chunks
    3  nothing any more, but open chunks are sealed: that leaves them a fifth of their memory, and
       makes them the next to go; and idle series are evicted
    """
    cdef uint64_t over = excess(store)
    cdef uint32_t id
    if store.chunks.exemplar_room > store.options.memory_limit // EXEMPLAR_SHARE:
        for id in range(limit):
            if data[id] != NULL and data[id].exemplar_capacity:
                exemplars_halve(&store.chunks, data[id])
        over = excess(store)
        if over == 0:
            return False
    if chunks_evict(&store.chunks, data, limit, over) < over:
        seal_some(store, data, limit)
        series_evict_idle(&store.table, second, limit)
    return True


cdef void seal_some(Store *store, SeriesData **data, uint32_t limit) noexcept nogil:
    """Seals the tails of the next few series: all at once would hold the lock for long."""
    cdef uint32_t _looked, sealed = 0
    for _looked in range(limit):
        if sealed == SEAL_AT_ONCE:
            break
        store.seal_next = store.seal_next + 1 if store.seal_next + 1 < limit else 0
        if data[store.seal_next] != NULL and data[store.seal_next].tail != NULL:
            # Without memory it stays as it is, and the next one is tried.
            chunks_seal(&store.chunks, data[store.seal_next])
            sealed += 1


# ---- when nothing comes back ---------------------------------------------------------------------

cdef bint memory_is_held(Store *store) noexcept nogil:
    cdef uint64_t most = store.options.memory_limit + store.options.memory_limit // HARD_SHARE
    cdef uint64_t before, bytes = load_relaxed(&store.account.bytes)
    cdef bint held = False
    cdef int waits = 0, vain = 0
    # Calls that store or seal leave within milliseconds; and each round seals more open chunks.
    while bytes > most and waits < HELD_WAITS and vain < VAIN_ROUNDS:
        before = bytes
        maintain(store, False)
        bytes = load_relaxed(&store.account.bytes)
        held = bytes > most and epoch_waits(&store.epochs, load_relaxed(&store.evicted_epoch))
        if held:
            waits += 1
            usleep(HELD_WAIT_US)
        elif bytes >= before:
            vain += 1
    return held
