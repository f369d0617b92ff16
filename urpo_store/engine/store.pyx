"""Opens and frees the stages of one store; the contract is in store.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from urpo_store.engine.memory.alloc cimport account_init, mem_free
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, load_relaxed, pthread_atfork, sem_destroy, sem_init,
)
from urpo_store.engine.memory.epoch cimport (
    EPOCH_SLOTS, epoch_leave, epoch_enter_slot, epochs_destroy, epochs_init, epochs_release_all,
)
from urpo_store.engine.wire.arena cimport scan_destroy
from urpo_store.engine.chunks.append cimport chunk_store_destroy, chunk_store_init
from urpo_store.engine.identity.series cimport series_table_destroy, series_table_init
from urpo_store.engine.identity.types cimport Resource, Series, SeriesTable
from urpo_store.engine.health.services cimport (
    Health, health_bind, health_destroy, health_init, health_leave, health_unbind,
)
from urpo_store.engine.ring cimport ring_destroy, ring_init

cdef enum:
    STAGING_SECONDS = 2

cdef uint64_t generation = 0


cdef void forked() noexcept nogil:
    add_relaxed(&generation, 1)


# The handler cannot be removed again, which is why there is one for the process, not one a store.
pthread_atfork(NULL, NULL, forked)


cdef uint64_t process_generation() noexcept nogil:
    return load_relaxed(&generation)


cdef void series_created(void *context, SeriesTable *table, Series *series) noexcept nogil:
    health_bind(<Health *>context, series)


cdef void series_evicted(void *context, SeriesTable *table, Series *series) noexcept nogil:
    health_unbind(<Health *>context, series)


cdef void resource_left(void *context, SeriesTable *table, Resource *resource) noexcept nogil:
    health_leave(<Health *>context, resource)


cdef Store *store_open(uint64_t ring_slots, uint64_t memory_limit, uint32_t max_series, int64_t retention,
                       uint32_t max_attributes, uint32_t max_string, uint64_t drain_interval) noexcept nogil:
    # The struct itself holds the account, so it is the one block that is not counted.
    cdef Store *store = <Store *>calloc(1, sizeof(Store))
    if store == NULL:
        return NULL
    account_init(&store.account, NULL)
    account_init(&store.index_account, &store.account)
    account_init(&store.query_account, NULL)
    store.memory_limit = memory_limit
    store.retention = retention
    store.max_attributes = max_attributes
    store.max_string = max_string
    store.drain_interval = drain_interval
    store.generation = process_generation()
    if epochs_init(&store.epochs, &store.account) != 0:
        free(store)
        return NULL
    if ring_init(&store.ring, &store.account, ring_slots) != 0:
        epochs_destroy(&store.epochs)
        free(store)
        return NULL
    store.epochs.head = &store.ring.head
    if chunk_store_init(&store.chunks, &store.account, &store.epochs) != 0:
        ring_destroy(&store.ring)
        epochs_destroy(&store.epochs)
        free(store)
        return NULL
    if series_table_init(&store.table, &store.index_account, &store.epochs, &store.chunks,
                         max_series, memory_limit // 2) != 0:
        chunk_store_destroy(&store.chunks)
        ring_destroy(&store.ring)
        epochs_destroy(&store.epochs)
        free(store)
        return NULL
    if health_init(&store.health, &store.index_account, &store.account, memory_limit // 4, &store.table) != 0:
        series_table_destroy(&store.table)
        chunk_store_destroy(&store.chunks)
        ring_destroy(&store.ring)
        epochs_destroy(&store.epochs)
        free(store)
        return NULL
    store.table.on_new = series_created
    store.table.on_evict = series_evicted
    store.table.on_leave = resource_left
    store.table.context = &store.health
    sem_init(&store.wake, 0, 0)
    sem_init(&store.room, 0, 0)
    return store


cdef void staging_free(Store *store, Staging *staging) noexcept nogil:
    scan_destroy(&staging.scan)
    mem_free(&store.account, staging.resources)
    mem_free(&store.account, staging.scopes)
    mem_free(&store.account, staging.metrics)
    mem_free(&store.account, staging.filed)
    mem_free(&store.account, staging.known)
    mem_free(&store.account, staging.refused)
    mem_free(&store.account, staging.refused_scopes)
    mem_free(&store.account, staging.services)
    mem_free(&store.account, staging)


cdef void staging_give_back(Store *store, uint32_t now) noexcept nogil:
    cdef int slot
    for slot in range(EPOCH_SLOTS):
        # It belongs to who holds the slot.
        if epoch_enter_slot(&store.epochs, slot):
            if store.staging[slot] != NULL and store.staging[slot].used + STAGING_SECONDS <= now:
                staging_free(store, store.staging[slot])
                store.staging[slot] = NULL
            epoch_leave(&store.epochs, slot)


cdef void store_free(Store *store) noexcept nogil:
    cdef int i
    for i in range(EPOCH_SLOTS):
        if store.staging[i] != NULL:
            staging_free(store, store.staging[i])
    mem_free(&store.account, store.payload)
    # What waits in limbo may refer to the tables, so it goes while they still stand; what they retire
    # themselves goes with the epochs.
    epochs_release_all(&store.epochs)
    health_destroy(&store.health)
    series_table_destroy(&store.table)
    chunk_store_destroy(&store.chunks)
    epochs_destroy(&store.epochs)
    ring_destroy(&store.ring)
    sem_destroy(&store.wake)
    sem_destroy(&store.room)
    free(store)
