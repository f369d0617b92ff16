# Epochs: how memory that others may still read is given back.
#
# A thread *enters* before it reads shared structures without a lock and *leaves* after. What has
# been unlinked is *retired*: it is freed once every thread that was inside at that moment has left.
#
# Invariants
# (1) A slot's epoch is 0 when free, else the global epoch its holder saw on entering.
# (2) An item retired at epoch e (the global epoch is then raised to e + 1) may be freed once no
#     slot holds an epoch in 1..e.
# (3) Whoever entered after the raise can no longer reach the item: it was unlinked before.
# (4) An item retired *behind the drain* waits twice: until (2) holds, then until the drain has passed the
#     ring's head as it was read at that moment. Calls that knew the item are over by then, so no point of
#     it can be later.
#
# Entering takes no lock: a compare-and-swap on a slot of its own. When all slots are held (more
# than EPOCH_SLOTS calls at once) the caller yields until one is free.
from libc.stdint cimport uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport pthread_mutex_t

cdef enum:
    EPOCH_SLOTS = 128
    # Where a thread looks first is one of so few: threads that take turns share what is kept for each slot
    # (Store.staging), and only simultaneous calls take more.
    EPOCH_HOMES = 16

cdef extern from *:
    """
    #define BEHIND_DRAIN UINT64_MAX
    """
    const uint64_t BEHIND_DRAIN # Retired.position: not known before all calls from before are over

ctypedef void (*release_fn)(void *context, void *item) noexcept nogil

cdef struct EpochSlot:
    uint64_t epoch              # atomic; written by the thread that holds the slot
    uint64_t padding[7]         # a cache line each, so that threads do not share one

cdef struct Retired:
    uint64_t epoch
    uint64_t position           # ring position that the drain must have passed too; BEHIND_DRAIN until known
    release_fn release
    void *context
    void *item

cdef struct Epochs:
    uint64_t current            # atomic, starts at 1; raised by epoch_retire
    uint64_t drained            # atomic: ring position below which all is drained; written by the drain
    uint64_t *head              # the ring's head; NULL without a ring; constant
    uint64_t padding[7]         # every call reads `current`: no slot on its cache line
    EpochSlot slots[EPOCH_SLOTS]
    pthread_mutex_t lock        # guards what follows
    Retired *limbo              # by epoch, ascending
    uint64_t limbo_count        # atomic: written under the lock; a stale read is a late reclaim
    size_t limbo_capacity
    Account *account

cdef int epochs_init(Epochs *epochs, Account *account) noexcept nogil      # 0, or -1: no memory
cdef void epochs_destroy(Epochs *epochs) noexcept nogil                    # releases all that waits
# Releases all that waits, and goes on: when one closes, before that is given back which releases refer
# to, and which retires more on its way. No other thread may be inside.
cdef void epochs_release_all(Epochs *epochs) noexcept nogil
cdef int epoch_enter(Epochs *epochs) noexcept nogil                        # the slot's number
# Enters in just this slot; 0: it is held.
cdef bint epoch_take(Epochs *epochs, int slot) noexcept nogil
cdef void epoch_leave(Epochs *epochs, int slot) noexcept nogil
# `release(context, item)` is called later, by whoever reclaims, without any lock. `behind_drain`: the item
# may still stand in the ring, put there by a call that is under way; it is released only when these calls
# are over and the drain has passed whatever they had published by then.
# 0, or -1 when there is no memory to remember the item: it is then leaked, and counted as owned.
cdef int epoch_retire(Epochs *epochs, release_fn release, void *context, void *item, bint behind_drain) noexcept nogil
# Retires a block that mem_* gave: it goes back to `account`.
cdef int mem_retire(Epochs *epochs, Account *account, void *block) noexcept nogil
# Whether something that was retired up to an epoch waits still.
cdef bint epoch_waits(Epochs *epochs, uint64_t epoch) noexcept nogil
# Releases what can be; cheap when nothing waits. The caller holds no lock, and no pointer that it read
# before entering its epoch. Returns how many were released.
cdef size_t epoch_reclaim(Epochs *epochs) noexcept nogil
