"""Exemplars beside the points; the contract is in chunks/exemplars.pxd."""
from operator import itemgetter

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp, memcpy, memmove

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free, mem_realloc
from urpo_store.engine.memory.atomics cimport add_relaxed, pthread_mutex_lock, pthread_mutex_unlock
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

cdef enum:
    HEADER = 12                 # of a record: i64 time, u32 length
    FIRST_ROOM = 128            # bytes for the first records of a series


cdef inline int64_t record_time(const uint8_t *record) noexcept nogil:
    cdef int64_t time
    memcpy(&time, record, 8)
    return time


cdef inline uint32_t record_length(const uint8_t *record) noexcept nogil:
    cdef uint32_t length
    memcpy(&length, record + 8, 4)
    return length


cdef bint known(const SeriesData *data, const uint8_t *message, uint32_t length) noexcept nogil:
    cdef const uint8_t *at = data.exemplars
    cdef const uint8_t *end = at + data.exemplar_bytes
    while at < end:
        if record_length(at) == length and memcmp(at + HEADER, message, length) == 0:
            return 1
        at += HEADER + record_length(at)
    return 0


cdef void drop_front(SeriesData *data, uint32_t bytes) noexcept nogil:
    data.exemplar_bytes -= bytes
    memmove(data.exemplars, data.exemplars + bytes, data.exemplar_bytes)


cdef int make_room(ChunkStore *store, SeriesData *data, uint32_t needed) noexcept nogil:
    """Room for so many bytes more; the oldest go if there would be more than EXEMPLAR_BYTES."""
    cdef uint32_t dropped = 0, capacity
    cdef uint8_t *moved
    while data.exemplar_bytes - dropped + needed > EXEMPLAR_BYTES:
        dropped += HEADER + record_length(data.exemplars + dropped)
        add_relaxed(&store.dropped_exemplars, 1)
    if dropped:
        drop_front(data, dropped)
    if data.exemplar_bytes + needed <= data.exemplar_capacity:
        return OK
    capacity = data.exemplar_capacity * 2 if data.exemplar_capacity else FIRST_ROOM
    while capacity < data.exemplar_bytes + needed:
        capacity *= 2
    moved = <uint8_t *>mem_realloc(store.account, data.exemplars, capacity)
    if moved == NULL:
        return NO_MEMORY
    data.exemplars = moved
    store.exemplar_room += capacity - data.exemplar_capacity
    data.exemplar_capacity = capacity
    return OK


cdef void exemplar_add(
    ChunkStore *store, SeriesData *data, int64_t time, const uint8_t *message, uint32_t length
) noexcept nogil:
    cdef uint8_t *record
    if known(data, message, length):
        return
    if length > EXEMPLAR_BYTES - HEADER or make_room(store, data, HEADER + length) != OK:
        add_relaxed(&store.dropped_exemplars, 1)
        return
    record = data.exemplars + data.exemplar_bytes
    memcpy(record, &time, 8)
    memcpy(record + 8, &length, 4)
    memcpy(record + HEADER, message, length)
    data.exemplar_bytes += HEADER + length


cdef void exemplars_expire(SeriesData *data, int64_t before) noexcept nogil:
    cdef uint32_t bytes = 0
    while bytes < data.exemplar_bytes and record_time(data.exemplars + bytes) < before:
        bytes += HEADER + record_length(data.exemplars + bytes)
    if bytes:
        drop_front(data, bytes)


cdef void exemplars_halve(ChunkStore *store, SeriesData *data) noexcept nogil:
    cdef uint32_t bytes = 0, count = 0
    cdef uint8_t *moved
    while data.exemplar_bytes - bytes > data.exemplar_capacity // 4:
        bytes += HEADER + record_length(data.exemplars + bytes)
        count += 1
    if bytes:
        drop_front(data, bytes)
        add_relaxed(&store.dropped_exemplars, count)
    if data.exemplar_bytes == 0:
        exemplars_clear(store, data)
    elif data.exemplar_capacity > 1:
        # Shrinking needs no memory; if it fails all the same, the room stays.
        moved = <uint8_t *>mem_realloc(store.account, data.exemplars, data.exemplar_capacity // 2)
        if moved != NULL:
            data.exemplars = moved
            store.exemplar_room -= data.exemplar_capacity - data.exemplar_capacity // 2
            data.exemplar_capacity //= 2


cdef void exemplars_clear(ChunkStore *store, SeriesData *data) noexcept nogil:
    mem_free(store.account, data.exemplars)
    store.exemplar_room -= data.exemplar_capacity
    data.exemplars = NULL
    data.exemplar_bytes = data.exemplar_capacity = 0


cdef list read_exemplars(ChunkStore *store, SeriesData *data, int64_t start, int64_t end):
    cdef uint8_t *copy = NULL
    cdef const uint8_t *at
    cdef uint32_t bytes, length
    cdef int64_t time
    cdef list found = []
    # The drain lock is never held together with the GIL, so the records are copied first.
    with nogil:
        pthread_mutex_lock(&store.lock)
        bytes = data.exemplar_bytes
        if bytes:
            copy = <uint8_t *>mem_alloc(store.account, bytes)
            if copy != NULL:
                memcpy(copy, data.exemplars, bytes)
        pthread_mutex_unlock(&store.lock)
    if bytes == 0:
        return found
    if copy == NULL:
        raise MemoryError(f"no memory to read {bytes} bytes of exemplars")
    try:
        at = copy
        while at < copy + bytes:
            time = record_time(at)
            length = record_length(at)
            if start <= time <= end:
                found.append((time, (<const char *>at)[HEADER:HEADER + length]))
            at += HEADER + length
    finally:
        mem_free(store.account, copy)
    found.sort(key=itemgetter(0))
    return found
