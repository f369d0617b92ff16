"""Series identity; the contract and its invariants are in series.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memset, strlen

from urpo_store.engine.alloc cimport Account, mem_alloc, mem_calloc, mem_free, mem_grow
from urpo_store.engine.atomics cimport (
    add_relaxed, load32_relaxed, load_ptr_acquire, load_relaxed, monotonic_ns, pthread_mutex_destroy,
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, random_bytes, store32_relaxed,
    store32_release, store_ptr_release,
)
from urpo_store.engine.attribute_values cimport wire_string_field
from urpo_store.engine.attribute_set cimport (
    Decoded, Pair, Set, same_span, set_copy_pairs, set_decode, set_find, set_free, set_hash, set_intern,
    set_item, set_key, set_weight,
)
from urpo_store.engine.chunks cimport ChunkStore, DATA_ADD, series_data_clear, series_data_init
from urpo_store.engine.epoch cimport Epochs, epoch_retire, release_fn
from urpo_store.engine.intern cimport (
    Entry, Key, Table, key_of, table_destroy, table_find, table_get, table_hash,
    table_init, table_intern, table_put, table_release, table_release_behind_drain, table_remove,
    table_retain,
)
from urpo_store.engine.overflow cimport sources_free, total_free
from urpo_store.engine.points cimport TEMPORALITY_DELTA
from urpo_store.engine.wire_types cimport Scan, Span

cdef enum:
    PAGE = 4096
    PAGES = 4096                # INTERN_IDS over PAGE
    # Sets collapsed before the distinct values of a metric's keys are counted anew.
    RECOUNT = 65536
    SAMPLE = 4096               # series of a metric that are looked at to count its keys' values

cdef extern from *:
    void __builtin_prefetch(const void *p) noexcept nogil

cdef const char *OVERFLOW_TEXT = b"surpo.overflow"      # canonical: s and the text
cdef const char *UNKNOWN_SERVICE = b"unknown_service"


# ---- records by id ----------------------------------------------------------------------------------

cdef inline void *record(void **pages, uint32_t id) noexcept nogil:
    cdef void **page = <void **>load_ptr_acquire(&pages[id // PAGE])
    return load_ptr_acquire(&page[id % PAGE]) if page != NULL else NULL


cdef int put_record(SeriesTable *table, void **pages, uint32_t id, void *item) noexcept nogil:
    cdef void **page = <void **>pages[id // PAGE]
    if page == NULL:
        page = <void **>mem_calloc(table.account, PAGE * sizeof(void *))
        if page == NULL:
            return -1
        store_ptr_release(&pages[id // PAGE], page)
    store_ptr_release(&page[id % PAGE], item)
    return 0


cdef Resource *resource_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Resource *>record(table.resource_pages, id)


cdef Scope *scope_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Scope *>record(table.scope_pages, id)


cdef Metric *metric_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Metric *>record(table.metric_pages, id)


cdef Series *series_get(SeriesTable *table, uint32_t id) noexcept nogil:
    return <Series *>record(table.series_pages, id)


# ---- keys -------------------------------------------------------------------------------------------

cdef inline Key raw_key(uint32_t resource, uint32_t scope, uint32_t metric, Span bytes) noexcept nogil:
    cdef Key key = key_of(bytes.p, bytes.n)
    key.prefix[0] = resource
    key.prefix[1] = scope
    key.prefix[2] = metric
    return key


cdef inline Key metric_key(uint32_t kind, uint32_t temporality, uint32_t monotonic, uint32_t unit, Span name) noexcept nogil:
    cdef Key key = key_of(name.p, name.n)
    key.prefix[0] = kind | (monotonic << 8)
    key.prefix[1] = temporality
    key.prefix[2] = unit
    return key


cdef inline uint32_t find_span(SeriesTable *table, Span text) noexcept nogil:
    cdef Key key = key_of(text.p, text.n)
    return table_find(&table.strings, &key)


cdef inline uint32_t intern_span(SeriesTable *table, Span text) noexcept nogil:
    cdef Key key = key_of(text.p, text.n)
    return table_intern(&table.strings, &key)


# ---- levels 1 and 2 -----------------------------------------------------------------------------------

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


cdef uint32_t series_guess(SeriesTable *table, uint32_t previous, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes) noexcept nogil:
    cdef Series *before
    cdef Series *guess
    cdef Entry *entry
    cdef uint32_t next
    if previous == 0:
        return 0
    before = series_get(table, previous)
    next = load32_relaxed(&before.next) if before != NULL else 0
    guess = series_get(table, next) if next else NULL
    if guess == NULL or guess.metric != metric or guess.resource != resource or guess.scope != scope:
        return 0
    # First of all: a hint may be old, and the aliases of an evicted series are gone. Who entered after the
    # eviction sees the mark, and those from before may still read the alias.
    if load32_relaxed(&guess.flags) & SERIES_EVICTED:
        return 0
    # Acquire: the alias is seen complete.
    entry = <Entry *>load_ptr_acquire(<void **>&guess.aliases[0])
    if entry == NULL or entry.length != attributes.n:
        return 0
    # The key's bytes follow the entry; here without a call to another module.
    if entry.length and memcmp(entry + 1, attributes.p, entry.length) != 0:
        return 0
    look_ahead(table, guess)
    return next


cdef inline void look_ahead(SeriesTable *table, Series *series) noexcept nogil:
    """Fetches what the next two guesses will read: the alias of one, the record of the other."""
    cdef uint32_t next = load32_relaxed(&series.next)
    cdef Series *ahead = series_get(table, next) if next else NULL
    cdef const char *alias
    if ahead == NULL:
        return
    # Fetching reads nothing: an alias that is gone meanwhile does no harm.
    alias = <const char *>load_ptr_acquire(<void **>&ahead.aliases[0])
    __builtin_prefetch(alias)
    __builtin_prefetch(alias + 64)
    next = load32_relaxed(&ahead.next)
    if next:
        ahead = series_get(table, next)
        __builtin_prefetch(ahead)


cdef uint32_t series_find(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes) noexcept nogil:
    cdef Key key = raw_key(resource, scope, metric, attributes)
    return table_find(&table.aliases, &key)


cdef void series_follows(SeriesTable *table, uint32_t previous, uint32_t series) noexcept nogil:
    cdef Series *before = series_get(table, previous) if previous else NULL
    # Written only when it changes, so that threads that send the same do not pass the line around.
    if before != NULL and load32_relaxed(&before.next) != series:
        store32_relaxed(&before.next, series)


# ---- life of records --------------------------------------------------------------------------------------

cdef void release_pairs(SeriesTable *table, Pair *pairs, uint32_t count) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        table_release(&table.strings, pairs[i].key)
        table_release(&table.strings, pairs[i].value)


# Records leave in two steps, see (5) in series.pxd. First: no call from before is under way.
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


cdef void leave_series(void *context, void *item) noexcept nogil:
    """Nothing in the ring refers to the series any more, so its points can go too."""
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Series *series = <Series *>item
    # Who walks over all series to seal or evict holds this lock all the while.
    pthread_mutex_lock(&table.chunks.lock)
    add_relaxed(&table.chunks.evicted_points, series_data_clear(table.chunks, &series.data))
    leave_page(table, table.series_pages, series.id, series, free_series)
    pthread_mutex_unlock(&table.chunks.lock)


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


cdef void free_series(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Series *series = <Series *>item
    total_free(table, series)
    mem_free(table.account, series.pairs)
    mem_free(table.account, series)


# The last reference of a record is dropped under SeriesTable.lock, so that nobody can take one meanwhile.
cdef bint is_last(Table *of, uint32_t id) noexcept nogil:
    return table_get(of, id).refs == 1


cdef void drop_resource(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef Resource *resource = resource_get(table, id)
    cdef uint32_t i
    if is_last(&table.resources, id):
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


# ---- resources ----------------------------------------------------------------------------------------

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


# ---- scopes -------------------------------------------------------------------------------------------

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


# ---- metrics ------------------------------------------------------------------------------------------

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


# ---- level 3 --------------------------------------------------------------------------------------------

cdef uint64_t source_hash(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, const Set *set) noexcept nogil:
    """Of a set as it was sent, in a metric of one scope and resource."""
    cdef uint64_t hash = set_hash(set)
    cdef Key key = key_of(<const uint8_t *>&hash, sizeof(hash))
    key.prefix[0] = resource
    key.prefix[1] = scope
    key.prefix[2] = metric
    return table_hash(&table.strings, &key)


cdef inline Key canonical_key(uint32_t resource, uint32_t scope, uint32_t metric, const Set *set) noexcept nogil:
    cdef Key key = set_key(set)
    key.prefix[0] = resource
    key.prefix[1] = scope
    key.prefix[2] = metric
    return key


cdef uint32_t find_canonical(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Set *set) noexcept nogil:
    """The series of a set, if it exists."""
    cdef Key key
    if not set_find(set):
        return 0
    key = canonical_key(resource, scope, metric, set)
    return table_find(&table.series, &key)


cdef inline size_t alias_limit(const Set *set) noexcept nogil:
    """How long the raw bytes of a set may be to be kept as its alias."""
    return set_weight(set) + ALIAS_ROOM * (set.count + 1)


cdef void add_alias(SeriesTable *table, uint32_t id, const Key *alias, const Set *set) noexcept nogil:
    cdef Series *series = series_get(table, id)
    cdef Entry *entry
    if series.alias_count < ALIASES and alias.length <= alias_limit(set):
        entry = table_put(&table.aliases, alias, id)
        if entry != NULL:
            # Release: level 1 reads the first one without a lock.
            store_ptr_release(<void **>&series.aliases[series.alias_count], entry)
            series.alias_count += 1


cdef uint32_t create(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric_id, Set *set, const Key *alias, uint32_t flags) noexcept nogil:
    """A new series of the set, published; `alias` NULL for a collapsed one. 0: no memory.

    The set is not known: find_canonical has said so under this lock.
    """
    cdef Metric *metric = metric_get(table, metric_id)
    cdef Series *series = NULL
    cdef Pair *pairs = NULL
    cdef Key key
    cdef uint32_t id = 0
    if set_intern(set) != 0:
        return 0
    pairs = set_copy_pairs(set)
    series = <Series *>mem_calloc(table.account, sizeof(Series))
    if pairs != NULL and series != NULL and mem_grow(
            table.account, <void **>&metric.series, &metric.series_capacity, metric.series_count + 1,
            sizeof(uint32_t)) == 0:
        key = canonical_key(resource, scope, metric_id, set)
        id = table_intern(&table.series, &key)
    if id:
        series.id = id
        series.resource = resource
        series.scope = scope
        series.metric = metric_id
        series.pairs = pairs
        series.pair_count = <uint32_t>set.count
        series.flags = flags
        series.seen = <uint32_t>(monotonic_ns() // 1000000000)
        series_data_init(&series.data, metric.kind, resource,
                         DATA_ADD if flags & SERIES_OVERFLOW and metric.temporality == TEMPORALITY_DELTA else 0)
        if put_record(table, table.series_pages, id, series) != 0:
            table_release(&table.series, id)
            id = 0
    if id == 0:
        mem_free(table.account, pairs)
        mem_free(table.account, series)
        return 0
    # From here on nothing can fail.
    set.interned = False
    table_retain(&table.resources, resource)
    table_retain(&table.scopes, scope)
    table_retain(&table.metrics, metric_id)
    metric.series[metric.series_count] = id
    metric.series_count += 1
    if id >= table.series_limit:
        store32_relaxed(&table.series_limit, id + 1)
    store32_relaxed(&table.series_count, table.series_count + 1)
    if flags & SERIES_OVERFLOW:
        add_relaxed(&table.overflowed_series, 1)
    if table.on_new != NULL:
        table.on_new(table.context, table, series)
    if alias != NULL:
        # Last: by its alias others find the series without a lock.
        add_alias(table, id, alias, set)
    return id


# ---- collapse -------------------------------------------------------------------------------------------

cdef int by_pair(const void *a, const void *b) noexcept nogil:
    return memcmp_pairs(<const Pair *>a, <const Pair *>b)


cdef inline int memcmp_pairs(const Pair *a, const Pair *b) noexcept nogil:
    if a.key != b.key:
        return 1 if a.key > b.key else -1
    return (a.value > b.value) - (a.value < b.value)


# How many distinct values a key has.
cdef struct KeyCount:
    uint32_t key
    uint32_t values


cdef int by_values(const void *a, const void *b) noexcept nogil:
    cdef const KeyCount *x = <const KeyCount *>a
    cdef const KeyCount *y = <const KeyCount *>b
    if x.values != y.values:
        return 1 if x.values < y.values else -1
    return (x.key > y.key) - (x.key < y.key)


cdef void count_values(SeriesTable *table, Metric *metric) noexcept nogil:
    """Orders the metric's keys by falling number of distinct values, over all its series.

    Counted when sets first collapse and again when the series have doubled, not as they come: a store
    that has room pays nothing for it. Of many series SAMPLE are looked at, evenly spread: enough to tell
    a key with thousands of values from one with ten. Without memory the old order stays.
    """
    cdef Pair *pairs = NULL
    cdef KeyCount *counts = NULL
    cdef uint32_t *order
    cdef size_t capacity = 0, total = 0, keys = 0, key_capacity = 0, i
    cdef Series *series
    cdef bint failed = False
    cdef size_t step = metric.series_count // SAMPLE + 1
    i = 0
    while i < metric.series_count:
        series = series_get(table, metric.series[i])
        if mem_grow(table.account, <void **>&pairs, &capacity, total + series.pair_count, sizeof(Pair)) != 0:
            failed = True
            break
        memcpy(pairs + total, series.pairs, series.pair_count * sizeof(Pair))
        total += series.pair_count
        i += step
    if not failed and total:
        qsort(pairs, total, sizeof(Pair), by_pair)
        for i in range(total):
            if i and memcmp_pairs(&pairs[i - 1], &pairs[i]) == 0:
                continue
            if keys == 0 or counts[keys - 1].key != pairs[i].key:
                if mem_grow(table.account, <void **>&counts, &key_capacity, keys + 1, sizeof(KeyCount)) != 0:
                    failed = True
                    break
                counts[keys].key = pairs[i].key
                counts[keys].values = 0
                keys += 1
            counts[keys - 1].values += 1
    order = <uint32_t *>mem_alloc(table.account, keys * sizeof(uint32_t)) if not failed and keys else NULL
    if order != NULL:
        qsort(counts, keys, sizeof(KeyCount), by_values)
        for i in range(keys):
            order[i] = counts[i].key
        mem_free(table.account, metric.fattest)
        metric.fattest = order
        metric.fattest_count = <uint32_t>keys
    mem_free(table.account, pairs)
    mem_free(table.account, counts)


cdef uint32_t rank_of(SeriesTable *table, const Metric *metric, Span key) noexcept nogil:
    """The key's place among the metric's keys by distinct values; a key that is new comes first, for
    nothing that is stored needs it."""
    cdef uint32_t id = find_span(table, key)
    cdef uint32_t i
    for i in range(metric.fattest_count):
        if metric.fattest[i] == id:
            return i + 1
    return 0


cdef uint32_t collapse(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric_id, Set *set) noexcept nogil:
    """The series that stands for a set for which there is no room; 0: no room or memory even for it.

    The fattest key takes the value urpo.overflow. When the set is new even so, and a quarter more
    series than max_series stand for others already, the next key is collapsed too, and so on; the set
    in which all are collapsed is always made while at most twice max_series exist.
    """
    cdef Metric *metric = metric_get(table, metric_id)
    cdef uint32_t id, best, rank, room = table.max_series + table.max_series // 4 + 16
    cdef size_t i, chosen
    cdef Span overflow
    overflow.p = <const uint8_t *>OVERFLOW_TEXT
    overflow.n = strlen(OVERFLOW_TEXT)
    metric.collapses += 1
    if metric.collapses >= RECOUNT or metric.series_count >= 2 * metric.counted:
        metric.collapses = 0
        metric.counted = metric.series_count
        count_values(table, metric)
    for _ in range(set.count):
        # The fattest key that is not collapsed yet.
        chosen = set.count
        best = 0
        for i in range(set.count):
            if same_span(set.items[i].value, overflow):
                continue
            rank = rank_of(table, metric, set.items[i].key)
            if chosen == set.count or rank < best:
                chosen = i
                best = rank
        if chosen == set.count:
            break
        set.items[chosen].value = overflow
        id = find_canonical(table, resource, scope, metric_id, set)
        if id:
            return id
        if table.series_count < room and not short_of_memory(table):
            return create(table, resource, scope, metric_id, set, NULL, SERIES_OVERFLOW)
    id = find_canonical(table, resource, scope, metric_id, set)
    if id:
        return id
    # Beyond the limits, but not by much: or who makes up services would fill the memory with these.
    if (table.series_count < 2 * table.max_series + 16
            and load_relaxed(&table.account.bytes) <= table.memory_limit + table.memory_limit // 4):
        return create(table, resource, scope, metric_id, set, NULL, SERIES_OVERFLOW)
    return 0


cdef inline bint short_of_memory(SeriesTable *table) noexcept nogil:
    return load_relaxed(&table.account.bytes) > table.memory_limit


cdef bint has_room(SeriesTable *table) noexcept nogil:
    return table.series_count < table.max_series and not short_of_memory(table)


cdef uint32_t series_add(SeriesTable *table, Scan *scan, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes, uint64_t *source) noexcept nogil:
    cdef Key alias = raw_key(resource, scope, metric, attributes)
    cdef Set set
    cdef uint32_t id, second
    if set_decode(&set, table.account, &table.strings, scan, attributes, 0) != 0:
        set_free(&set)
        return 0
    pthread_mutex_lock(&table.lock)
    id = table_find(&table.aliases, &alias)
    if id == 0:
        id = find_canonical(table, resource, scope, metric, &set)
        if id:
            if not series_get(table, id).flags & SERIES_OVERFLOW:
                add_alias(table, id, &alias, &set)
        else:
            if not has_room(table):
                second = <uint32_t>(monotonic_ns() // 1000000000)
                if second != table.last_eviction:
                    table.last_eviction = second
                    evict_idle(table, second, table.series_limit)
            if has_room(table):
                id = create(table, resource, scope, metric, &set, &alias, 0)
            else:
                source[0] = source_hash(table, resource, scope, metric, &set)
                id = collapse(table, resource, scope, metric, &set)
    pthread_mutex_unlock(&table.lock)
    set_free(&set)
    return id


# ---- eviction -------------------------------------------------------------------------------------------

cdef void evict_series(SeriesTable *table, Series *series) noexcept nogil:
    cdef uint32_t i
    # Relaxed: retiring it below raises the epoch, and who enters after that sees the mark.
    store32_relaxed(&series.flags, series.flags | SERIES_EVICTED)
    if table.on_evict != NULL:
        table.on_evict(table.context, table, series)
    for i in range(series.alias_count):
        table_remove(&table.aliases, series.aliases[i])
    metric_get(table, series.metric).gone += 1
    release_pairs(table, series.pairs, series.pair_count)
    drop_resource(table, series.resource)
    drop_scope(table, series.scope)
    drop_metric(table, series.metric)
    store32_relaxed(&table.series_count, table.series_count - 1)
    add_relaxed(&table.evicted_series, 1)
    epoch_retire(table.epochs, leave_series, table, series, True)
    table_release_behind_drain(&table.series, series.id)


cdef uint32_t evict_idle(SeriesTable *table, uint32_t now, uint32_t most) noexcept nogil:
    """Under the lock."""
    cdef uint32_t id, evicted = 0
    cdef Series *series
    for id in range(1, table.series_limit):
        series = series_get(table, id)
        if series == NULL or series.flags & SERIES_EVICTED:
            continue
        if load32_relaxed(&series.seen) + IDLE_SECONDS <= now:
            evict_series(table, series)
            evicted += 1
            if evicted == most:
                break
    if evicted:
        compact_lists(table)
    return evicted


cdef void compact_lists(SeriesTable *table) noexcept nogil:
    """Takes evicted series out of their metrics' lists, which stay in order of creation."""
    cdef Metric *metric
    cdef uint32_t id, limit = table.metrics.next_id
    cdef size_t i, kept
    for id in range(1, limit):
        metric = metric_get(table, id)
        if metric == NULL or metric.gone == 0:
            continue
        kept = 0
        for i in range(metric.series_count):
            if not series_get(table, metric.series[i]).flags & SERIES_EVICTED:
                metric.series[kept] = metric.series[i]
                kept += 1
        metric.series_count = kept
        metric.gone = 0


cdef uint32_t series_evict_idle(SeriesTable *table, uint32_t now, uint32_t most) noexcept nogil:
    cdef uint32_t evicted
    pthread_mutex_lock(&table.lock)
    evicted = evict_idle(table, now, most)
    pthread_mutex_unlock(&table.lock)
    return evicted


# ---- attributes -----------------------------------------------------------------------------------------

cdef inline uint32_t in_pairs(const Pair *pairs, uint32_t count, uint32_t key) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        if pairs[i].key == key:
            return pairs[i].value
    return 0


cdef uint32_t series_attribute(SeriesTable *table, const Series *series, uint32_t key) noexcept nogil:
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


cdef const Entry *series_attribute_named(SeriesTable *table, const Series *series, const char *key) noexcept nogil:
    cdef Key name = key_of(<const uint8_t *>key, strlen(key))
    cdef uint32_t id = table_find(&table.strings, &name)
    cdef uint32_t value = series_attribute(table, series, id) if id else 0
    return table_get(&table.strings, value) if value else NULL


# ---- life -----------------------------------------------------------------------------------------------

cdef int series_table_init(SeriesTable *table, Account *account, Epochs *epochs, ChunkStore *chunks,
                           uint32_t max_series, uint64_t memory_limit) noexcept nogil:
    cdef Table *tables[8]
    cdef uint64_t secret[4]
    cdef int made = 0
    cdef Key key
    memset(table, 0, sizeof(SeriesTable))
    table.account = account
    table.epochs = epochs
    table.chunks = chunks
    table.max_series = max_series
    table.memory_limit = memory_limit
    table.series_limit = 1
    random_bytes(secret, sizeof(secret))
    tables[0] = &table.strings
    tables[1] = &table.resources
    tables[2] = &table.scopes
    tables[3] = &table.metrics
    tables[4] = &table.series
    tables[5] = &table.aliases
    tables[6] = &table.resource_aliases
    tables[7] = &table.scope_aliases
    while made < 8 and table_init(tables[made], account, epochs, secret) == 0:
        made += 1
    table.resource_pages = <void **>mem_calloc(account, PAGES * sizeof(void *))
    table.scope_pages = <void **>mem_calloc(account, PAGES * sizeof(void *))
    table.metric_pages = <void **>mem_calloc(account, PAGES * sizeof(void *))
    table.series_pages = <void **>mem_calloc(account, PAGES * sizeof(void *))
    if made == 8 and table.resource_pages and table.scope_pages and table.metric_pages and table.series_pages:
        # Held for ever, so that the value that stands for others has one id.
        key = key_of(<const uint8_t *>OVERFLOW_TEXT, strlen(OVERFLOW_TEXT))
        table.overflow_value = table_intern(&table.strings, &key)
    if table.overflow_value == 0:
        while made:
            made -= 1
            table_destroy(tables[made])
        free_pages(table, table.resource_pages)
        free_pages(table, table.scope_pages)
        free_pages(table, table.metric_pages)
        free_pages(table, table.series_pages)
        return -1
    pthread_mutex_init(&table.lock, NULL)
    return 0


cdef void free_pages(SeriesTable *table, void **pages) noexcept nogil:
    cdef size_t i
    if pages != NULL:
        for i in range(PAGES):
            mem_free(table.account, pages[i])
        mem_free(table.account, pages)


cdef void series_table_destroy(SeriesTable *table) noexcept nogil:
    """Limbo is empty by now; what is left is what was never evicted."""
    cdef uint32_t id
    cdef Series *series
    cdef Resource *resource
    cdef Scope *scope
    cdef Metric *metric
    for id in range(1, table.series_limit):
        series = series_get(table, id)
        if series != NULL:
            series_data_clear(table.chunks, &series.data)
            total_free(table, series)
            mem_free(table.account, series.pairs)
            mem_free(table.account, series)
    for id in range(1, table.resources.next_id):
        resource = resource_get(table, id)
        if resource != NULL:
            mem_free(table.account, resource.pairs)
            mem_free(table.account, resource)
    for id in range(1, table.scopes.next_id):
        scope = scope_get(table, id)
        if scope != NULL:
            mem_free(table.account, scope.pairs)
            mem_free(table.account, scope)
    for id in range(1, table.metrics.next_id):
        metric = metric_get(table, id)
        if metric != NULL:
            sources_free(table, metric)
            mem_free(table.account, metric.fattest)
            mem_free(table.account, metric.series)
            mem_free(table.account, metric)
    free_pages(table, table.resource_pages)
    free_pages(table, table.scope_pages)
    free_pages(table, table.metric_pages)
    free_pages(table, table.series_pages)
    table_destroy(&table.strings)
    table_destroy(&table.resources)
    table_destroy(&table.scopes)
    table_destroy(&table.metrics)
    table_destroy(&table.series)
    table_destroy(&table.aliases)
    table_destroy(&table.resource_aliases)
    table_destroy(&table.scope_aliases)
    pthread_mutex_destroy(&table.lock)
