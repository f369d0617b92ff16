# A request while it is taken in, and the memory in which it is unpacked.
#
# Invariants
# (1) Store.staging[i] is touched only by the thread that holds epoch slot i. It is made when the
#     slot is first used for a request, and kept for the next one.
# (2) Arrays of a Staging that go by an index of the scan (resources, scopes, metrics) have room for
#     all that the scan has found so far, from the moment resolve looks the find up (resolve.pyx).
# (3) A Request lives on the stack of ingest_request and belongs to its thread.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport mem_grow
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.types cimport Series
from urpo_store.engine.store cimport Store

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

# A growing array of ids or indexes.
cdef struct Numbers:
    uint32_t *at
    size_t capacity

# What a request is unpacked into before any of it is visible.
cdef struct Staging:
    Scan scan
    Numbers resources           # id of Scan.resources[i]; 0: not known yet
    Numbers scopes              # id of Scan.scopes[i]
    Numbers metrics             # id of Scan.metrics[i], or NO_ROOM (resolve.pxd)
    Numbers refused             # REJECT_* for all points of Scan.resources[i]
    Numbers refused_scopes      # and of Scan.scopes[i]
    Span *services              # service name of Scan.resources[i], for refusals; p NULL: not
                                # looked up yet
    size_t service_capacity
    Refusal refusals[REFUSALS]
    uint32_t refusal_count
    uint64_t accepted, rejected, bad_exemplars
    uint32_t used               # monotonic second of the last request
    Numbers filed               # indexes in Scan.points of the batch's points that health wants, in
                                # order
    size_t filed_count
    Numbers known               # of a large request: the series that the first pass found, point by
                                # point
    size_t known_count          # appended by the first pass
    size_t known_used           # taken by the second pass

cdef struct Request:
    Store *store
    Staging *staging
    int64_t now                 # wall clock, Unix ns
    int64_t oldest              # points before it are older than the retention
    uint32_t second             # monotonic second of arrival
    bint checked                # all of it is known to be well formed
    uint64_t stale              # of the batch: points that are stale marks
    int64_t filed_time          # of the last point in Staging.filed: its time and resource
    uint32_t filed_resource
    # The metric whose points are scanned: its index in Scan.metrics, and the ids; 0 where not
    # known.
    uint32_t index, resource, scope, metric
    size_t seen_resources, seen_scopes, seen_metrics    # how many of the scan's have been looked up
    uint32_t last_metric        # the last metric that was looked up, for the guess at the next
    Series *previous            # of the last point whose series is known; NULL: none yet
    Series *guess               # the series expected next; NULL: none
    uint32_t strays             # points in a row that did not come when expected

# The staging of epoch slot `slot`, which the caller holds; made if there is none. NULL: no memory.
cdef Staging *staging_of(Store *store, int slot) noexcept nogil
# Gives back what only a large request needs: a staging may wait for its next request for ever.
cdef void staging_trim(Staging *staging) noexcept nogil
# Frees the stagings of slots that have not been used for two seconds, as after a crowd of calls at
# a time. `now`: monotonic seconds.
cdef void stagings_give_back(Store *store, uint32_t now) noexcept nogil
# Frees all of them. REQUIRES: no call is running.
cdef void stagings_free(Store *store) noexcept nogil


# Room for `count` numbers. OK or NO_MEMORY; then the array is as before.
cdef inline int numbers_reserve(Store *store, Numbers *numbers, size_t count) noexcept nogil:
    if count <= numbers.capacity:
        return OK
    return mem_grow(&store.account, <void **>&numbers.at, &numbers.capacity, count,
                    sizeof(uint32_t))
