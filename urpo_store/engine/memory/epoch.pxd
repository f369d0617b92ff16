# Epochs: when memory that other threads may still read is freed.
#
# A thread *enters* before it reads shared structures without a lock, and *leaves* after. What has
# been unlinked is *retired*: it waits in limbo until every thread that was inside at that moment
# has left, and then it is released.
#
# Invariants
# (1) A slot's epoch is 0 while the slot is free, else the global epoch that its holder saw when it
#     entered.
# (2) An item retired at epoch e (the global epoch is then raised to e + 1) may be released once no
#     slot holds an epoch in 1..e.
# (3) A thread that entered after the raise cannot reach the item: it was unlinked before.
# (4) An item retired *behind the drain* waits twice: until (2) holds, and then until the drain has
#     passed the ring's head as it was read at that moment. By then the calls that knew the item are
#     over, so every point that they published of it lies below that head.
# (5) Limbo is ordered by epoch, ascending.
#
# Entering takes no lock: a compare-and-swap on a slot. While all slots are held (more than
# EPOCH_SLOTS calls at a time) a caller yields until one is free.
#
# memory/epoch.pyx shows why no reader is overtaken.
from libc.stdint cimport uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport pthread_mutex_t

cdef enum:
    EPOCH_SLOTS = 128
    # A thread looks first at one of these few. Threads that take turns then share what is kept for
    # each slot (Store.staging), and only calls at the same time use more.
    EPOCH_HOMES = 16

cdef extern from *:
    """
    #define BEHIND_DRAIN UINT64_MAX
    """
    # Retired.position before the calls that knew the item are over.
    const uint64_t BEHIND_DRAIN

ctypedef void (*release_fn)(void *context, void *item) noexcept nogil

cdef struct EpochSlot:
    uint64_t epoch              # atomic; written by the thread that holds the slot
    uint64_t padding[7]         # a cache line for each slot, so that threads do not share one

cdef struct Retired:
    uint64_t epoch
    uint64_t position           # the drain must have passed this ring position; 0: any will do;
                                # BEHIND_DRAIN: not known yet
    release_fn release
    void *context
    void *item

cdef struct Epochs:
    uint64_t current            # atomic; starts at 1; raised by epoch_retire
    uint64_t drained            # atomic: ring position below which all is drained; written by the
                                # drain
    uint64_t *head              # the ring's head; NULL without a ring; constant once others may
                                # enter
    uint64_t padding[7]         # every call reads `current`: no slot shares its cache line
    EpochSlot slots[EPOCH_SLOTS]
    pthread_mutex_t lock        # guards what follows
    Retired *limbo
    uint64_t limbo_count        # atomic: written under the lock; a stale read only reclaims later
    size_t limbo_capacity
    Account *account            # constant

# OK, or NO_MEMORY.
cdef int epochs_init(Epochs *epochs, Account *account) noexcept nogil
# Releases everything that waits.
# REQUIRES: no other thread is inside, as for epochs_release_all.
cdef void epochs_destroy(Epochs *epochs) noexcept nogil
# Releases everything that waits, and what that retires in turn; the epochs can still be used.
# Called when a store closes, while the tables to which releases refer still stand.
cdef void epochs_release_all(Epochs *epochs) noexcept nogil

# Enters, and returns the number of the slot that is now held.
cdef int epoch_enter(Epochs *epochs) noexcept nogil
# Enters in this slot only; False: it is held.
cdef bint epoch_enter_slot(Epochs *epochs, int slot) noexcept nogil
# REQUIRES: the caller holds the slot.
cdef void epoch_leave(Epochs *epochs, int slot) noexcept nogil

# Retires an item: `release(context, item)` is called later, by any thread that reclaims, without a
# lock. `behind_drain`: calls under way may put the item's id into the ring, so (4) holds for it.
# OK; or NO_MEMORY to remember the item: then it is never released, and stays counted as owned.
# REQUIRES: the item is unlinked.
cdef int epoch_retire(
    Epochs *epochs, release_fn release, void *context, void *item, bint behind_drain
) noexcept nogil
# Retires a block of memory, which goes back to `account`. Returns as epoch_retire.
cdef int mem_retire(Epochs *epochs, Account *account, void *block) noexcept nogil

# Whether something that was retired up to an epoch still waits.
cdef bint epoch_waits(Epochs *epochs, uint64_t epoch) noexcept nogil
# Releases what can be released, and returns how many items that were. Cheap when nothing waits.
# REQUIRES: the caller holds no lock, and no pointer that it read before it entered its epoch.
cdef size_t epoch_reclaim(Epochs *epochs) noexcept nogil
