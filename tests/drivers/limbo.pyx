"""Epochs with numbers for items, through which tests drive memory/epoch."""
cimport cython
from libc.stdint cimport uint64_t

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_alloc, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport (
    add_seq_cst, load_relaxed, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock,
    pthread_mutex_t, pthread_mutex_unlock, store_release,
)
from urpo_store.engine.memory.epoch cimport (
    Epochs, epoch_enter, epoch_leave, epoch_reclaim, epoch_retire, epochs_destroy, epochs_init,
    epochs_release_all,
)
from urpo_store.engine.memory.status cimport OK


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
    """A limbo whose items are numbers. Thread-safe.

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
        if epochs_init(&self.epochs, &self.account) != OK:
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
        item = <uint64_t *>mem_alloc(&self.account, sizeof(uint64_t)) if verdict == OK else NULL
        if item == NULL:
            raise MemoryError("no memory for an item")
        item[0] = number
        with nogil:
            verdict = epoch_retire(&self.epochs, note_release, &self.releases, item, behind_drain)
        if verdict != OK:
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
        """Releases all that waits, though threads are inside and the drain is behind."""
        epochs_release_all(&self.epochs)

    def destroy(self):
        """Releases all that waits, as closing a store does, and starts again."""
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
