"""Opens and frees the stages of one store; the contract is in store.pxd."""
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free

from urpo_store.engine.memory.alloc cimport account_init, mem_free
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, load_relaxed, pthread_atfork, sem_destroy, sem_init,
)
from urpo_store.engine.memory.epoch cimport epochs_destroy, epochs_init, epochs_release_all
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.chunks.life cimport (
    chunk_store_destroy, chunk_store_init, series_data_clear, series_data_init,
)
from urpo_store.engine.chunks.types cimport DATA_ADD, ChunkStore
from urpo_store.engine.identity.overflow cimport overflow_adds
from urpo_store.engine.identity.table cimport series_table_destroy, series_table_init
from urpo_store.engine.identity.types cimport Resource, Series, SeriesHooks, SeriesTable, metric_get
from urpo_store.engine.health.services cimport (
    health_bind, health_destroy, health_init, health_leave, health_unbind,
)
from urpo_store.engine.ring cimport ring_destroy, ring_init

# The stages in the order in which they are made; they are unmade in the opposite order.
cdef enum:
    MADE_RING = 1
    MADE_EPOCHS = 2
    MADE_CHUNKS = 3
    MADE_TABLE = 4
    MADE_HEALTH = 5

cdef uint64_t generation = 0


cdef void forked() noexcept nogil:
    add_relaxed(&generation, 1)


# A handler cannot be removed again. So there is one for the process, not one for each store.
pthread_atfork(NULL, NULL, forked)


cdef uint64_t process_generation() noexcept nogil:
    return load_relaxed(&generation)


# ---- what series mean to chunks and health: the hooks of identity/types.pxd ----------------------

cdef void series_created(void *context, SeriesTable *table, Series *series) noexcept nogil:
    cdef Store *store = <Store *>context
    series_data_init(&series.data, metric_get(table, series.metric).kind, series.resource,
                     DATA_ADD if overflow_adds(table, series) else 0)
    health_bind(&store.health, series)


cdef void series_evicted(void *context, SeriesTable *table, Series *series) noexcept nogil:
    health_unbind(&(<Store *>context).health, series)


cdef void series_gone(void *context, SeriesTable *table, Series *series) noexcept nogil:
    cdef ChunkStore *chunks = &(<Store *>context).chunks
    add_relaxed(&chunks.evicted_points, series_data_clear(chunks, &series.data))


cdef void resource_gone(void *context, SeriesTable *table, Resource *resource) noexcept nogil:
    health_leave(&(<Store *>context).health, resource)


cdef void bind_hooks(Store *store) noexcept nogil:
    cdef SeriesHooks *hooks = &store.table.hooks
    hooks.context = store
    hooks.walk_lock = &store.chunks.lock
    hooks.on_new = series_created
    hooks.on_evict = series_evicted
    hooks.on_gone = series_gone
    hooks.on_resource_gone = resource_gone


# ---- opening and freeing -------------------------------------------------------------------------

cdef int make_stages(Store *store) noexcept nogil:
    """OK or NO_MEMORY; `made` then says which stages are there."""
    cdef uint64_t limit = store.options.memory_limit
    if ring_init(&store.ring, &store.account, store.options.ring_slots) != OK:
        return NO_MEMORY
    store.made = MADE_RING
    if epochs_init(&store.epochs, &store.account) != OK:
        return NO_MEMORY
    store.made = MADE_EPOCHS
    store.epochs.head = &store.ring.head
    if chunk_store_init(&store.chunks, &store.account, &store.epochs) != OK:
        return NO_MEMORY
    store.made = MADE_CHUNKS
    if series_table_init(&store.table, &store.index_account, &store.epochs,
                         store.options.max_series, limit // 2) != OK:
        return NO_MEMORY
    store.made = MADE_TABLE
    if health_init(&store.health, &store.index_account, &store.account, limit // 4,
                   &store.table) != OK:
        return NO_MEMORY
    store.made = MADE_HEALTH
    bind_hooks(store)
    return OK


cdef void unmake_stages(Store *store) noexcept nogil:
    # Items in limbo may refer to the tables, so they go while the tables stand. What the tables
    # retire when they go themselves is released with the epochs.
    if store.made >= MADE_EPOCHS:
        epochs_release_all(&store.epochs)
    if store.made >= MADE_HEALTH:
        health_destroy(&store.health)
    if store.made >= MADE_TABLE:
        series_table_destroy(&store.table)
    if store.made >= MADE_CHUNKS:
        chunk_store_destroy(&store.chunks)
    if store.made >= MADE_EPOCHS:
        epochs_destroy(&store.epochs)
    if store.made >= MADE_RING:
        ring_destroy(&store.ring)


cdef Store *store_open(const Options *options) noexcept nogil:
    # The struct holds the accounts, so it is the one block that none of them counts.
    cdef Store *store = <Store *>calloc(1, sizeof(Store))
    if store == NULL:
        return NULL
    store.options = options[0]
    store.generation = process_generation()
    account_init(&store.account, NULL)
    account_init(&store.index_account, &store.account)
    account_init(&store.query_account, NULL)
    sem_init(&store.drain.wake, 0, 0)
    sem_init(&store.drain.room, 0, 0)
    if make_stages(store) != OK:
        store_free(store)
        return NULL
    return store


cdef void store_free(Store *store) noexcept nogil:
    mem_free(&store.account, store.payload)
    unmake_stages(store)
    sem_destroy(&store.drain.wake)
    sem_destroy(&store.drain.room)
    free(store)
