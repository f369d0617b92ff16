"""Where a point's series is looked up; the contract is in identity/series.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport strlen

from urpo_store.engine.memory.atomics cimport (
    __builtin_prefetch, load32_relaxed, load_ptr_acquire, pthread_mutex_lock, pthread_mutex_unlock,
    store32_relaxed,
)
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.collapse cimport collapse, has_room, source_hash
from urpo_store.engine.identity.creation cimport add_alias, create_series, find_canonical
from urpo_store.engine.identity.idle cimport evict_idle, second_now
from urpo_store.engine.identity.intern cimport (
    Entry, Key, key_of, table_find, table_find_many, table_get,
)
from urpo_store.engine.identity.pages cimport ID_LIMIT
from urpo_store.engine.identity.sets cimport Pair, Set, same_span, set_decode, set_free
from urpo_store.engine.identity.types cimport (
    SERIES_EVICTED, SERIES_OVERFLOW, Resource, Scope, prefetch_record, resource_get, scope_get,
    series_get,
)

cdef enum:
    # How many series ahead records, and aliases, are fetched when series come in the order of their
    # ids: a miss takes longer than one point does.
    FAR = 8
    NEAR = 4


# ---- level 1: the series that came next last time ------------------------------------------------

cdef Series *series_expect(
    SeriesTable *table, const Series *before, Span *attributes
) noexcept nogil:
    cdef uint32_t next = load32_relaxed(&before.next)
    cdef Series *series = series_get(table, next) if next else NULL
    cdef Entry *entry = NULL
    # The mark first: a hint may be old, and the aliases of an evicted series are gone. A call that
    # entered after the eviction sees the mark, and a call from before may still read the alias.
    if series != NULL and load32_relaxed(&series.flags) & SERIES_EVICTED == 0:
        # Acquire: the alias is seen complete.
        entry = <Entry *>load_ptr_acquire(<void **>&series.aliases[0])
    if entry == NULL:
        attributes.p = NULL
        attributes.n = 0
        return NULL
    # The key's bytes follow the entry; read here without a call to another module.
    attributes.p = <const uint8_t *>(entry + 1)
    attributes.n = entry.length
    look_ahead(table, series)
    return series


cdef uint32_t series_guess(
    SeriesTable *table, uint32_t previous, uint32_t resource, uint32_t scope, uint32_t metric,
    Span attributes
) noexcept nogil:
    cdef Series *before = series_get(table, previous) if previous else NULL
    cdef Series *guess
    cdef Span expected
    if before == NULL:
        return 0
    guess = series_expect(table, before, &expected)
    if (guess == NULL or guess.metric != metric or guess.resource != resource
            or guess.scope != scope):
        return 0
    return guess.id if same_span(expected, attributes) else 0


cdef inline void fetch_alias(const Series *series) noexcept nogil:
    # A prefetch reads nothing: an alias that is gone meanwhile does no harm.
    cdef const char *alias = <const char *>load_ptr_acquire(<void **>&series.aliases[0])
    __builtin_prefetch(alias)
    __builtin_prefetch(alias + 64)


cdef inline void look_ahead(SeriesTable *table, const Series *series) noexcept nogil:
    """Fetches what the next guesses will read: records, then the aliases that these point to.

    From a record to the next one it is one cache miss after another. But series mostly come in the
    order in which they were created, and then their ids say which record is wanted far ahead.
    """
    cdef uint32_t next = load32_relaxed(&series.next)
    cdef Series *ahead
    if next == series.id + 1 and next < ID_LIMIT - FAR:
        prefetch_record(table, next + FAR)
        ahead = series_get(table, next + NEAR)
        if ahead != NULL:
            fetch_alias(ahead)
        return
    ahead = series_get(table, next) if next else NULL
    if ahead != NULL:
        fetch_alias(ahead)
        prefetch_record(table, load32_relaxed(&ahead.next))


cdef void series_follows(SeriesTable *table, uint32_t previous, uint32_t series) noexcept nogil:
    cdef Series *before = series_get(table, previous) if previous else NULL
    # Written only when it changes, so that threads that send the same do not pass the line around.
    if before != NULL and load32_relaxed(&before.next) != series:
        store32_relaxed(&before.next, series)


# ---- level 2: the table of raw bytes -------------------------------------------------------------

cdef uint32_t series_find(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes
) noexcept nogil:
    cdef Key key = raw_key(resource, scope, metric, attributes)
    return table_find(&table.aliases, &key)


cdef void series_find_many(
    SeriesTable *table, const Key *keys, uint32_t count, uint32_t *found
) noexcept nogil:
    cdef uint32_t i
    table_find_many(&table.aliases, keys, count, found)
    # What the caller does with each of them begins with the record.
    for i in range(count):
        prefetch_record(table, found[i])


# ---- level 3: found or created, under the lock ---------------------------------------------------

cdef uint32_t series_add(
    SeriesTable *table, Scan *scan, uint32_t resource, uint32_t scope, uint32_t metric,
    Span attributes, uint64_t *source
) noexcept nogil:
    cdef Key alias = raw_key(resource, scope, metric, attributes)
    cdef Set set
    cdef uint32_t id
    if set_decode(&set, table.account, &table.strings, scan, attributes, 0) != OK:
        set_free(&set)
        return 0
    pthread_mutex_lock(&table.lock)
    id = table_find(&table.aliases, &alias)
    if id == 0:
        id = find_canonical(table, resource, scope, metric, &set)
        if id == 0:
            id = add_new(table, resource, scope, metric, &set, &alias, source)
        elif not series_get(table, id).flags & SERIES_OVERFLOW:
            add_alias(table, id, &alias, &set)
    if id:
        # Under the lock, so that it is not evicted before its point is there.
        store32_relaxed(&series_get(table, id).seen, second_now())
    pthread_mutex_unlock(&table.lock)
    set_free(&set)
    return id


cdef uint32_t add_new(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Set *set,
    const Key *alias, uint64_t *source
) noexcept nogil:
    """A series for a set that has none: a new one, or the one that it collapses into."""
    cdef uint32_t second
    if not has_room(table):
        second = second_now()
        if second != table.last_eviction:
            table.last_eviction = second
            evict_idle(table, second, table.series_limit)
    if has_room(table):
        return create_series(table, resource, scope, metric, set, alias, 0)
    source[0] = source_hash(table, resource, scope, metric, set)
    return collapse(table, resource, scope, metric, set)


# ---- attributes ----------------------------------------------------------------------------------

cdef inline uint32_t in_pairs(const Pair *pairs, uint32_t count, uint32_t key) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        if pairs[i].key == key:
            return pairs[i].value
    return 0


cdef uint32_t series_attribute(
    SeriesTable *table, const Series *series, uint32_t key
) noexcept nogil:
    cdef Scope *scope
    cdef Resource *resource
    cdef uint32_t value = in_pairs(series.pairs, series.pair_count, key)
    if value == 0:
        scope = scope_get(table, series.scope)
        value = in_pairs(scope.pairs, scope.pair_count, key)
    if value == 0:
        resource = resource_get(table, series.resource)
        value = in_pairs(resource.pairs, resource.pair_count, key)
    return value


cdef const Entry *series_attribute_named(
    SeriesTable *table, const Series *series, const char *key
) noexcept nogil:
    cdef Key name = key_of(<const uint8_t *>key, strlen(key))
    cdef uint32_t id = table_find(&table.strings, &name)
    cdef uint32_t value = series_attribute(table, series, id) if id else 0
    return table_get(&table.strings, value) if value else NULL
