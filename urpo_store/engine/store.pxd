# One store: its stages side by side, its options and its counters.
#
#   ingest.pyx       bytes -> ring             on the caller's thread
#   drain.pyx        ring -> chunks            on the drain thread, or on a producer that helps it
#   maintenance.pyx  retention, memory limit   on the drain thread, or on a caller that needs room
#   gather.pyx       ring + chunks -> columns  on the caller's thread
#
# Invariants
# (1) Locks are taken in this order: ChunkStore.lock (the drain lock), SeriesTable.lock,
#     KeyTable.lock, Epochs.lock. HealthService.lock and ChunkStore.full_lock are leaves: their
#     holder takes no other.
# (2) The GIL is never taken while one of them is held.
# (3) Each stage owns its part of the struct; the comments name the writer of what is shared.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport pthread_t, sem_t
from urpo_store.engine.memory.epoch cimport EPOCH_SLOTS, Epochs
from urpo_store.engine.chunks.types cimport ChunkStore
from urpo_store.engine.identity.types cimport SeriesTable
from urpo_store.engine.health.services cimport Health
from urpo_store.engine.ring cimport Ring

cdef struct Staging             # request.pxd; staging_of casts to it

cdef struct Options:
    uint64_t ring_slots         # power of two, >= 1024
    uint64_t memory_limit       # bytes
    uint32_t max_series
    int64_t retention           # ns; 0: any age
    uint32_t max_attributes     # of one point, resource or scope
    uint32_t max_string         # bytes
    uint64_t drain_interval     # ns between two drains of the drain thread

# All atomic and relaxed. Any thread writes them, unless it says otherwise.
cdef struct Counters:
    uint64_t accepted_points
    uint64_t rejected_points
    uint64_t rejected_requests
    uint64_t stale_points
    uint64_t dropped_exemplars
    uint64_t published_points   # put in the ring; counted before they are visible
    uint64_t drained_points     # passed by the drain; written under the drain lock
    uint64_t drains             # written under the drain lock
    uint64_t last_arrival       # of the last accepted point: wall clock, Unix ns; 0: none yet

# The drain thread, and how producers and the drain wake each other.
cdef struct DrainThread:
    pthread_t thread
    bint running                # written by the thread that opens and closes the store
    uint64_t stopping           # atomic: 1 from close on; written by the thread that closes
    sem_t wake                  # posted when there is enough in the ring (drain_wanted), and to
                                # stop
    uint64_t woken              # atomic: 1 from a producer's post until the drain thread clears it
    sem_t room                  # posted once for each waiting producer when there is room again
    uint64_t waiting            # atomic: producers that wait for room, or are about to

cdef struct Store:
    Options options             # constant
    # Memory. `account` has everything but the columns of running queries. `index_account` is a part
    # of it: strings, series and their health. Beyond half of memory_limit in it new attribute sets
    # collapse; beyond five eighths even the series that they collapse into are refused.
    Account account
    Account index_account
    Account query_account
    # The stages.
    Epochs epochs
    Ring ring
    ChunkStore chunks
    SeriesTable table
    Health health
    uint32_t made               # MADE_*, store.pyx: how many of the stages are there
    Staging *staging[EPOCH_SLOTS]   # [i] belongs to the thread that holds epoch slot i; NULL: none
                                    # yet
    Counters counters
    DrainThread drain
    uint64_t *payload           # scratch of the drain; under the drain lock
    size_t payload_capacity
    # Maintenance.
    uint64_t next_maintenance   # atomic: when it is due, monotonic ns; written by the one that does
                                # it
    uint64_t evicted_epoch      # atomic: the epoch in which memory last went to limbo; under the
                                # drain lock
    uint32_t seal_next          # the series at which sealing for want of memory goes on; under the
                                # drain lock
    uint64_t generation         # of the process that opened the store (process_generation);
                                # constant

# NULL: no memory.
cdef Store *store_open(const Options *options) noexcept nogil
# REQUIRES: no call is running, the drain thread has stopped (drain_stop) and the stagings are freed
# (stagings_free).
cdef void store_free(Store *store) noexcept nogil
# Raised by one in the child of each fork, so that a store can tell that it belongs to another
# process.
cdef uint64_t process_generation() noexcept nogil
