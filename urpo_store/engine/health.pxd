# Service health: request, error and latency increments, filed as they arrive.
#
# Which metrics mean requests, which attribute means an error and which unit a duration has is decided
# once per series (health_bind). Increments are added to the slot of their point's time: 1 s wide within
# the last 5 minutes, coarser beyond (60 s up to 1 h), anchored on the latest point time not beyond
# now + 5 m. Slots are allocated when hit, and bounded.
#
# Invariants
# (1) A HealthService is written under its own lock, taken once per resource and request by ingest.
# (2) Services are found without a lock; a service once known stays until the store is closed.
# (3) A HealthSeries (last cumulative vector) belongs to its series and is written under its service's lock.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.alloc cimport Account
from urpo_store.engine.points cimport Point
from urpo_store.engine.series cimport Series, SeriesTable

cdef struct HealthService       # health.pyx
cdef struct HealthSeries

cdef struct Health:
    Account *account
    SeriesTable *table
    void *services              # string id of the service -> HealthService
    void *lock                  # guards adding a service

cdef int health_init(Health *health, Account *account, SeriesTable *table) noexcept nogil
cdef void health_destroy(Health *health) noexcept nogil
# The record of a service, made when first asked for; NULL: no memory. Under SeriesTable.lock.
cdef HealthService *health_service(Health *health, uint32_t service) noexcept nogil
# Under SeriesTable.lock, when a series is created or evicted; sets and clears Series.health.
cdef void health_bind(Health *health, Series *series) noexcept nogil
cdef void health_unbind(Health *health, Series *series) noexcept nogil
# Ingest: lock, then one call per stored point of the resource, then unlock. health_observe may be
# called for every point; series without health only move last_seen. `payload` as points.pxd or NULL.
cdef void health_lock(HealthService *service) noexcept nogil
cdef void health_unlock(HealthService *service) noexcept nogil
cdef void health_observe(Health *health, HealthService *service, Series *series, const Point *point, int64_t start, const uint64_t *payload, int64_t now) noexcept nogil
