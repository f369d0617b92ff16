# Service health: request, error and latency increments, filed as they arrive.
#
#   health_sources   which metrics mean requests, which attribute an error, which unit a duration has
#   health_types     what is known of one service
#   health_record    from a point to an increment; health_slots: where increments rest
#   health_exponential   slots of exponential histograms: buckets of one scale, merged as they need
#   health_report    from the slots to rate, errors and latencies of a window
#   health           all services of a store, and how its series are bound to them (here)
#   health_book      one service by itself, for replays, tests and benchmarks
#
# What a series means is decided once, when it is created (health_bind). Ingest then files each point.
#
# Invariants
# (1) A HealthService is written under its own lock, taken by ingest once for each run of points of one
#     service in a batch. That lock is the innermost: who holds it takes no other.
# (2) Services are found without a lock, inside an epoch. A service holds a reference to its name, so that the
#     name's id is not given to another, and outlives the resources that refer to it; when the index takes
#     more than an eighth of the memory limit, by no more than the calls under way.
# (3) A HealthSeries (last cumulative vector) belongs to its series and is written under its service's lock.
#     Series.health is set before the series is published, cleared under that lock and read under it; without
#     it only as a hint that there is one. A series that is evicted while a request still holds it just
#     feeds no health any more.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.identity.types cimport Resource, Series, SeriesTable
from urpo_store.engine.health.types cimport HealthService

cdef struct Health:
    Account *account            # what is there once a service or series
    Account slots               # what grows with time, of all services; a part of the whole store's
    uint64_t most               # bytes of it before services begin to drop their oldest slots; constant
    SeriesTable *table
    void *services              # atomic: Services*, health/services.pyx; replaced under SeriesTable.lock

cdef int health_init(Health *health, Account *account, Account *whole, uint64_t most, SeriesTable *table) noexcept nogil
# Needs no series or string of the table any more.
cdef void health_destroy(Health *health) noexcept nogil
# The record of a service (a string id), made when first asked for; NULL: no memory. Under SeriesTable.lock.
cdef HealthService *health_service(Health *health, uint32_t service) noexcept nogil
# The same without making it; NULL: not known. Inside an epoch.
cdef HealthService *health_find(Health *health, uint32_t service) noexcept nogil
# Under SeriesTable.lock, when a series is created or evicted; sets and clears Series.health. health_bind
# sets Resource.health of the series' resource as well. Without memory either stays NULL: no health.
cdef void health_bind(Health *health, Series *series) noexcept nogil
cdef void health_unbind(Health *health, Series *series) noexcept nogil
# A resource leaves, after its series. Under SeriesTable.lock.
cdef void health_leave(Health *health, Resource *resource) noexcept nogil
# Ingest: lock, then one call per stored point of the resource, then unlock. health_observe may be
# called for every point; series without health only move last_seen. `payload` as points/slots.pxd or NULL.
cdef void health_lock(HealthService *service) noexcept nogil
cdef void health_unlock(HealthService *service) noexcept nogil
cdef void health_observe(HealthService *service, Series *series, const Point *point, int64_t start,
                         const uint64_t *payload, int64_t now) noexcept nogil
# (known, fields): fields are those of ServiceHealthMetrics (model.py) behind the service's name, in order.
# `at` < 0 or equal to now: the window ends now. Fields are None when the window reaches beyond the slots:
# answer by scanning (HealthBook.replay). Raises MemoryError.
cdef object health_report(Health *health, uint32_t service, int64_t window, int64_t at, int64_t now)
