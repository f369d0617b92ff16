"""The memory in which requests are staged; the contract is in request.pxd."""
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account, mem_calloc, mem_free
from urpo_store.engine.memory.epoch cimport EPOCH_SLOTS, epoch_enter_slot, epoch_leave
from urpo_store.engine.wire.arena cimport scan_destroy, scan_end, scan_init, trim
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.store cimport Store

cdef enum:
    IDLE_SECONDS = 2            # after which a staging is given back
    KEEP_LEAST = 1 << 20        # bytes of one array that are kept from one request to the next
    KEEP_MOST = 8 << 20
    KEEP_SHARE = 32             # of memory_limit, within these bounds


cdef Staging *staging_new(Store *store) noexcept nogil:
    cdef Staging *staging = <Staging *>mem_calloc(&store.account, sizeof(Staging))
    cdef uint64_t keep = store.options.memory_limit // KEEP_SHARE
    if staging == NULL:
        return NULL
    scan_init(&staging.scan, &store.account)
    staging.scan.keep = <size_t>min(max(keep, <uint64_t>KEEP_LEAST), <uint64_t>KEEP_MOST)
    # A point must fit in a claim, and a claim in half of the ring.
    staging.scan.max_payload = <uint32_t>(store.ring.capacity // 8 * 4)
    return staging


cdef void staging_free(Account *account, Staging *staging) noexcept nogil:
    scan_destroy(&staging.scan)
    mem_free(account, staging.resources.at)
    mem_free(account, staging.scopes.at)
    mem_free(account, staging.metrics.at)
    mem_free(account, staging.refused.at)
    mem_free(account, staging.refused_scopes.at)
    mem_free(account, staging.services)
    mem_free(account, staging.filed.at)
    mem_free(account, staging.known.at)
    mem_free(account, staging)


cdef Staging *staging_of(Store *store, int slot) noexcept nogil:
    # The one cast from the struct that store.pxd declares without knowing it.
    cdef Staging **place = <Staging **>&store.staging[slot]
    if place[0] == NULL:
        place[0] = staging_new(store)
    return place[0]


cdef inline void numbers_trim(Scan *scan, Numbers *numbers, size_t used) noexcept nogil:
    trim(scan, <void **>&numbers.at, &numbers.capacity, used, sizeof(uint32_t))


cdef void staging_trim(Staging *staging) noexcept nogil:
    cdef Scan *scan = &staging.scan
    scan_end(scan)
    numbers_trim(scan, &staging.resources, scan.resource_count)
    numbers_trim(scan, &staging.refused, scan.resource_count)
    trim(scan, <void **>&staging.services, &staging.service_capacity, scan.resource_count,
         sizeof(Span))
    numbers_trim(scan, &staging.scopes, scan.scope_count)
    numbers_trim(scan, &staging.refused_scopes, scan.scope_count)
    numbers_trim(scan, &staging.metrics, scan.metric_count)
    numbers_trim(scan, &staging.filed, staging.filed_count)
    numbers_trim(scan, &staging.known, staging.known_count)


cdef void drop_staging(Store *store, int slot) noexcept nogil:
    if store.staging[slot] != NULL:
        staging_free(&store.account, staging_of(store, slot))
        store.staging[slot] = NULL


cdef void stagings_give_back(Store *store, uint32_t now) noexcept nogil:
    cdef int slot
    for slot in range(EPOCH_SLOTS):
        # Holding the slot makes its staging ours (1).
        if epoch_enter_slot(&store.epochs, slot):
            if store.staging[slot] != NULL and staging_of(store, slot).used + IDLE_SECONDS <= now:
                drop_staging(store, slot)
            epoch_leave(&store.epochs, slot)


cdef void stagings_free(Store *store) noexcept nogil:
    cdef int slot
    for slot in range(EPOCH_SLOTS):
        drop_staging(store, slot)
