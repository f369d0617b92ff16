"""Sealing outside the drain lock; the contract is in chunks/full_tails.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock,
    pthread_mutex_unlock,
)
from urpo_store.engine.memory.epoch cimport mem_retire
from urpo_store.engine.memory.mutants cimport MUTANT_FULL_FREED, MUTANT_FULL_UNLOCKED
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.chunks.chunk cimport chunk_size
from urpo_store.engine.chunks.clock cimport clock_gather, clock_release
from urpo_store.engine.chunks.encode cimport chunk_encode
from urpo_store.engine.chunks.layout cimport layout_data, layout_intern, layout_release
from urpo_store.engine.chunks.rows cimport rows_clear, rows_free, rows_init
from urpo_store.engine.chunks.sealing cimport chunk_limit
from urpo_store.engine.chunks.series_chunks cimport room_for_chunks, tail_reset
from urpo_store.engine.chunks.tail cimport tail_view
from urpo_store.engine.chunks.tail_stream cimport tail_decode
from urpo_store.engine.chunks.types cimport (
    FULL_ROW, FULL_TAILS, FULL_TICKS, SEALERS, Bench, Chunk, ChunkStore, FullTail, Rows, Sealer,
    SeriesData, Tail, Work,
)
from urpo_store.engine.chunks.work cimport work_free, work_new

cdef enum:
    AT_ONCE = 4                 # full tails that a worker takes, and puts in place under one lock


cdef void full_init(ChunkStore *store) noexcept nogil:
    store.full_count = store.full_spares = store.full_made = 0
    store.sealer_count = store.idle_count = 0
    store.full_sealed = 0
    pthread_mutex_init(&store.full_lock, NULL)


cdef void full_destroy(ChunkStore *store) noexcept nogil:
    while store.full_spares:
        store.full_spares -= 1
        mem_free(store.account, store.full_spare[store.full_spares])
    while store.idle_count:
        store.idle_count -= 1
        work_free(store.idle[store.idle_count].work)
        rows_free(&store.idle[store.idle_count].rows)
        mem_free(store.account, store.idle[store.idle_count])
    pthread_mutex_destroy(&store.full_lock)


# Taking aside

cdef bint becomes_one_chunk(ChunkStore *store, const SeriesData *data) noexcept nogil:
    """Whether `fold` would make one chunk of the tail alone, and leave it on its clock."""
    cdef const Tail *tail = data.tail
    cdef const Chunk *last
    cdef uint32_t id = tail.clock.id if tail.clock != NULL else 0
    cdef uint64_t ticks = tail.newest.tick - tail.first_tick
    if tail.late != NULL:
        return False
    if tail.rows != NULL and (tail.rows.ranged or tail.rows.row_words > FULL_ROW):
        return False
    # Many ticks missed: it might be sparse, or better off with another clock.
    if tail.clock != NULL and (ticks >= FULL_TICKS or ticks * 10 > tail.cursor.count * 11):
        return False
    if data.chunk_count == 0:
        return True
    last = data.chunks[data.chunk_count - 1]
    return last.clock != id or last.count + tail.cursor.count > chunk_limit(
        tail.rows.row_words if tail.rows != NULL else 0)


cdef FullTail *full_new(ChunkStore *store) noexcept nogil:
    """A FullTail to fill; NULL: there are as many as there may be, or no memory."""
    cdef FullTail *full = NULL
    cdef bint another = False
    pthread_mutex_lock(&store.full_lock)
    if store.full_spares:
        store.full_spares -= 1
        full = store.full_spare[store.full_spares]
    elif store.full_made < FULL_TAILS:
        store.full_made += 1
        another = True
    pthread_mutex_unlock(&store.full_lock)
    if another:
        full = <FullTail *>mem_alloc(store.account, sizeof(FullTail))
        if full == NULL:
            pthread_mutex_lock(&store.full_lock)
            store.full_made -= 1
            pthread_mutex_unlock(&store.full_lock)
    return full


cdef void full_free(ChunkStore *store, FullTail *full) noexcept nogil:
    # Kept for the next one: a few, and coming and going by the thousand a second.
    pthread_mutex_lock(&store.full_lock)
    store.full_spare[store.full_spares] = full
    store.full_spares += 1
    pthread_mutex_unlock(&store.full_lock)


cdef int full_fill(ChunkStore *store, FullTail *full, SeriesData *data) noexcept nogil:
    """Copies what is needed to seal the tail without the lock. OK, or what is wrong."""
    cdef Tail *tail = data.tail
    cdef int status = OK
    full.data = data
    full.held = full.gone = False
    full.layout = NULL
    full.clock = tail.clock
    full.clock_id = tail.clock.id if tail.clock != NULL else 0
    # Copied, for the clock's newest block is replaced when it outgrows its room.
    if tail.clock != NULL:
        status = clock_gather(
            store.bench.work, tail.clock, tail.first_tick,
            <size_t>(tail.newest.tick - tail.first_tick) + 1, full.times)
    if status != OK:
        return status
    if tail.rows != NULL:
        full.layout = layout_intern(
            &store.layouts, tail.rows.layout.layout_words, tail.rows.row_words,
            layout_data(tail.rows.layout))
        if full.layout == NULL:
            return NO_MEMORY
    # It has no ranges, so the room for their layout is not used.
    tail_view(tail, data.kind, NULL, &full.view)
    if full.layout != NULL:
        memcpy(full.row, full.view.newest.row, 8 * tail.rows.row_words)
        full.view.newest.row = full.row
        full.view.newest.layout = layout_data(full.layout)
    return OK


cdef bint full_take_aside(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef FullTail *full
    if not store.behind or data.full != NULL or not becomes_one_chunk(store, data):
        return False
    full = full_new(store)
    if full == NULL:
        return False
    if full_fill(store, full, data) != OK:
        full_free(store, full)
        return False
    # The stream, which a reader may be at, and the hold on the clock are the FullTail's now.
    data.tail.bytes = NULL
    data.tail.clock = NULL
    tail_reset(store, data)
    data.tail.restless = False
    data.full = full
    pthread_mutex_lock(&store.full_lock)
    store.full_queue[store.full_count] = full
    store.full_count += 1
    pthread_mutex_unlock(&store.full_lock)
    return True


# Sealing

cdef int encode(Work *work, Rows *rows, const FullTail *full, Chunk **chunk) noexcept nogil:
    """The chunk of a full tail. OK, or what is wrong, and NULL. No lock."""
    cdef const int64_t *times = full.times if full.clock_id else NULL
    cdef const uint32_t *ticks = NULL
    cdef size_t i, tick = 0
    cdef int status
    chunk[0] = NULL
    rows_clear(rows)
    status = tail_decode(&full.view, times, rows)
    if status != OK:
        return status
    if times != NULL:
        for i in range(rows.count):
            while times[tick] != rows.times[i]:
                tick += 1
            work.ticks[i] = full.view.first_tick + <uint32_t>tick
        ticks = work.ticks
    chunk[0] = chunk_encode(
        work, full.view.kind, rows, 0, rows.count, full.clock_id, ticks, full.layout)
    return OK if chunk[0] != NULL else NO_MEMORY


cdef int put_in_place(ChunkStore *store, FullTail *full, Chunk *chunk) noexcept nogil:
    """Makes the chunk the last of its series. Under the drain lock. OK or NO_MEMORY."""
    cdef SeriesData *data = full.data
    if room_for_chunks(store, data, data.chunk_count + 1) != OK:
        return NO_MEMORY
    # The holds on layout and ticks pass from the tail to the chunk.
    data.chunks[data.chunk_count] = chunk
    data.chunk_count += 1
    data.full = NULL
    add_relaxed(&store.chunk_count, 1)
    add_relaxed(&store.chunk_bytes, chunk_size(chunk))
    # A reader that looked at the series before this may still be at the stream.
    if MUTANT_FULL_FREED:
        mem_free(store.account, <void *>full.view.bytes)
    elif full.view.bytes != NULL:
        mem_retire(store.epochs, store.account, <void *>full.view.bytes)
    return OK


cdef void let_go(ChunkStore *store, FullTail *full) noexcept nogil:
    """The series needs it no more; a worker that holds it will see that. Under the drain lock."""
    cdef uint32_t i
    full.gone = True
    pthread_mutex_lock(&store.full_lock)
    for i in range(store.full_count):
        if store.full_queue[i] == full:
            store.full_count -= 1
            memmove(
                &store.full_queue[i], &store.full_queue[i + 1],
                (store.full_count - i) * sizeof(void *))
            break
    if not full.held:
        store.full_spare[store.full_spares] = full
        store.full_spares += 1
    pthread_mutex_unlock(&store.full_lock)


cdef int full_settle(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef Bench *bench = &store.bench
    cdef FullTail *full = data.full
    cdef Chunk *chunk
    cdef int status
    if full == NULL:
        return OK
    status = encode(bench.work, &bench.rows, full, &chunk)
    if status == OK:
        status = put_in_place(store, full, chunk)
    if status != OK:
        mem_free(store.account, chunk)
        return status
    let_go(store, full)
    return OK


cdef void full_drop(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef FullTail *full = data.full
    if full == NULL:
        return
    data.full = NULL
    layout_release(&store.layouts, full.layout)
    if full.clock != NULL:
        clock_release(&store.clocks, full.clock, full.view.first_tick, full.view.tick)
    if full.view.bytes != NULL:
        mem_retire(store.epochs, store.account, <void *>full.view.bytes)
    let_go(store, full)


# Workers

cdef Sealer *new_sealer(ChunkStore *store) noexcept nogil:
    cdef Sealer *sealer = <Sealer *>mem_alloc(store.account, sizeof(Sealer))
    if sealer == NULL:
        return NULL
    sealer.work = work_new(store.account)
    if sealer.work == NULL:
        mem_free(store.account, sealer)
        return NULL
    rows_init(&sealer.rows, store.account)
    return sealer


cdef Sealer *take_work(ChunkStore *store, FullTail **taken, uint32_t *count) noexcept nogil:
    """Some full tails, the oldest first, and memory to work with. NULL: there are none, or as many
    workers as there may be, or no memory."""
    cdef Sealer *sealer = NULL
    cdef uint32_t i
    cdef bint another = False
    count[0] = 0
    pthread_mutex_lock(&store.full_lock)
    if store.full_count and store.idle_count:
        store.idle_count -= 1
        sealer = store.idle[store.idle_count]
    elif store.full_count and store.sealer_count < SEALERS:
        store.sealer_count += 1
        another = True
    pthread_mutex_unlock(&store.full_lock)
    if another:
        sealer = new_sealer(store)
    if sealer == NULL:
        if another:
            pthread_mutex_lock(&store.full_lock)
            store.sealer_count -= 1
            pthread_mutex_unlock(&store.full_lock)
        return NULL
    pthread_mutex_lock(&store.full_lock)
    count[0] = min(store.full_count, <uint32_t>AT_ONCE)
    memcpy(taken, store.full_queue, count[0] * sizeof(void *))
    for i in range(count[0]):
        taken[i].held = True
    store.full_count -= count[0]
    memmove(store.full_queue, store.full_queue + count[0], store.full_count * sizeof(void *))
    pthread_mutex_unlock(&store.full_lock)
    return sealer


cdef void put_or_drop(ChunkStore *store, FullTail *full, Chunk *chunk) noexcept nogil:
    """The end of a worker's full tail. `chunk` NULL: no memory. Under the drain lock."""
    if not full.gone:
        if chunk == NULL or put_in_place(store, full, chunk) != OK:
            # It stays with its series, and is settled when somebody looks.
            mem_free(store.account, chunk)
            pthread_mutex_lock(&store.full_lock)
            full.held = False
            pthread_mutex_unlock(&store.full_lock)
            return
        add_relaxed(&store.full_sealed, 1)
    else:
        mem_free(store.account, chunk)
    full_free(store, full)


cdef bint full_seal_some(ChunkStore *store) noexcept nogil:
    cdef FullTail *taken[AT_ONCE]
    cdef Chunk *chunks[AT_ONCE]
    cdef uint32_t count, i
    cdef Sealer *sealer = take_work(store, taken, &count)
    if sealer == NULL:
        return False
    for i in range(count):
        encode(sealer.work, &sealer.rows, taken[i], &chunks[i])
    if count:
        if not MUTANT_FULL_UNLOCKED:
            pthread_mutex_lock(&store.lock)
        for i in range(count):
            put_or_drop(store, taken[i], chunks[i])
        if not MUTANT_FULL_UNLOCKED:
            pthread_mutex_unlock(&store.lock)
    pthread_mutex_lock(&store.full_lock)
    store.idle[store.idle_count] = sealer
    store.idle_count += 1
    pthread_mutex_unlock(&store.full_lock)
    return count != 0
