# Service health: increments of requests, errors and latency, filed as points arrive.
#
#   sources       which metrics mean requests, which attribute an error, which unit a duration has
#   types         what is known of one service
#   record        making that, its sources and series
#   filing        from a point to an increment
#   slots         where increments rest; exponential: buckets of one scale, merged as they need
#   choice        which slots and sources answer for a window
#   latency       from bucket counts to quantiles
#   report        rate, errors and latencies of a window
#   services      all services of a store, and how its series are bound to them (here)
#   book          one service by itself, to replay stored points
#
# What a series means is decided once, when it is created (health_bind). Ingest then files each
# point.
#
# Invariants
# (1) A HealthService is written under its own lock, which ingest takes once for each run of points
#     of one service in a batch. That lock is innermost: its holder takes no other.
# (2) Services are found without a lock, inside an epoch. A service holds a reference to its name,
#     so that the name's id is not given to another. It outlives the resources that refer to it;
#     when the index takes more than an eighth of the memory limit, only until the calls under way
#     have left.
# (3) A HealthSeries belongs to its series and is written under its service's lock. Series.health is
#     set before the series is published, and cleared and read under that lock; without the lock it
#     is only a hint that there is one. A series that is evicted while a request still holds it
#     feeds no health any more.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.identity.types cimport Resource, Series, SeriesTable
from urpo_store.engine.health.types cimport HealthService

cdef struct Health:
    Account *account            # what exists once for each service or series
    Account slots               # what grows with time, of all services; a part of the whole store's
    uint64_t most               # bytes of `slots` beyond which services drop their oldest ones;
                                # constant
    SeriesTable *table
    void *services              # atomic: Services*, health/services.pyx; replaced under
                                # SeriesTable.lock

# OK or NO_MEMORY. `whole`: the account that `slots` is a part of.
cdef int health_init(Health *health, Account *account, Account *whole, uint64_t most,
                     SeriesTable *table) noexcept nogil
# Touches no series and no string of the table.
cdef void health_destroy(Health *health) noexcept nogil

# ---- series. REQUIRES, of each: SeriesTable.lock
# A series is created, or evicted: sets, or clears, Series.health. health_bind also sets
# Resource.health of its resource. Without memory either stays NULL: no health.
cdef void health_bind(Health *health, Series *series) noexcept nogil
cdef void health_unbind(Health *health, Series *series) noexcept nogil
# A resource leaves, after its series.
cdef void health_leave(Health *health, Resource *resource) noexcept nogil

# ---- points
# Lock, then one call for each stored point of the service's resources, then unlock. Points of
# series without health only say when the service was seen. `payload` as points/slots.pxd, or NULL.
cdef void health_lock(HealthService *service) noexcept nogil
cdef void health_unlock(HealthService *service) noexcept nogil
cdef void health_observe(HealthService *service, Series *series, const Point *point, int64_t start,
                         const uint64_t *payload, int64_t now) noexcept nogil

# (known, fields) of a service (a string id): the fields of ServiceHealthMetrics (model.py) after
# the name. They are None when the window reaches beyond the slots; then stored points must be
# replayed (health/book.pxd). `at` < 0 or equal to `now`: the window ends now. Raises MemoryError.
# REQUIRES: the caller is in an epoch.
cdef object health_report(Health *health, uint32_t service, int64_t window, int64_t at, int64_t now)
