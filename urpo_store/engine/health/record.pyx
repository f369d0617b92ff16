"""Records of health: services, sources, series; the contract is in health/record.pxd."""
from libc.stdint cimport INT64_MAX, INT64_MIN, uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
)
from urpo_store.engine.points.slots cimport TEMPORALITY_CUMULATIVE
from urpo_store.engine.health.slots cimport slot_free
from urpo_store.engine.health.sources cimport Meaning
from urpo_store.engine.health.types cimport (
    SECONDS, SOURCES, TENS, HealthSeries, HealthService, Source,
)


# ---- services ------------------------------------------------------------------------------------

cdef HealthService *health_service_new(Account *account, const uint8_t *name, uint32_t length,
                                       uint32_t id) noexcept nogil:
    cdef HealthService *service = <HealthService *>mem_calloc(account, sizeof(HealthService))
    if service == NULL:
        return NULL
    service.name = copy_text(account, name, length)
    if service.name == NULL or pthread_mutex_init(&service.lock, NULL) != 0:
        mem_free(account, service.name)
        mem_free(account, service)
        return NULL
    service.index_account = account
    service.account = account
    service.name_length = length
    service.id = id
    service.first_seen = INT64_MAX
    service.last_seen = INT64_MIN
    service.shed_until = INT64_MIN
    return service


cdef void health_service_free(HealthService *service) noexcept nogil:
    cdef Account *account = service.index_account
    cdef uint32_t i
    while service.series != NULL:
        health_series_free(service.series)
    for i in range(service.source_count):
        source_free(service, service.sources[i])
    pthread_mutex_destroy(&service.lock)
    mem_free(account, service.name)
    mem_free(account, service)


# ---- sources -------------------------------------------------------------------------------------

cdef Source *source_for(HealthService *service, const Meaning *meaning, const uint8_t *name,
                        uint32_t length) noexcept nogil:
    cdef Source *source
    cdef uint32_t i
    for i in range(service.source_count):
        source = service.sources[i]
        if (source.meaning.protocol == meaning.protocol and source.meaning.role == meaning.role
                and source.meaning.preference == meaning.preference
                and source.name_length == length and memcmp(source.name, name, length) == 0):
            return source
    if service.source_count == SOURCES:
        return NULL
    source = <Source *>mem_calloc(service.index_account, sizeof(Source))
    if source == NULL:
        return NULL
    source.name = copy_text(service.index_account, name, length)
    if source.name == NULL:
        mem_free(service.index_account, source)
        return NULL
    source.name_length = length
    source.meaning = meaning[0]
    source.latest = INT64_MIN
    source.before = INT64_MIN
    service.sources[service.source_count] = source
    service.source_count += 1
    return source


cdef void source_free(HealthService *service, Source *source) noexcept nogil:
    cdef Account *account = service.account
    cdef uint32_t i
    cdef int place
    for place in range(SECONDS):
        slot_free(account, source.seconds[place])
    for place in range(TENS):
        slot_free(account, source.tens[place])
    for i in range(source.first_count):
        slot_free(account, source.firsts[i])
    for i in range(source.scheme_count):
        mem_free(account, source.schemes[i].bounds)
    mem_free(service.index_account, source.name)
    mem_free(service.index_account, source)


cdef char *copy_text(Account *account, const uint8_t *text, uint32_t length) noexcept nogil:
    cdef char *copy = <char *>mem_alloc(account, length + 1)
    if copy != NULL:
        memcpy(copy, text, length)
        copy[length] = 0
    return copy


# ---- series --------------------------------------------------------------------------------------

cdef HealthSeries *health_series_new(HealthService *service, const Meaning *meaning,
                                     const uint8_t *name, uint32_t length, uint32_t kind,
                                     uint32_t temporality, bint collapsed) noexcept nogil:
    cdef HealthSeries *series = <HealthSeries *>mem_calloc(service.index_account,
                                                           sizeof(HealthSeries))
    if series == NULL:
        return NULL
    pthread_mutex_lock(&service.lock)
    series.source = source_for(service, meaning, name, length)
    if series.source != NULL:
        series.next = service.series
        if series.next != NULL:
            series.next.previous = series
        service.series = series
    pthread_mutex_unlock(&service.lock)
    if series.source == NULL:
        mem_free(service.index_account, series)
        return NULL
    series.service = service
    series.kind = kind
    series.cumulative = temporality == TEMPORALITY_CUMULATIVE
    series.is_error = meaning.is_error
    series.collapsed = collapsed
    series.multiplier = meaning.multiplier
    series.divisor = meaning.divisor
    series.scheme = -1
    return series


cdef void health_series_free(HealthSeries *series) noexcept nogil:
    cdef HealthService *service = series.service
    if series.cumulative and series.primed and series.time > series.source.forgotten:
        series.source.forgotten = series.time
    if series.previous != NULL:
        series.previous.next = series.next
    else:
        series.service.series = series.next
    if series.next != NULL:
        series.next.previous = series.previous
    mem_free(service.account, series.counts)
    mem_free(service.index_account, series)
