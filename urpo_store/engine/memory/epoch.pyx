"""Epochs; the contract and its invariants are in memory/epoch.pxd.

Why no reader is overtaken. S is the one order of all sequentially consistent operations:

    a reader                E1  writes its slot       E2  reads `current`, then follows pointers
    a thread that retires   unlinks the item          R1  raises `current`
    a thread that reclaims                            R2  reads the slots (after R1: by the lock)

If R2 does not see E1, then R2 comes before E1 in S, so R1 < R2 < E1 < E2, and E2 reads what R1
wrote or something later. So the unlinking happens before all that the reader does next: it cannot
reach the item. If R2 does see E1, the item waits. Both pairs need the full order: with a weaker
one each side may act before its own write is visible to the other, and both miss.
"""
from libc.stdint cimport UINT64_MAX, uint64_t, uintptr_t
from libc.string cimport memmove

from urpo_store.engine.memory.alloc cimport Account, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport (
    add_seq_cst, cas_seq_cst, load_acquire, load_relaxed, load_seq_cst, pthread_mutex_destroy,
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, sched_yield, store_relaxed,
    store_release, store_seq_cst,
)
from urpo_store.engine.memory.mutants cimport MUTANT_LEAVE_RELAXED, MUTANT_RECLAIM_HELD
from urpo_store.engine.memory.status cimport NO_MEMORY, OK

cdef enum:
    RELEASE_BATCH = 128         # items released for one hold of the lock
    LIMBO_KEPT = 4096           # entries of an empty limbo that are kept


# ---- life ----------------------------------------------------------------------------------------

cdef int epochs_init(Epochs *epochs, Account *account) noexcept nogil:
    cdef int slot
    epochs.account = account
    epochs.head = NULL
    epochs.limbo = NULL
    epochs.limbo_capacity = 0
    # Relaxed: no other thread knows of these yet.
    store_relaxed(&epochs.current, 1)
    store_relaxed(&epochs.drained, 0)
    store_relaxed(&epochs.limbo_count, 0)
    for slot in range(EPOCH_SLOTS):
        store_relaxed(&epochs.slots[slot].epoch, 0)
    return OK if pthread_mutex_init(&epochs.lock, NULL) == 0 else NO_MEMORY


cdef void epochs_release_all(Epochs *epochs) noexcept nogil:
    cdef Retired item
    # From the end, and counted again each time: a release may retire more.
    while epochs.limbo_count:
        store_relaxed(&epochs.limbo_count, epochs.limbo_count - 1)
        item = epochs.limbo[epochs.limbo_count]
        item.release(item.context, item.item)


cdef void epochs_destroy(Epochs *epochs) noexcept nogil:
    epochs_release_all(epochs)
    mem_free(epochs.account, epochs.limbo)
    epochs.limbo = NULL
    epochs.limbo_capacity = 0
    pthread_mutex_destroy(&epochs.lock)


# ---- entering ------------------------------------------------------------------------------------

cdef inline int home_slot(const void *local) noexcept nogil:
    # Each thread has its own stack, so the address of a local variable tells threads apart. Stacks
    # lie at regular distances; the multiplication spreads them over the slots. Any slot would do.
    return <int>((((<uintptr_t>local) >> 16) * <uint64_t>0x9E3779B97F4A7C15) >> 57) % EPOCH_HOMES


cdef bint epoch_enter_slot(Epochs *epochs, int slot) noexcept nogil:
    cdef uint64_t *held = &epochs.slots[slot].epoch
    cdef uint64_t free = 0
    cdef uint64_t now
    # Acquire would do here: an epoch that is already old only holds more back than it must.
    cdef uint64_t seen = load_seq_cst(&epochs.current)
    # The relaxed look spares other threads a cache line; the swap decides. The swap is E1, and it
    # acquires what the slot's last holder released: a thread that sees us sees that holder gone.
    if load_relaxed(held) != 0 or not cas_seq_cst(held, &free, seen):
        return False
    while True:
        now = load_seq_cst(&epochs.current)             # E2
        if now == seen:
            return True
        # Raised in between: hold the newer epoch, so that items retired before it do not wait for
        # us. Nothing has been read yet, and this store is E1 for the next look.
        seen = now
        store_seq_cst(held, seen)


cdef int epoch_enter(Epochs *epochs) noexcept nogil:
    cdef int slot = home_slot(&epochs)
    cdef int tried = 0
    while not epoch_enter_slot(epochs, slot):
        slot = (slot + 1) % EPOCH_SLOTS
        tried += 1
        if tried % EPOCH_SLOTS == 0:
            sched_yield()
    return slot


cdef void epoch_leave(Epochs *epochs, int slot) noexcept nogil:
    # Release: a thread that sees the slot free may free what we read, so our reads come before.
    if MUTANT_LEAVE_RELAXED:
        store_relaxed(&epochs.slots[slot].epoch, 0)
    else:
        store_release(&epochs.slots[slot].epoch, 0)


# ---- retiring ------------------------------------------------------------------------------------

cdef int epoch_retire(
    Epochs *epochs, release_fn release, void *context, void *item, bint behind_drain
) noexcept nogil:
    cdef Retired *retired
    pthread_mutex_lock(&epochs.lock)
    if mem_grow(epochs.account, <void **>&epochs.limbo, &epochs.limbo_capacity,
                epochs.limbo_count + 1, sizeof(Retired)) != OK:
        pthread_mutex_unlock(&epochs.lock)
        return NO_MEMORY
    retired = &epochs.limbo[epochs.limbo_count]
    retired.epoch = add_seq_cst(&epochs.current, 1)     # R1; under the lock, so that limbo ascends
    retired.position = BEHIND_DRAIN if behind_drain else 0
    retired.release = release
    retired.context = context
    retired.item = item
    store_relaxed(&epochs.limbo_count, epochs.limbo_count + 1)
    pthread_mutex_unlock(&epochs.lock)
    return OK


cdef void free_block(void *context, void *item) noexcept nogil:
    mem_free(<Account *>context, item)


cdef int mem_retire(Epochs *epochs, Account *account, void *block) noexcept nogil:
    return epoch_retire(epochs, free_block, account, block, False)


# ---- reclaiming ----------------------------------------------------------------------------------

cdef uint64_t oldest_held(Epochs *epochs) noexcept nogil:
    cdef uint64_t oldest = UINT64_MAX
    cdef uint64_t epoch
    cdef int slot
    for slot in range(EPOCH_SLOTS):
        epoch = load_seq_cst(&epochs.slots[slot].epoch)  # R2; acquires what epoch_leave released
        if epoch and epoch < oldest and not MUTANT_RECLAIM_HELD:
            oldest = epoch
    return oldest


cdef inline bint is_drained(Epochs *epochs, Retired *item, uint64_t drained) noexcept nogil:
    """REQUIRES: the calls that knew the item are over."""
    if item.position == BEHIND_DRAIN:
        # oldest_held acquired what those calls did: this head is beyond all that they claimed.
        item.position = load_acquire(epochs.head) if epochs.head != NULL else 0
    return item.position <= drained


cdef size_t pick_releasable(Epochs *epochs, Retired *picked) noexcept nogil:
    """Moves at most RELEASE_BATCH items that can be released out of limbo. Under the lock."""
    cdef size_t count = epochs.limbo_count
    cdef size_t moved = 0, kept = 0, at = 0
    cdef uint64_t oldest = oldest_held(epochs)
    # Acquire: what the drain has passed it used before it stored this position.
    cdef uint64_t drained = load_acquire(&epochs.drained)
    while at < count and moved < RELEASE_BATCH and epochs.limbo[at].epoch < oldest:
        if is_drained(epochs, &epochs.limbo[at], drained):
            picked[moved] = epochs.limbo[at]
            moved += 1
        else:
            epochs.limbo[kept] = epochs.limbo[at]
            kept += 1
        at += 1
    if moved:
        memmove(epochs.limbo + kept, epochs.limbo + at, (count - at) * sizeof(Retired))
        store_relaxed(&epochs.limbo_count, count - moved)
        if moved == count and epochs.limbo_capacity > LIMBO_KEPT:
            # A flood is over: its list goes too.
            mem_free(epochs.account, epochs.limbo)
            epochs.limbo = NULL
            epochs.limbo_capacity = 0
    return moved


cdef size_t epoch_reclaim(Epochs *epochs) noexcept nogil:
    cdef Retired picked[RELEASE_BATCH]
    cdef size_t released = 0, count, i
    # Relaxed, without the lock: what was retired a moment ago can wait for the next call.
    while load_relaxed(&epochs.limbo_count):
        pthread_mutex_lock(&epochs.lock)
        count = pick_releasable(epochs, picked)
        pthread_mutex_unlock(&epochs.lock)
        # Without the lock: a release may retire more, and may take long.
        for i in range(count):
            picked[i].release(picked[i].context, picked[i].item)
        released += count
        if count < RELEASE_BATCH:
            break
    return released


cdef bint epoch_waits(Epochs *epochs, uint64_t epoch) noexcept nogil:
    cdef bint waits
    pthread_mutex_lock(&epochs.lock)
    waits = epochs.limbo_count != 0 and epochs.limbo[0].epoch <= epoch
    pthread_mutex_unlock(&epochs.lock)
    return waits
