# The stages of one store, side by side, and the memory in which requests are staged.
#
#   ingest.pyx  bytes -> wire, resolve -> health -> ring      on the caller's thread
#   drain.pyx   ring -> chunks                                on the drain thread, or on one that helps
#   maintenance.pyx  retention, memory limit, reclamation     on the drain thread, or on one that needs room
#   scan.pyx    ring + chunks -> columns                      on the caller's thread
#
# Lock order: ChunkStore.lock (the drain lock), SeriesTable.lock, Table.lock, Epochs.lock; a
# HealthService's lock and ChunkStore.full_lock are leaves. The GIL is never taken while one of them is held.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport pthread_t, sem_t
from urpo_store.engine.memory.epoch cimport EPOCH_SLOTS, Epochs
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.chunks.types cimport ChunkStore
from urpo_store.engine.identity.types cimport Series, SeriesTable
from urpo_store.engine.health.services cimport Health
from urpo_store.engine.ring cimport Ring

cdef enum:
    NAME_BYTES = 120            # of a name kept with a refusal; longer ones are cut
    REFUSALS = 64               # different refusals told apart in one request

# Why points of one metric were refused in one request.
cdef struct Refusal:
    uint32_t reason             # REJECT_*
    uint32_t metric_length
    uint32_t service_length
    uint64_t points
    char metric[NAME_BYTES]
    char service[NAME_BYTES]

# What a request is unpacked into before anything of it is visible. One for each epoch slot, made
# when first used and kept; only the thread that holds the slot touches it.
cdef struct Staging:
    Scan scan
    uint32_t *resources         # id of Scan.resources[i]; 0 not known yet
    uint32_t *scopes
    uint32_t *metrics
    uint32_t *refused           # REJECT_* for all points of Scan.resources[i]
    uint32_t *refused_scopes    # and of Scan.scopes[i]
    Span *services              # the service of Scan.resources[i], for refusals; p is NULL until asked for
    size_t resource_capacity, scope_capacity, metric_capacity, service_capacity
    size_t refused_capacity, refused_scope_capacity
    Refusal refusals[REFUSALS]
    uint32_t refusal_count
    uint64_t accepted, rejected, bad_exemplars
    uint32_t used               # monotonic second of the last request
    uint32_t *filed             # indexes in Scan.points of the batch's points that health wants, in order
    size_t filed_capacity, filed_count
    uint32_t *known             # of a large request: the series that the first pass found
    size_t known_capacity, known_count, known_used  # gathered by the first pass; taken by the second

cdef struct Store:
    Account account             # everything but the columns of running queries
    Account index_account       # strings, series, their health; a part of `account`. Beyond half of memory_limit new
                                # sets collapse, beyond five eighths what they collapse into is refused
    Account query_account
    Epochs epochs
    Ring ring
    ChunkStore chunks
    SeriesTable table
    Health health
    Staging *staging[EPOCH_SLOTS]   # [i] is written by the thread that holds epoch slot i
    # Options, constant after init.
    int64_t retention           # ns; 0: any age
    uint64_t memory_limit       # bytes
    uint32_t max_attributes     # of one point, resource or scope
    uint32_t max_string         # bytes
    uint64_t drain_interval     # ns between drains of the background thread
    # Counters: atomic, relaxed, any thread.
    uint64_t accepted_points
    uint64_t rejected_points
    uint64_t rejected_requests
    uint64_t stale_points
    uint64_t dropped_exemplars
    uint64_t published_points   # points put in the ring; minus drained_points: ring_points
    uint64_t drained_points     # written under the drain lock
    uint64_t drains             # written under the drain lock
    uint64_t last_arrival       # wall clock, Unix ns, of the last accepted point; 0 never
    # The drain thread.
    pthread_t thread
    bint has_thread             # written by the thread that opens and closes
    sem_t wake                  # posted when enough is in the ring (drain_wanted), and to stop
    uint64_t woken              # atomic: 1 between a producer's post and the drain thread's answer, which clears it
    sem_t room                  # posted when there is room again, once for each that waits
    uint64_t waiting            # atomic: producers that wait, or are about to
    uint64_t stopping           # atomic: 1 from close on; written by who closes
    uint64_t next_maintenance   # atomic: monotonic ns; whoever does maintenance
    uint64_t evicted_epoch      # atomic: in which memory was last given up to limbo; written under the drain lock
    uint32_t seal_next          # series from which on tails are sealed for want of memory; under the drain lock
    uint64_t *payload           # scratch of the drain, under the drain lock
    size_t payload_capacity
    uint64_t generation         # of the process that opened it; see process_generation

# A request while it is taken in: what its thread knows beside the scan.
cdef struct Request:
    Store *store
    Staging *staging
    int64_t now                 # wall clock
    int64_t oldest              # points before it are older than the retention
    uint32_t second             # monotonic second of arrival
    bint checked                # all of it is known to be well formed
    uint64_t stale              # of the batch: points that are stale marks
    int64_t filed_time          # of the last point in Staging.filed: its time and resource
    uint32_t filed_resource
    # The metric whose points are scanned: its index in Scan.metrics, and the ids; 0 where not known.
    uint32_t index, resource, scope, metric
    size_t seen_resources, seen_scopes, seen_metrics    # how many of the scan's have been looked up
    uint32_t last_metric        # the last one that was looked up, for the guess at the next
    Series *previous            # of the last point whose series is known; NULL: none yet
    Series *guess               # who is expected next; NULL: nobody
    uint32_t strays             # points in a row that did not come when expected

cdef Store *store_open(uint64_t ring_slots, uint64_t memory_limit, uint32_t max_series, int64_t retention,
                       uint32_t max_attributes, uint32_t max_string, uint64_t drain_interval) noexcept nogil
# No other call may be running.
cdef void store_free(Store *store) noexcept nogil
# Gives back the staging memory of slots that have not been used for two seconds, as after a crowd of calls at
# a time. `now`: monotonic seconds.
cdef void staging_give_back(Store *store, uint32_t now) noexcept nogil
# Raised by one in the child of each fork, so that a store can tell that it is not its own.
cdef uint64_t process_generation() noexcept nogil
