# The health record of one service: making it, and filing points in it. The structs, and what holds for all of
# them, are in health/types.pxd.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.health.sources cimport Meaning
from urpo_store.engine.health.types cimport HealthSeries, HealthService

# NULL: no memory. The name is copied.
cdef HealthService *health_service_new(Account *account, const uint8_t *name, uint32_t length, uint32_t id) noexcept nogil
# Frees the series that are still bound too.
cdef void health_service_free(HealthService *service) noexcept nogil
# A series of `service` with this meaning. NULL: no memory, or too many sources. Takes the lock.
cdef HealthSeries *health_series_new(HealthService *service, const Meaning *meaning, const uint8_t *name, uint32_t length, uint32_t kind, uint32_t temporality, bint collapsed) noexcept nogil
# What it counted stays; see "First points". Under the lock.
cdef void health_series_free(HealthSeries *series) noexcept nogil
# Files one point; `series` NULL: it only moves last_seen. Under the lock.
cdef void health_file(HealthService *service, HealthSeries *series, const Point *point, int64_t start, const uint64_t *payload, int64_t now) noexcept nogil
