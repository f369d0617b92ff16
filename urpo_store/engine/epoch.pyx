"""Epochs and limbo; the contract is in epoch.pxd."""
from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t, uintptr_t

from urpo_store.engine.alloc cimport Account, mem_free, mem_grow
from urpo_store.engine.atomics cimport (
    add_seq_cst, cas_acq_rel, load_acquire, load_relaxed, load_seq_cst, pthread_mutex_destroy,
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, sched_yield, store_release,
    store_relaxed, store_seq_cst,
)


cdef int epochs_init(Epochs *epochs, Account *account) noexcept nogil:
    cdef int i
    epochs.account = account
    store_relaxed(&epochs.current, 1)
    store_relaxed(&epochs.drained, 0)
    for i in range(EPOCH_SLOTS):
        store_relaxed(&epochs.slots[i].epoch, 0)
    epochs.head = NULL
    epochs.limbo = NULL
    epochs.limbo_count = 0
    epochs.limbo_capacity = 0
    return 0 if pthread_mutex_init(&epochs.lock, NULL) == 0 else -1


cdef void epochs_destroy(Epochs *epochs) noexcept nogil:
    cdef Retired item
    # A release may retire more, so the list is taken from its end until it is empty.
    while epochs.limbo_count:
        epochs.limbo_count -= 1
        item = epochs.limbo[epochs.limbo_count]
        item.release(item.context, item.item)
    mem_free(epochs.account, epochs.limbo)
    epochs.limbo = NULL
    epochs.limbo_capacity = 0
    pthread_mutex_destroy(&epochs.lock)


cdef int epoch_enter(Epochs *epochs) noexcept nogil:
    # Threads have stacks of their own: the address of a local tells them apart well enough for a
    # first guess at a slot that nobody else uses.
    cdef uint64_t here = <uintptr_t>&epochs
    cdef uint32_t slot = <uint32_t>(((here >> 12) * 0x9E3779B97F4A7C15u) >> 57) % EPOCH_SLOTS
    cdef uint32_t tried = 0
    cdef uint64_t free, seen
    while True:
        free = 0
        seen = load_seq_cst(&epochs.current)
        if load_relaxed(&epochs.slots[slot].epoch) == 0 and cas_acq_rel(&epochs.slots[slot].epoch, &free, seen):
            break
        slot = (slot + 1) % EPOCH_SLOTS
        tried += 1
        if tried % EPOCH_SLOTS == 0:
            sched_yield()
    while True:
        # The slot must say an epoch that was current after it said so. Otherwise one who retires might
        # have read the slot as free, raised the epoch and freed what this thread reaches next. Both
        # sides use sequentially consistent operations, so one of them sees the other.
        store_seq_cst(&epochs.slots[slot].epoch, seen)
        if load_seq_cst(&epochs.current) == seen:
            return <int>slot
        seen = load_seq_cst(&epochs.current)


cdef void epoch_leave(Epochs *epochs, int slot) noexcept nogil:
    # Release: whoever sees the slot free also sees that our reads are over.
    store_release(&epochs.slots[slot].epoch, 0)


cdef int epoch_retire(Epochs *epochs, release_fn release, void *context, void *item, bint behind_drain) noexcept nogil:
    cdef Retired *retired
    pthread_mutex_lock(&epochs.lock)
    if mem_grow(epochs.account, <void **>&epochs.limbo, &epochs.limbo_capacity, epochs.limbo_count + 1,
                sizeof(Retired)) != 0:
        pthread_mutex_unlock(&epochs.lock)
        return -1
    retired = &epochs.limbo[epochs.limbo_count]
    epochs.limbo_count += 1
    retired.epoch = add_seq_cst(&epochs.current, 1)
    retired.position = BEHIND_DRAIN if behind_drain else 0
    retired.release = release
    retired.context = context
    retired.item = item
    pthread_mutex_unlock(&epochs.lock)
    return 0


cdef uint64_t oldest_held(Epochs *epochs) noexcept nogil:
    cdef uint64_t oldest = UINT64_MAX, epoch
    cdef int i
    for i in range(EPOCH_SLOTS):
        epoch = load_seq_cst(&epochs.slots[i].epoch)
        if epoch and epoch < oldest:
            oldest = epoch
    return oldest


cdef bint is_free(Epochs *epochs, Retired *item, uint64_t oldest, uint64_t drained) noexcept nogil:
    if item.epoch >= oldest:
        return False
    if item.position == BEHIND_DRAIN:
        # The calls from before are over: what they published lies below this head.
        item.position = load_acquire(epochs.head) if epochs.head != NULL else 0
    return item.position <= drained


cdef size_t epoch_reclaim(Epochs *epochs) noexcept nogil:
    cdef Retired free[64]
    cdef uint64_t oldest, drained
    cdef size_t total = 0, taken, i, kept
    while True:
        if epochs.limbo_count == 0:
            # A stale look is fine: what was retired just now can hardly be free yet.
            return total
        pthread_mutex_lock(&epochs.lock)
        # Under the lock: an item that is in limbo was retired before, so no later entrant holds it.
        oldest = oldest_held(epochs)
        drained = load_acquire(&epochs.drained)
        taken = kept = 0
        for i in range(epochs.limbo_count):
            if taken < 64 and is_free(epochs, &epochs.limbo[i], oldest, drained):
                free[taken] = epochs.limbo[i]
                taken += 1
            else:
                epochs.limbo[kept] = epochs.limbo[i]
                kept += 1
        epochs.limbo_count = kept
        pthread_mutex_unlock(&epochs.lock)
        # Without the lock: a release may retire more.
        for i in range(taken):
            free[i].release(free[i].context, free[i].item)
        total += taken
        if taken < 64:
            return total
