# The slots of a source: where increments rest, by the time at which they happened
# (health/types.pxd).
#
# All under HealthService.lock. A second that is pushed out by a newer one is folded into its ten
# seconds; ten seconds that are pushed out are gone.
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.health.exponential cimport Exponential
from urpo_store.engine.health.types cimport HealthSeries, HealthService, Slot, Source, Vector

# The slot of a point's time, made if there is none. NULL: older than the slots, or no memory.
cdef Slot *slot_at(HealthService *service, Source *source, int64_t time) noexcept nogil
# The slot of first points with this start and time, made if there is none. NULL: no memory.
cdef Slot *slot_first(HealthService *service, Source *source, int64_t time,
                      int64_t start) noexcept nogil
cdef void slot_free(Account *account, Slot *slot) noexcept nogil
# The index of a histogram point's scheme, made if there is none. -1: too many schemes, or no
# memory.
cdef int32_t scheme_for(HealthService *service, HealthSeries *series, bint exponential,
                        const double *bounds, uint32_t size) noexcept nogil
# Adds new - old (old NULL: new) in explicit buckets. Without memory the buckets are lost, not the
# count.
cdef void vector_add(HealthService *service, Slot *slot, uint32_t scheme, const uint64_t *new,
                     const uint64_t *old, uint32_t size, double maximum) noexcept nogil
# The same for exponential buckets, at the coarser of both scales.
cdef void vector_add_exponential(HealthService *service, Slot *slot, uint32_t scheme,
                                 const Exponential *added, double zero_threshold,
                                 double maximum) noexcept nogil

cdef inline uint64_t *vector_counts(const Vector *vector) noexcept nogil:
    return <uint64_t *>(vector + 1)
