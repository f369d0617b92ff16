"""The life of a chunk store and of a series in it; the contract is in chunks/life.pxd."""
from libc.stdint cimport INT64_MIN, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport Account, mem_free
from urpo_store.engine.memory.atomics cimport pthread_mutex_destroy, pthread_mutex_init
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.chunks.clock cimport clock_table_destroy, clock_table_init
from urpo_store.engine.chunks.exemplars cimport exemplars_clear
from urpo_store.engine.chunks.full_tails cimport full_destroy, full_drop, full_init
from urpo_store.engine.chunks.layout cimport layout_table_destroy, layout_table_init
from urpo_store.engine.chunks.rows cimport rows_free, rows_init
from urpo_store.engine.chunks.series_chunks cimport drop_chunks, tail_free
from urpo_store.engine.chunks.types cimport Bench, ChunkStore, SeriesData
from urpo_store.engine.chunks.work cimport work_free, work_new


cdef int chunk_store_init(ChunkStore *store, Account *account, Epochs *epochs) noexcept nogil:
    memset(store, 0, sizeof(ChunkStore))
    store.account = account
    store.epochs = epochs
    store.bench.work = work_new(account)
    if store.bench.work == NULL:
        return NO_MEMORY
    layout_table_init(&store.layouts, account, epochs)
    clock_table_init(&store.clocks, account, epochs, &store.chunk_bytes)
    rows_init(&store.bench.rows, account)
    rows_init(&store.bench.found, account)
    pthread_mutex_init(&store.lock, NULL)
    full_init(store)
    return OK


cdef void chunk_store_destroy(ChunkStore *store) noexcept nogil:
    cdef Bench *bench = &store.bench
    full_destroy(store)
    clock_table_destroy(&store.clocks)
    layout_table_destroy(&store.layouts)
    rows_free(&bench.rows)
    rows_free(&bench.found)
    work_free(bench.work)
    mem_free(store.account, bench.made)
    pthread_mutex_destroy(&store.lock)


cdef void series_data_init(
    SeriesData *data, uint32_t kind, uint32_t clock_group, uint32_t options
) noexcept nogil:
    memset(data, 0, sizeof(SeriesData))
    data.last_time = INT64_MIN
    data.given_up = INT64_MIN
    data.kind = kind
    data.options = options
    data.clock_group = clock_group


cdef uint64_t series_data_clear(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef uint64_t points = data.points
    drop_chunks(store, data, data.chunk_count)
    mem_free(store.account, data.chunks)
    full_drop(store, data)
    tail_free(store, data)
    exemplars_clear(store, data)
    store.points -= points
    series_data_init(data, data.kind, data.clock_group, data.options)
    return points
