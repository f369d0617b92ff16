"""Resources, scopes and metrics; the contract is in identity/records.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, strlen

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    load32_relaxed, pthread_mutex_lock, pthread_mutex_unlock, store32_relaxed, store32_release,
)
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.wire.attributes cimport wire_string_field
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.intern cimport (
    Entry, Key, KeyTable, key_of, table_find, table_get, table_hash, table_intern, table_put,
    table_release, table_retain,
)
from urpo_store.engine.identity.leaving cimport drop_metric, drop_resource, drop_scope
from urpo_store.engine.identity.pages cimport page_make, page_put
from urpo_store.engine.identity.sets cimport (
    Decoded, Set, find_span, intern_span, set_copy_pairs, set_decode, set_free, set_hash,
    set_intern, set_item, set_key, set_weight,
)
from urpo_store.engine.identity.types cimport (
    ALIASES, Metric, Resource, Scope, SeriesTable, metric_get, resource_get, scope_get,
)

cdef enum:
    ALIAS_ROOM = 24             # bytes of raw encoding for each attribute beside its key and value

cdef const char *UNKNOWN_SERVICE = b"unknown_service"


cdef size_t alias_limit(const Set *set) noexcept nogil:
    return set_weight(set) + ALIAS_ROOM * (set.count + 1)


cdef inline bint is_new(KeyTable *of, uint32_t id) noexcept nogil:
    """Whether table_intern, just called under the lock, made the id."""
    return table_get(of, id).refs == 1


# ---- by raw bytes --------------------------------------------------------------------------------

cdef uint32_t resource_find(SeriesTable *table, Span body) noexcept nogil:
    cdef Key key = key_of(body.p, body.n)
    return table_find(&table.resource_aliases, &key)


cdef uint32_t scope_find(SeriesTable *table, Span body, Span schema_url) noexcept nogil:
    cdef Key key = key_of(body.p, body.n)
    key.prefix[0] = find_span(&table.strings, schema_url)
    return table_find(&table.scope_aliases, &key) if key.prefix[0] else 0


cdef inline Key metric_key(
    uint32_t kind, uint32_t temporality, uint32_t monotonic, uint32_t unit, Span name
) noexcept nogil:
    cdef Key key = key_of(name.p, name.n)
    key.prefix[0] = kind | (monotonic << 8)
    key.prefix[1] = temporality
    key.prefix[2] = unit
    return key


cdef uint32_t metric_find(
    SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name,
    Span unit
) noexcept nogil:
    cdef uint32_t unit_id = find_span(&table.strings, unit)
    cdef Key key = metric_key(kind, temporality, monotonic, unit_id, name)
    return table_find(&table.metrics, &key) if unit_id else 0


cdef inline bint is_text(const Entry *entry, Span text) noexcept nogil:
    return entry.length == text.n and (text.n == 0 or memcmp(entry + 1, text.p, text.n) == 0)


cdef uint32_t metric_guess(
    SeriesTable *table, uint32_t previous, uint32_t kind, uint32_t temporality, uint32_t monotonic,
    Span name, Span unit
) noexcept nogil:
    cdef Metric *before = metric_get(table, previous) if previous else NULL
    cdef uint32_t next = load32_relaxed(&before.next) if before != NULL else 0
    cdef Metric *metric = metric_get(table, next) if next else NULL
    # `dropped` first, as the mark in series_expect: a call that entered after the dropping sees it,
    # and a call from before may still read the texts.
    if metric == NULL or load32_relaxed(&metric.dropped):
        return 0
    if metric.kind != kind or metric.temporality != temporality or metric.monotonic != monotonic:
        return 0
    return next if is_text(metric.key, name) and is_text(metric.unit_key, unit) else 0


cdef void metric_follows(SeriesTable *table, uint32_t previous, uint32_t metric) noexcept nogil:
    cdef Metric *before = metric_get(table, previous) if previous else NULL
    if before != NULL and load32_relaxed(&before.next) != metric:
        store32_relaxed(&before.next, metric)


# ---- resources -----------------------------------------------------------------------------------

cdef Span text_of(const Set *set, const char *key) noexcept nogil:
    """The text of an attribute whose value is text; n is 0 if there is none."""
    cdef const Decoded *item = set_item(set, key)
    cdef Span found
    found.p = NULL
    found.n = 0
    if item != NULL and item.value.p[0] == b's':
        found.p = item.value.p + 1
        found.n = item.value.n - 1
    return found


cdef uint32_t intern_service(SeriesTable *table, const Set *set) noexcept nogil:
    """The service as a canonical text value: "namespace/name", or the name alone."""
    cdef Span name = text_of(set, b"service.name")
    cdef Span space = text_of(set, b"service.namespace")
    cdef Span whole
    cdef uint8_t *bytes
    cdef uint32_t id
    if name.n == 0:
        name.p = <const uint8_t *>UNKNOWN_SERVICE
        name.n = strlen(UNKNOWN_SERVICE)
        space.n = 0
    bytes = <uint8_t *>mem_alloc(table.account, name.n + space.n + 2)
    if bytes == NULL:
        return 0
    bytes[0] = b's'
    whole.p = bytes
    whole.n = 1
    if space.n:
        memcpy(bytes + 1, space.p, space.n)
        bytes[1 + space.n] = b'/'
        whole.n = space.n + 2
    memcpy(bytes + whole.n, name.p, name.n)
    whole.n += name.n
    id = intern_span(&table.strings, whole)
    mem_free(table.account, bytes)
    return id


cdef Resource *make_resource(SeriesTable *table, Set *set, uint32_t id) noexcept nogil:
    """The record of a new id. Takes the set's references over; NULL: no memory, nothing changed."""
    cdef Resource *resource = <Resource *>mem_calloc(table.account, sizeof(Resource))
    if resource == NULL:
        return NULL
    resource.id = id
    resource.pair_count = <uint32_t>set.count
    resource.content = set_hash(set)
    resource.service = intern_service(table, set)
    if resource.service:
        resource.pairs = set_copy_pairs(set)
    if resource.pairs == NULL or page_make(table.account, table.resource_pages, id) != OK:
        if resource.service:
            table_release(&table.strings, resource.service)
        mem_free(table.account, resource.pairs)
        mem_free(table.account, resource)
        return NULL
    set.interned = False
    page_put(table.resource_pages, id, resource)
    return resource


cdef uint32_t resource_add(SeriesTable *table, Scan *scan, Span body) noexcept nogil:
    cdef Key alias = key_of(body.p, body.n)
    cdef uint32_t id
    cdef Set set
    pthread_mutex_lock(&table.lock)
    id = table_find(&table.resource_aliases, &alias)
    if id:
        table_retain(&table.resources, id)
    else:
        if (set_decode(&set, table.account, &table.strings, scan, body, 1) == OK
                and set_intern(&set) == OK):
            id = add_resource(table, &set, &alias)
        set_free(&set)
    pthread_mutex_unlock(&table.lock)
    return id


cdef uint32_t add_resource(SeriesTable *table, Set *set, const Key *alias) noexcept nogil:
    cdef Key key = set_key(set)
    cdef uint32_t id = table_intern(&table.resources, &key)
    cdef Resource *resource
    cdef Entry *entry
    if id == 0:
        return 0
    if is_new(&table.resources, id):
        resource = make_resource(table, set, id)
    else:
        resource = resource_get(table, id)
    if resource == NULL:
        table_release(&table.resources, id)
        return 0
    if resource.alias_count < ALIASES and alias.length <= alias_limit(set):
        # Without memory for an alias the next request takes this way again.
        entry = table_put(&table.resource_aliases, alias, id)
        if entry != NULL:
            resource.aliases[resource.alias_count] = entry
            resource.alias_count += 1
    return id


cdef void resource_release(SeriesTable *table, uint32_t id) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    drop_resource(table, id)
    pthread_mutex_unlock(&table.lock)


# ---- scopes --------------------------------------------------------------------------------------

# What identifies a scope beside its attributes, as string ids.
cdef struct ScopeIds:
    uint32_t name, version, schema_url


cdef uint64_t scope_content(
    SeriesTable *table, const ScopeIds *ids, uint64_t attributes
) noexcept nogil:
    cdef uint64_t parts[4]
    cdef Key key
    parts[0] = attributes
    parts[1] = table_get(&table.strings, ids.name).hash
    parts[2] = table_get(&table.strings, ids.version).hash
    parts[3] = table_get(&table.strings, ids.schema_url).hash
    key = key_of(<const uint8_t *>parts, sizeof(parts))
    return table_hash(&table.strings, &key)


cdef Scope *make_scope(
    SeriesTable *table, Set *set, const ScopeIds *ids, uint32_t id
) noexcept nogil:
    """The record of a new id. Takes the set's references over, and references of its own to `ids`.
    NULL: no memory, nothing changed."""
    cdef Scope *scope = <Scope *>mem_calloc(table.account, sizeof(Scope))
    if scope == NULL:
        return NULL
    scope.id = id
    scope.name = ids.name
    scope.version = ids.version
    scope.schema_url = ids.schema_url
    scope.pair_count = <uint32_t>set.count
    scope.content = scope_content(table, ids, set_hash(set))
    scope.pairs = set_copy_pairs(set)
    if scope.pairs == NULL or page_make(table.account, table.scope_pages, id) != OK:
        mem_free(table.account, scope.pairs)
        mem_free(table.account, scope)
        return NULL
    set.interned = False
    table_retain(&table.strings, ids.name)
    table_retain(&table.strings, ids.version)
    table_retain(&table.strings, ids.schema_url)
    page_put(table.scope_pages, id, scope)
    return scope


cdef uint32_t scope_add(
    SeriesTable *table, Scan *scan, Span body, Span schema_url
) noexcept nogil:
    cdef Key alias = key_of(body.p, body.n)
    cdef uint32_t id = 0
    pthread_mutex_lock(&table.lock)
    alias.prefix[0] = intern_span(&table.strings, schema_url)
    if alias.prefix[0]:
        id = table_find(&table.scope_aliases, &alias)
        if id:
            table_retain(&table.scopes, id)
        else:
            id = decode_scope(table, scan, body, &alias)
        table_release(&table.strings, alias.prefix[0])
    pthread_mutex_unlock(&table.lock)
    return id


cdef uint32_t decode_scope(
    SeriesTable *table, Scan *scan, Span body, const Key *alias
) noexcept nogil:
    cdef Span name = wire_string_field(body, 1)
    cdef Span version = wire_string_field(body, 2)
    cdef ScopeIds ids
    cdef Set set
    cdef uint32_t id = 0
    ids.name = intern_span(&table.strings, name)
    ids.version = intern_span(&table.strings, version)
    ids.schema_url = alias.prefix[0]
    if (set_decode(&set, table.account, &table.strings, scan, body, 3) == OK
            and ids.name and ids.version and set_intern(&set) == OK):
        id = add_scope(table, &set, &ids, alias, name.n + version.n)
    set_free(&set)
    if ids.name:
        table_release(&table.strings, ids.name)
    if ids.version:
        table_release(&table.strings, ids.version)
    return id


cdef uint32_t add_scope(
    SeriesTable *table, Set *set, const ScopeIds *ids, const Key *alias, size_t text_bytes
) noexcept nogil:
    """`text_bytes`: of its name and version, for which an alias has room too."""
    cdef Key key = set_key(set)
    cdef Scope *scope
    cdef Entry *entry
    cdef uint32_t id
    key.prefix[0] = ids.name
    key.prefix[1] = ids.version
    key.prefix[2] = ids.schema_url
    id = table_intern(&table.scopes, &key)
    if id == 0:
        return 0
    if is_new(&table.scopes, id):
        scope = make_scope(table, set, ids, id)
    else:
        scope = scope_get(table, id)
    if scope == NULL:
        table_release(&table.scopes, id)
        return 0
    if scope.alias_count < ALIASES and alias.length <= alias_limit(set) + text_bytes:
        entry = table_put(&table.scope_aliases, alias, id)
        if entry != NULL:
            scope.aliases[scope.alias_count] = entry
            scope.alias_count += 1
    return id


cdef void scope_release(SeriesTable *table, uint32_t id) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    drop_scope(table, id)
    pthread_mutex_unlock(&table.lock)


# ---- metrics -------------------------------------------------------------------------------------

cdef Metric *make_metric(
    SeriesTable *table, uint32_t id, uint32_t kind, uint32_t temporality, uint32_t monotonic,
    Span name, uint32_t unit
) noexcept nogil:
    """The record of a new id, without a description yet; NULL: no memory, nothing changed."""
    cdef Metric *metric = <Metric *>mem_calloc(table.account, sizeof(Metric))
    cdef Span empty
    if metric == NULL:
        return NULL
    empty.p = <const uint8_t *>b""
    empty.n = 0
    metric.id = id
    metric.kind = kind
    metric.temporality = temporality
    metric.monotonic = monotonic
    metric.unit = unit
    metric.key = table_get(&table.metrics, id)
    metric.unit_key = table_get(&table.strings, unit)
    metric.name = intern_span(&table.strings, name)
    metric.description = intern_span(&table.strings, empty)
    if (metric.name == 0 or metric.description == 0
            or page_make(table.account, table.metric_pages, id) != OK):
        if metric.name:
            table_release(&table.strings, metric.name)
        if metric.description:
            table_release(&table.strings, metric.description)
        mem_free(table.account, metric)
        return NULL
    table_retain(&table.strings, unit)
    page_put(table.metric_pages, id, metric)
    return metric


cdef void describe(SeriesTable *table, Metric *metric, Span description) noexcept nogil:
    """Keeps the description that came last. Without memory the old one stays."""
    cdef uint32_t text = intern_span(&table.strings, description)
    cdef uint32_t before = metric.description
    if text:
        # Release: a thread that reads the id finds its string.
        store32_release(&metric.description, text)
        table_release(&table.strings, before)


cdef uint32_t metric_add(
    SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name,
    Span unit, Span description
) noexcept nogil:
    cdef Metric *metric = NULL
    cdef Key key
    cdef uint32_t id = 0, unit_id
    pthread_mutex_lock(&table.lock)
    unit_id = intern_span(&table.strings, unit)
    if unit_id:
        key = metric_key(kind, temporality, monotonic, unit_id, name)
        id = table_intern(&table.metrics, &key)
    if id:
        if is_new(&table.metrics, id):
            metric = make_metric(table, id, kind, temporality, monotonic, name, unit_id)
        else:
            metric = metric_get(table, id)
    if metric != NULL:
        describe(table, metric, description)
    elif id:
        table_release(&table.metrics, id)
        id = 0
    if unit_id:
        table_release(&table.strings, unit_id)
    pthread_mutex_unlock(&table.lock)
    return id


cdef void metric_release(SeriesTable *table, uint32_t id) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    drop_metric(table, id)
    pthread_mutex_unlock(&table.lock)
