"""Resources, scopes and metrics; the contract is in identity/records.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, strlen

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    load32_relaxed, pthread_mutex_lock, pthread_mutex_unlock, store32_relaxed, store32_release,
    store_ptr_release,
)
from urpo_store.engine.memory.epoch cimport epoch_retire, release_fn
from urpo_store.engine.wire.attributes cimport wire_string_field
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.intern cimport (
    Entry, Key, Table, key_of, table_find, table_get, table_hash, table_intern, table_put,
    table_release, table_remove, table_retain,
)
from urpo_store.engine.identity.overflow cimport sources_free
from urpo_store.engine.identity.sets cimport (
    Decoded, Pair, Set, set_copy_pairs, set_decode, set_free, set_hash, set_intern, set_item,
    set_key,
)
from urpo_store.engine.identity.types cimport (
    ALIASES, PAGE, Metric, Resource, Scope, SeriesTable, metric_get, record, resource_get,
    scope_get,
)

cdef const char *UNKNOWN_SERVICE = b"unknown_service"


# ---- keys -------------------------------------------------------------------------------------------

cdef inline Key metric_key(uint32_t kind, uint32_t temporality, uint32_t monotonic, uint32_t unit, Span name) noexcept nogil:
    cdef Key key = key_of(name.p, name.n)
    key.prefix[0] = kind | (monotonic << 8)
    key.prefix[1] = temporality
    key.prefix[2] = unit
    return key


# ---- by raw bytes -----------------------------------------------------------------------------------

cdef uint32_t resource_find(SeriesTable *table, Span body) noexcept nogil:
    cdef Key key = key_of(body.p, body.n)
    return table_find(&table.resource_aliases, &key)


cdef uint32_t scope_find(SeriesTable *table, Span body, Span schema_url) noexcept nogil:
    cdef Key key = key_of(body.p, body.n)
    key.prefix[0] = find_span(table, schema_url)
    return table_find(&table.scope_aliases, &key) if key.prefix[0] else 0


cdef uint32_t metric_find(SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, Span unit) noexcept nogil:
    cdef uint32_t unit_id = find_span(table, unit)
    cdef Key key = metric_key(kind, temporality, monotonic, unit_id, name)
    return table_find(&table.metrics, &key) if unit_id else 0


cdef inline bint is_text(const Entry *entry, Span text) noexcept nogil:
    return entry.length == text.n and (text.n == 0 or memcmp(entry + 1, text.p, text.n) == 0)


cdef uint32_t metric_guess(SeriesTable *table, uint32_t previous, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, Span unit) noexcept nogil:
    cdef Metric *before = metric_get(table, previous) if previous else NULL
    cdef uint32_t next = load32_relaxed(&before.next) if before != NULL else 0
    cdef Metric *metric = metric_get(table, next) if next else NULL
    # First of all, as in series_expect: who entered after it was dropped sees the mark, and those from
    # before may still read its texts.
    if metric == NULL or load32_relaxed(&metric.dropped):
        return 0
    if metric.kind != kind or metric.temporality != temporality or metric.monotonic != monotonic:
        return 0
    return next if is_text(metric.key, name) and is_text(metric.unit_key, unit) else 0


cdef void metric_follows(SeriesTable *table, uint32_t previous, uint32_t metric) noexcept nogil:
    cdef Metric *before = metric_get(table, previous) if previous else NULL
    if before != NULL and load32_relaxed(&before.next) != metric:
        store32_relaxed(&before.next, metric)


# ---- life -------------------------------------------------------------------------------------------

cdef int put_record(SeriesTable *table, void **pages, uint32_t id, void *item) noexcept nogil:
    cdef void **page = <void **>pages[id // PAGE]
    if page == NULL:
        page = <void **>mem_calloc(table.account, PAGE * sizeof(void *))
        if page == NULL:
            return -1
        store_ptr_release(&pages[id // PAGE], page)
    store_ptr_release(&page[id % PAGE], item)
    return 0


cdef void release_pairs(SeriesTable *table, Pair *pairs, uint32_t count) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        table_release(&table.strings, pairs[i].key)
        table_release(&table.strings, pairs[i].value)


# Records leave in two steps, see (5) in identity/series.pxd. First: no call from before is under way.
cdef void leave_page(SeriesTable *table, void **pages, uint32_t id, void *item, release_fn free) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    # Another record may have the id by now.
    if record(pages, id) == item:
        store_ptr_release(&(<void **>pages[id // PAGE])[id % PAGE], NULL)
    pthread_mutex_unlock(&table.lock)
    # Without memory to remember it the record is lost to us, and still counted.
    epoch_retire(table.epochs, free, table, item, False)


cdef void leave_resource(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    leave_page(table, table.resource_pages, (<Resource *>item).id, item, free_resource)


cdef void leave_scope(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    leave_page(table, table.scope_pages, (<Scope *>item).id, item, free_scope)


cdef void leave_metric(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    leave_page(table, table.metric_pages, (<Metric *>item).id, item, free_metric)


# Second: nobody can hold the record.
cdef void free_resource(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    mem_free(table.account, (<Resource *>item).pairs)
    mem_free(table.account, item)


cdef void free_scope(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    mem_free(table.account, (<Scope *>item).pairs)
    mem_free(table.account, item)


cdef void free_metric(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Metric *metric = <Metric *>item
    sources_free(table, metric)
    mem_free(table.account, metric.fattest)
    mem_free(table.account, metric.series)
    mem_free(table.account, metric)


# The last reference of a record is dropped under SeriesTable.lock, so that nobody can take one meanwhile.
cdef bint is_last(Table *of, uint32_t id) noexcept nogil:
    return table_get(of, id).refs == 1


cdef void drop_resource(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef Resource *resource = resource_get(table, id)
    cdef uint32_t i
    if is_last(&table.resources, id):
        # First: who is inside and sees 0 here is waited for before its strings go.
        store32_relaxed(&resource.dropped, 1)
        if table.on_leave != NULL:
            table.on_leave(table.context, table, resource)
        for i in range(resource.alias_count):
            table_remove(&table.resource_aliases, resource.aliases[i])
        release_pairs(table, resource.pairs, resource.pair_count)
        table_release(&table.strings, resource.service)
        epoch_retire(table.epochs, leave_resource, table, resource, False)
    table_release(&table.resources, id)


cdef void drop_scope(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef Scope *scope = scope_get(table, id)
    cdef uint32_t i
    if is_last(&table.scopes, id):
        for i in range(scope.alias_count):
            table_remove(&table.scope_aliases, scope.aliases[i])
        release_pairs(table, scope.pairs, scope.pair_count)
        table_release(&table.strings, scope.name)
        table_release(&table.strings, scope.version)
        table_release(&table.strings, scope.schema_url)
        epoch_retire(table.epochs, leave_scope, table, scope, False)
    table_release(&table.scopes, id)


cdef void drop_metric(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef Metric *metric = metric_get(table, id)
    if is_last(&table.metrics, id):
        store32_relaxed(&metric.dropped, 1)
        table_release(&table.strings, metric.name)
        table_release(&table.strings, metric.unit)
        table_release(&table.strings, metric.description)
        epoch_retire(table.epochs, leave_metric, table, metric, False)
    table_release(&table.metrics, id)


cdef void resource_release(SeriesTable *table, uint32_t id) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    drop_resource(table, id)
    pthread_mutex_unlock(&table.lock)


cdef void scope_release(SeriesTable *table, uint32_t id) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    drop_scope(table, id)
    pthread_mutex_unlock(&table.lock)


cdef void metric_release(SeriesTable *table, uint32_t id) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    drop_metric(table, id)
    pthread_mutex_unlock(&table.lock)


# ---- resources --------------------------------------------------------------------------------------

cdef Span text_of(const Set *set, const char *key) noexcept nogil:
    """The text of an attribute whose value is text; n 0 if it has none."""
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
    id = intern_span(table, whole)
    mem_free(table.account, bytes)
    return id


cdef Resource *make_resource(SeriesTable *table, Set *set, Pair *pairs, uint32_t id) noexcept nogil:
    """The record of a resource that has just been given its id; takes the set's references over."""
    cdef Resource *resource = <Resource *>mem_calloc(table.account, sizeof(Resource))
    if resource == NULL:
        return NULL
    resource.service = intern_service(table, set)
    if resource.service == 0:
        mem_free(table.account, resource)
        return NULL
    resource.id = id
    resource.pairs = pairs
    resource.pair_count = <uint32_t>set.count
    resource.content = set_hash(set)
    if put_record(table, table.resource_pages, id, resource) != 0:
        table_release(&table.strings, resource.service)
        mem_free(table.account, resource)
        return NULL
    set.interned = False
    return resource


cdef uint32_t resource_add(SeriesTable *table, Scan *scan, Span body) noexcept nogil:
    cdef Key alias = key_of(body.p, body.n)
    cdef uint32_t id
    pthread_mutex_lock(&table.lock)
    id = table_find(&table.resource_aliases, &alias)
    if id:
        table_retain(&table.resources, id)
    else:
        id = add_resource(table, scan, body, &alias)
    pthread_mutex_unlock(&table.lock)
    return id


cdef uint32_t add_resource(SeriesTable *table, Scan *scan, Span body, const Key *alias) noexcept nogil:
    cdef Set set
    cdef Key key
    cdef Pair *pairs
    cdef Resource *resource = NULL
    cdef Entry *entry
    cdef uint32_t id = 0
    if set_decode(&set, table.account, &table.strings, scan, body, 1) != 0 or set_intern(&set) != 0:
        set_free(&set)
        return 0
    pairs = set_copy_pairs(&set)
    if pairs != NULL:
        key = set_key(&set)
        id = table_intern(&table.resources, &key)
    if id:
        resource = resource_get(table, id)
        if resource == NULL or table_get(&table.resources, id).refs == 1:
            resource = make_resource(table, &set, pairs, id)
            pairs = NULL if resource != NULL else pairs
    if id and resource == NULL:
        table_release(&table.resources, id)
        id = 0
    mem_free(table.account, pairs)
    if id and resource.alias_count < ALIASES and alias.length <= alias_limit(&set):
        # Without memory for an alias the next request takes this way again.
        entry = table_put(&table.resource_aliases, alias, id)
        if entry != NULL:
            resource.aliases[resource.alias_count] = entry
            resource.alias_count += 1
    set_free(&set)
    return id


# ---- scopes -----------------------------------------------------------------------------------------

cdef uint64_t scope_content(SeriesTable *table, const Scope *scope, uint64_t attributes) noexcept nogil:
    cdef uint64_t parts[4]
    cdef Key key = key_of(<const uint8_t *>parts, sizeof(parts))
    parts[0] = attributes
    parts[1] = table_get(&table.strings, scope.name).hash
    parts[2] = table_get(&table.strings, scope.version).hash
    parts[3] = table_get(&table.strings, scope.schema_url).hash
    return table_hash(&table.strings, &key)


cdef uint32_t scope_add(SeriesTable *table, Scan *scan, Span body, Span schema_url) noexcept nogil:
    cdef Key alias = key_of(body.p, body.n)
    cdef uint32_t id = 0
    pthread_mutex_lock(&table.lock)
    alias.prefix[0] = intern_span(table, schema_url)
    if alias.prefix[0]:
        id = table_find(&table.scope_aliases, &alias)
        if id:
            table_retain(&table.scopes, id)
        else:
            id = add_scope(table, scan, body, &alias)
        table_release(&table.strings, alias.prefix[0])
    pthread_mutex_unlock(&table.lock)
    return id


cdef uint32_t add_scope(SeriesTable *table, Scan *scan, Span body, const Key *alias) noexcept nogil:
    cdef Set set
    cdef Key key
    cdef Pair *pairs = NULL
    cdef Scope *scope = NULL
    cdef Entry *entry
    cdef uint32_t id = 0
    cdef Span name_span = wire_string_field(body, 1)
    cdef Span version_span = wire_string_field(body, 2)
    cdef uint32_t name = intern_span(table, name_span)
    cdef uint32_t version = intern_span(table, version_span)
    cdef bint taken = False
    if (set_decode(&set, table.account, &table.strings, scan, body, 3) == 0 and name and version
            and set_intern(&set) == 0):
        pairs = set_copy_pairs(&set)
    if pairs != NULL:
        key = set_key(&set)
        key.prefix[0] = name
        key.prefix[1] = version
        key.prefix[2] = alias.prefix[0]
        id = table_intern(&table.scopes, &key)
    if id:
        scope = scope_get(table, id)
        if scope == NULL or table_get(&table.scopes, id).refs == 1:
            scope = <Scope *>mem_calloc(table.account, sizeof(Scope))
            if scope != NULL and put_record(table, table.scope_pages, id, scope) != 0:
                mem_free(table.account, scope)
                scope = NULL
            if scope != NULL:
                scope.id = id
                scope.name = name
                scope.version = version
                scope.schema_url = alias.prefix[0]
                table_retain(&table.strings, scope.schema_url)
                scope.pairs = pairs
                scope.pair_count = <uint32_t>set.count
                scope.content = scope_content(table, scope, set_hash(&set))
                set.interned = False
                pairs = NULL
                taken = True
        if scope == NULL:
            table_release(&table.scopes, id)
            id = 0
    if not taken:
        if name:
            table_release(&table.strings, name)
        if version:
            table_release(&table.strings, version)
    mem_free(table.account, pairs)
    if id and scope.alias_count < ALIASES and alias.length <= alias_limit(&set) + name_span.n + version_span.n:
        entry = table_put(&table.scope_aliases, alias, id)
        if entry != NULL:
            scope.aliases[scope.alias_count] = entry
            scope.alias_count += 1
    set_free(&set)
    return id


# ---- metrics ----------------------------------------------------------------------------------------

cdef uint32_t metric_add(SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, Span unit, Span description) noexcept nogil:
    cdef Metric *metric = NULL
    cdef Key key
    cdef uint32_t id = 0, unit_id, text, before
    pthread_mutex_lock(&table.lock)
    unit_id = intern_span(table, unit)
    if unit_id:
        key = metric_key(kind, temporality, monotonic, unit_id, name)
        id = table_intern(&table.metrics, &key)
    if id:
        metric = metric_get(table, id)
        if metric == NULL or table_get(&table.metrics, id).refs == 1:
            metric = make_metric(table, id, kind, temporality, monotonic, name, unit_id)
    if id and metric == NULL:
        table_release(&table.metrics, id)
        id = 0
    if unit_id:
        table_release(&table.strings, unit_id)
    if id:
        # The description does not identify; the last one that came with something new is kept.
        text = intern_span(table, description)
        if text:
            # Release: who reads the id finds its string.
            before = metric.description
            store32_release(&metric.description, text)
            table_release(&table.strings, before)
    pthread_mutex_unlock(&table.lock)
    return id


cdef Metric *make_metric(SeriesTable *table, uint32_t id, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, uint32_t unit) noexcept nogil:
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
    metric.name = intern_span(table, name)
    metric.description = intern_span(table, empty)
    if metric.name == 0 or metric.description == 0 or put_record(table, table.metric_pages, id, metric) != 0:
        if metric.name:
            table_release(&table.strings, metric.name)
        if metric.description:
            table_release(&table.strings, metric.description)
        mem_free(table.account, metric)
        return NULL
    table_retain(&table.strings, unit)
    return metric
