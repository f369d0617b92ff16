"""Epochs; the contract and its invariants are in memory/epoch.pxd.

Why nobody is overtaken, with S the one order of all sequentially consistent operations:

    a reader            E1  writes its slot        E2  reads `current`     then follows pointers
    who retires         unlinks the item           R1  raises `current`
    who reclaims                                   R2  reads the slots (after R1: the lock)

If R2 does not see E1, then R2 is before E1 in S, so R1 < R2 < E1 < E2, and E2 reads what R1 wrote or
something later. That makes the unlinking happen before all that the reader does next: it cannot reach
the item. If R2 does see E1, the item waits. Both pairs need the full order: with anything weaker each
side may act before its own write is visible to the other, and both miss.
"""
cimport cython
from libc.stdint cimport UINT64_MAX, uint64_t, uintptr_t
from libc.string cimport memmove

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_alloc, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport (
    add_seq_cst, cas_seq_cst, load_acquire, load_relaxed, load_seq_cst, pthread_mutex_destroy,
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, sched_yield, store_relaxed,
    store_release, store_seq_cst,
)
from urpo_store.engine.memory.mutants cimport MUTANT_LEAVE_RELAXED, MUTANT_RECLAIM_HELD

cdef enum:
    RELEASE_BATCH = 128         # items released for one hold of the lock
    LIMBO_KEPT = 4096           # entries of an empty limbo that are kept


cdef int epochs_init(Epochs *epochs, Account *account) noexcept nogil:
    cdef int slot
    epochs.account = account
    epochs.head = NULL
    epochs.limbo = NULL
    epochs.limbo_capacity = 0
    # Relaxed: no other thread knows of it yet.
    store_relaxed(&epochs.current, 1)
    store_relaxed(&epochs.drained, 0)
    store_relaxed(&epochs.limbo_count, 0)
    for slot in range(EPOCH_SLOTS):
        store_relaxed(&epochs.slots[slot].epoch, 0)
    return 0 if pthread_mutex_init(&epochs.lock, NULL) == 0 else -1


cdef void epochs_release_all(Epochs *epochs) noexcept nogil:
    cdef Retired item
    # From the end, and counted anew each time: a release may retire more.
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


cdef inline int first_guess(const void *local) noexcept nogil:
    # Threads have stacks of their own, so the address of a local tells them apart: multiplying spreads
    # the stacks, which lie at regular distances, over the slots. Only a guess; any slot will do.
    return <int>((((<uintptr_t>local) >> 16) * <uint64_t>0x9E3779B97F4A7C15) >> 57) % EPOCH_HOMES


cdef bint epoch_take(Epochs *epochs, int slot) noexcept nogil:
    cdef uint64_t free = 0
    cdef uint64_t now
    # Acquire would do for this one: an epoch that is already old holds more back than it must.
    cdef uint64_t seen = load_seq_cst(&epochs.current)
    # The relaxed look spares the others a cache line; the swap decides. It is E1 above, and it also
    # acquires what the slot's last holder released, so that who sees us sees that holder gone.
    if load_relaxed(&epochs.slots[slot].epoch) != 0 or not cas_seq_cst(&epochs.slots[slot].epoch, &free, seen):
        return False
    while True:
        now = load_seq_cst(&epochs.current)         # E2
        if now == seen:
            return True
        # Raised in between: say the newer epoch, so that what was retired before it does not wait for us.
        # Nothing has been read yet, and this write is E1 for the next look.
        seen = now
        store_seq_cst(&epochs.slots[slot].epoch, seen)


cdef int epoch_enter(Epochs *epochs) noexcept nogil:
    cdef int slot = first_guess(&epochs)
    cdef int tried = 0
    while not epoch_take(epochs, slot):
        slot = (slot + 1) % EPOCH_SLOTS
        tried += 1
        if tried % EPOCH_SLOTS == 0:
            sched_yield()
    return slot


cdef void epoch_leave(Epochs *epochs, int slot) noexcept nogil:
    # Release: who sees the slot free may free what we read, so our reads come before.
    if MUTANT_LEAVE_RELAXED:
        store_relaxed(&epochs.slots[slot].epoch, 0)
    else:
        store_release(&epochs.slots[slot].epoch, 0)


cdef int epoch_retire(Epochs *epochs, release_fn release, void *context, void *item, bint behind_drain) noexcept nogil:
    cdef Retired *retired
    pthread_mutex_lock(&epochs.lock)
    if mem_grow(epochs.account, <void **>&epochs.limbo, &epochs.limbo_capacity, epochs.limbo_count + 1,
                sizeof(Retired)) != 0:
        pthread_mutex_unlock(&epochs.lock)
        return -1
    retired = &epochs.limbo[epochs.limbo_count]
    retired.epoch = add_seq_cst(&epochs.current, 1)     # R1; under the lock, so that limbo ascends
    retired.position = BEHIND_DRAIN if behind_drain else 0
    retired.release = release
    retired.context = context
    retired.item = item
    store_relaxed(&epochs.limbo_count, epochs.limbo_count + 1)
    pthread_mutex_unlock(&epochs.lock)
    return 0


cdef void free_block(void *context, void *item) noexcept nogil:
    mem_free(<Account *>context, item)


cdef int mem_retire(Epochs *epochs, Account *account, void *block) noexcept nogil:
    return epoch_retire(epochs, free_block, account, block, False)


cdef uint64_t oldest_held(Epochs *epochs) noexcept nogil:
    cdef uint64_t oldest = UINT64_MAX
    cdef uint64_t epoch
    cdef int slot
    for slot in range(EPOCH_SLOTS):
        epoch = load_seq_cst(&epochs.slots[slot].epoch)     # R2; acquires what epoch_leave released
        if epoch and epoch < oldest and not MUTANT_RECLAIM_HELD:
            oldest = epoch
    return oldest


cdef inline bint is_drained(Epochs *epochs, Retired *item, uint64_t drained) noexcept nogil:
    """Of an item that no call knows any more."""
    if item.position == BEHIND_DRAIN:
        # Calls that knew it are over, and oldest_held acquired what they did: this head is beyond all
        # that they claimed.
        item.position = load_acquire(epochs.head) if epochs.head != NULL else 0
    return item.position <= drained


cdef size_t take(Epochs *epochs, Retired *taken) noexcept nogil:
    """Moves at most RELEASE_BATCH items that can be released out of limbo. Under the lock."""
    cdef size_t count = epochs.limbo_count
    cdef size_t took = 0, kept = 0, at = 0
    cdef uint64_t oldest = oldest_held(epochs)
    # Acquire: the drain's last use of what it has passed comes before its store.
    cdef uint64_t drained = load_acquire(&epochs.drained)
    while at < count and took < RELEASE_BATCH and epochs.limbo[at].epoch < oldest:
        if is_drained(epochs, &epochs.limbo[at], drained):
            taken[took] = epochs.limbo[at]
            took += 1
        else:
            epochs.limbo[kept] = epochs.limbo[at]
            kept += 1
        at += 1
    if took:
        memmove(epochs.limbo + kept, epochs.limbo + at, (count - at) * sizeof(Retired))
        store_relaxed(&epochs.limbo_count, count - took)
        if took == count and epochs.limbo_capacity > LIMBO_KEPT:
            # A flood is over: the list of it goes too.
            mem_free(epochs.account, epochs.limbo)
            epochs.limbo = NULL
            epochs.limbo_capacity = 0
    return took


cdef bint epoch_waits(Epochs *epochs, uint64_t epoch) noexcept nogil:
    cdef bint waits
    pthread_mutex_lock(&epochs.lock)
    waits = epochs.limbo_count != 0 and epochs.limbo[0].epoch <= epoch
    pthread_mutex_unlock(&epochs.lock)
    return waits


cdef size_t epoch_reclaim(Epochs *epochs) noexcept nogil:
    cdef Retired taken[RELEASE_BATCH]
    cdef size_t released = 0, count, i
    # Relaxed and without the lock: what was retired a moment ago can wait for the next call.
    while load_relaxed(&epochs.limbo_count):
        pthread_mutex_lock(&epochs.lock)
        count = take(epochs, taken)
        pthread_mutex_unlock(&epochs.lock)
        # Without the lock: a release may retire more, and may take its time.
        for i in range(count):
            taken[i].release(taken[i].context, taken[i].item)
        released += count
        if count < RELEASE_BATCH:
            break
    return released


# ---- for tests --------------------------------------------------------------------------------------

cdef struct Releases:           # what has been released, in order
    Account *account
    pthread_mutex_t lock
    uint64_t *numbers
    size_t count, capacity


cdef void note_release(void *context, void *item) noexcept nogil:
    cdef Releases *releases = <Releases *>context
    pthread_mutex_lock(&releases.lock)
    # Room was made when the item was retired.
    releases.numbers[releases.count] = (<uint64_t *>item)[0]
    releases.count += 1
    pthread_mutex_unlock(&releases.lock)
    mem_free(releases.account, item)


@cython.final
cdef class EpochLimbo:
    """Epochs with numbers for items, through which tests drive this module. Thread-safe.

    :param fail_at: the allocation that fails, counted from 1; 0 for none.
    """
    cdef Account account
    cdef Epochs epochs
    cdef Releases releases
    cdef uint64_t head
    cdef size_t retired

    def __cinit__(self, *, uint64_t fail_at=0):
        account_init(&self.account, NULL)
        self.account.fail_at = fail_at
        if epochs_init(&self.epochs, &self.account) != 0:
            raise MemoryError("no memory for epochs")
        self.epochs.head = &self.head
        self.releases.account = &self.account
        pthread_mutex_init(&self.releases.lock, NULL)

    def __dealloc__(self):
        if self.epochs.account != NULL:
            epochs_destroy(&self.epochs)
            mem_free(&self.account, self.releases.numbers)
            pthread_mutex_destroy(&self.releases.lock)

    def enter(self):
        """Enters an epoch and returns the number of the slot that is held."""
        cdef int slot
        with nogil:
            slot = epoch_enter(&self.epochs)
        return slot

    def leave(self, int slot):
        """Leaves the epoch that `slot` holds."""
        with nogil:
            epoch_leave(&self.epochs, slot)

    def retire(self, uint64_t number, *, bint behind_drain=False):
        """Retires an item that goes by `number`. Raises MemoryError; then nothing is retired."""
        cdef uint64_t *item
        cdef int verdict
        pthread_mutex_lock(&self.releases.lock)
        verdict = mem_grow(&self.account, <void **>&self.releases.numbers, &self.releases.capacity,
                           self.retired + 1, sizeof(uint64_t))
        self.retired += 1
        pthread_mutex_unlock(&self.releases.lock)
        item = <uint64_t *>mem_alloc(&self.account, sizeof(uint64_t)) if verdict == 0 else NULL
        if item == NULL:
            raise MemoryError("no memory for an item")
        item[0] = number
        with nogil:
            verdict = epoch_retire(&self.epochs, note_release, &self.releases, item, behind_drain)
        if verdict != 0:
            mem_free(&self.account, item)
            raise MemoryError("no memory for limbo")

    def reclaim(self):
        """Releases what can be, and returns how many items that were."""
        cdef size_t count
        with nogil:
            count = epoch_reclaim(&self.epochs)
        return count

    def publish(self, uint64_t slots):
        """Moves the ring's head on, as a call does that publishes `slots`."""
        add_seq_cst(&self.head, slots)

    def drain(self, uint64_t position):
        """Says that the ring is drained up to `position`."""
        store_release(&self.epochs.drained, position)

    def release_all(self):
        """Releases all that waits, whoever is inside and wherever the drain is."""
        epochs_release_all(&self.epochs)

    def destroy(self):
        """Releases all that waits, as closing a store does, and begins anew."""
        epochs_destroy(&self.epochs)
        epochs_init(&self.epochs, &self.account)
        self.epochs.head = &self.head

    @property
    def released(self):
        """The numbers of the items released so far, in order."""
        cdef size_t i
        pthread_mutex_lock(&self.releases.lock)
        numbers = [self.releases.numbers[i] for i in range(self.releases.count)]
        pthread_mutex_unlock(&self.releases.lock)
        return numbers

    @property
    def waiting(self):
        """How many items are in limbo."""
        return load_relaxed(&self.epochs.limbo_count)

    @property
    def bytes(self):
        """Bytes owned, as the account counts them."""
        return load_relaxed(&self.account.bytes)
