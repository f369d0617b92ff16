# The health record of one service: making and freeing it, its sources and its series. The structs,
# and what holds for all of them, are in health/types.pxd; how points are filed in it,
# health/filing.pxd.
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.health.sources cimport Meaning
from urpo_store.engine.health.types cimport HealthSeries, HealthService

# NULL: no memory. The name is copied.
cdef HealthService *health_service_new(Account *account, const uint8_t *name, uint32_t length,
                                       uint32_t id) noexcept nogil
# Frees the series that are still bound too.
cdef void health_service_free(HealthService *service) noexcept nogil
# A series of `service` with this meaning; `name` is its metric's. NULL: no memory, or too many
# sources. Takes the service's lock.
cdef HealthSeries *health_series_new(HealthService *service, const Meaning *meaning,
                                     const uint8_t *name, uint32_t length, uint32_t kind,
                                     uint32_t temporality, bint collapsed) noexcept nogil
# What the series has counted stays; see "First points". Under the service's lock.
cdef void health_series_free(HealthSeries *series) noexcept nogil
