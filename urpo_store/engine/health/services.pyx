"""All services of a store, and how its series are bound to them; the contract is in
health/services.pxd.

Services are found in an open hash table of pointers, by string id. Before it is full, a larger one
is filled and published, and the old one is retired; so is a service that is removed. Look-ups are
inside an epoch.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    load_ptr_acquire, load_relaxed, pthread_mutex_lock, pthread_mutex_unlock, store_ptr_release,
)
from urpo_store.engine.memory.epoch cimport epoch_retire, mem_retire
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.identity.intern cimport (
    Entry, Key, entry_bytes, key_of, table_get, table_intern, table_release,
)
from urpo_store.engine.identity.series cimport series_attribute_named
from urpo_store.engine.identity.types cimport (
    SERIES_OVERFLOW, Metric, Resource, Series, SeriesTable, metric_get, resource_get,
)
from urpo_store.engine.health.filing cimport health_file
from urpo_store.engine.health.record cimport (
    health_series_free, health_series_new, health_service_free, health_service_new,
)
from urpo_store.engine.health.report cimport record_report
from urpo_store.engine.health.sources cimport Described, Meaning, health_meaning
from urpo_store.engine.health.types cimport HealthSeries, HealthService

cdef enum:
    FIRST_PLACES = 64

# Written under SeriesTable.lock. A service that is removed leaves a mark in its place, because
# others may stand behind it.
cdef struct Services:           # followed by mask + 1 pointers
    uint64_t mask
    uint64_t used               # places that are not empty
    uint64_t alive              # of these, places of services


cdef inline void *removed() noexcept nogil:
    return <void *>1


cdef inline void **places(Services *services) noexcept nogil:
    return <void **>(services + 1)


cdef Services *services_new(Account *account, uint64_t size) noexcept nogil:
    cdef Services *services = <Services *>mem_calloc(account,
                                                     sizeof(Services) + size * sizeof(void *))
    if services != NULL:
        services.mask = size - 1
    return services


cdef void **place_of(Services *services, uint32_t service, HealthService **found) noexcept nogil:
    """The place of a service, or the empty one where it would stand; *found is what stood there.

    Without SeriesTable.lock the place must not be read again: another service may stand there by
    then.
    """
    # Ids are small and consecutive; the multiplication spreads them.
    cdef uint64_t i = <uint64_t>service * 0x9E3779B97F4A7C15u >> 32
    while True:
        # Acquire pairs with the release in service_of: a service that is seen is complete.
        found[0] = <HealthService *>load_ptr_acquire(&places(services)[i & services.mask])
        if found[0] == NULL or (found[0] != removed() and found[0].id == service):
            return &places(services)[i & services.mask]
        i += 1


cdef int health_init(Health *health, Account *account, Account *whole, uint64_t most,
                     SeriesTable *table) noexcept nogil:
    health.account = account
    account_init(&health.slots, whole)
    health.most = most
    health.table = table
    health.services = services_new(account, FIRST_PLACES)
    return OK if health.services != NULL else NO_MEMORY


cdef void health_destroy(Health *health) noexcept nogil:
    cdef Services *services = <Services *>health.services
    cdef uint64_t i
    for i in range(services.mask + 1):
        if places(services)[i] > removed():
            health_service_free(<HealthService *>places(services)[i])
    mem_free(health.account, services)
    health.services = NULL


cdef HealthService *find_service(Health *health, uint32_t service) noexcept nogil:
    """The record of a service. NULL: not known. Inside an epoch."""
    cdef HealthService *found
    if service == 0:
        return NULL
    # Acquire pairs with the release in grow_services: the new table is seen with all that is in it.
    place_of(<Services *>load_ptr_acquire(&health.services), service, &found)
    return found


cdef void free_service(void *context, void *item) noexcept nogil:
    health_service_free(<HealthService *>item)


cdef int grow_services(Health *health) noexcept nogil:
    """Makes room for one more. OK or NO_MEMORY."""
    cdef Services *services = <Services *>health.services
    cdef Services *larger
    cdef HealthService *service
    cdef HealthService *found
    cdef uint64_t size = services.mask + 1
    cdef uint64_t i
    if 4 * (services.used + 1) <= 3 * size:
        return OK
    # If most of the used places are marks, the same size will do.
    larger = services_new(health.account, 2 * size if 2 * services.alive >= size else size)
    if larger == NULL:
        return NO_MEMORY
    for i in range(size):
        service = <HealthService *>places(services)[i]
        if service > removed():
            place_of(larger, service.id, &found)[0] = service
    larger.used = larger.alive = services.alive
    # Before it is retired: calls that enter after that must not find the old one.
    store_ptr_release(&health.services, larger)
    mem_retire(health.table.epochs, health.account, services)
    return OK


cdef HealthService *service_of(Health *health, uint32_t service) noexcept nogil:
    """The record of a service, made if there is none. NULL: no memory. Under SeriesTable.lock."""
    cdef HealthService *made = find_service(health, service)
    cdef HealthService *found
    cdef Services *services
    cdef Entry *entry
    cdef Key key
    if made != NULL or service == 0:
        return made
    if grow_services(health) != OK:
        return NULL
    services = <Services *>health.services
    entry = table_get(&health.table.strings, service)
    made = health_service_new(health.account, entry_bytes(entry), entry.length, service)
    if made == NULL:
        return NULL
    made.account = &health.slots
    made.most = health.most
    key = key_of(entry_bytes(entry), entry.length)
    if table_intern(&health.table.strings, &key) == 0:
        health_service_free(made)
        return NULL
    services.used += 1
    services.alive += 1
    store_ptr_release(place_of(services, service, &found), made)
    return made


# What health_meaning asks about a series.
cdef struct Asked:
    SeriesTable *table
    const Series *series


cdef const uint8_t *attribute_of(void *context, const char *key, uint32_t *length) noexcept nogil:
    cdef Asked *asked = <Asked *>context
    cdef const Entry *entry = series_attribute_named(asked.table, asked.series, key)
    if entry == NULL:
        return NULL
    length[0] = entry.length
    return entry_bytes(entry)


cdef void health_bind(Health *health, Series *series) noexcept nogil:
    cdef Resource *resource = resource_get(health.table, series.resource)
    cdef Metric *metric = metric_get(health.table, series.metric)
    cdef HealthService *service = <HealthService *>resource.health
    cdef Entry *name = table_get(&health.table.strings, metric.name)
    cdef Entry *unit = table_get(&health.table.strings, metric.unit)
    cdef Described described
    cdef Asked asked
    cdef Meaning meaning
    if service == NULL:
        service = service_of(health, resource.service)
        if service == NULL:
            return
        # Release: an earlier series of the resource, for which there was no memory, may be read
        # now.
        store_ptr_release(&resource.health, service)
        service.resources += 1
    if name == NULL:
        return
    asked.table = health.table
    asked.series = series
    described.name = entry_bytes(name)
    described.name_length = name.length
    described.unit = entry_bytes(unit) if unit != NULL else NULL
    described.unit_length = unit.length if unit != NULL else 0
    described.kind = metric.kind
    described.monotonic = metric.monotonic
    described.attribute = attribute_of
    described.context = &asked
    if health_meaning(&described, &meaning):
        series.health = health_series_new(
            service, &meaning, entry_bytes(name), name.length, metric.kind, metric.temporality,
            series.flags & SERIES_OVERFLOW != 0)


cdef void health_unbind(Health *health, Series *series) noexcept nogil:
    cdef HealthService *service = <HealthService *>resource_get(health.table,
                                                                series.resource).health
    cdef HealthSeries *bound
    if service == NULL:
        return
    # A request that still holds the series reads Series.health under this lock (3).
    pthread_mutex_lock(&service.lock)
    bound = <HealthSeries *>series.health
    store_ptr_release(&series.health, NULL)     # atomic: producers look at it without the lock
    if bound != NULL:
        health_series_free(bound)
    pthread_mutex_unlock(&service.lock)


cdef void health_leave(Health *health, Resource *resource) noexcept nogil:
    cdef HealthService *service = <HealthService *>resource.health
    cdef HealthService *found
    cdef Services *services = <Services *>health.services
    if service == NULL:
        return
    service.resources -= 1
    # A service without resources is remembered, but names that come and go must not fill the index.
    if service.resources or 4 * load_relaxed(&health.account.bytes) <= health.table.memory_limit:
        return
    # Calls under way may still have found it, or hold its resource.
    store_ptr_release(place_of(services, service.id, &found), removed())
    services.alive -= 1
    table_release(&health.table.strings, service.id)
    # If there is no memory to note it in limbo, the record is lost and stays counted.
    epoch_retire(health.table.epochs, free_service, NULL, service, False)


cdef void health_lock(HealthService *service) noexcept nogil:
    pthread_mutex_lock(&service.lock)


cdef void health_unlock(HealthService *service) noexcept nogil:
    pthread_mutex_unlock(&service.lock)


cdef void health_observe(HealthService *service, Series *series, const Point *point, int64_t start,
                         const uint64_t *payload, int64_t now) noexcept nogil:
    health_file(service, <HealthSeries *>series.health, point, start, payload, now)


cdef object health_report(Health *health, uint32_t service, int64_t window, int64_t at,
                          int64_t now):
    cdef HealthService *record = find_service(health, service)
    if record == NULL:
        return False, None
    fields = record_report(record, window, at, now)
    return True, None if fields is None else fields[1:]
