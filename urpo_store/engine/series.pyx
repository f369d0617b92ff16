"""Series identity; the contract and its invariants are in series.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memset, strlen

from urpo_store.engine.alloc cimport Account, mem_alloc, mem_calloc, mem_free, mem_grow
from urpo_store.engine.atomics cimport (
    add_relaxed, load32_relaxed, load_ptr_acquire, load_relaxed, monotonic_ns, pthread_mutex_destroy,
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, random_bytes, store32_relaxed,
    store_ptr_release,
)
from urpo_store.engine.chunks cimport ChunkStore, DATA_ADD, series_data_clear, series_data_init
from urpo_store.engine.epoch cimport Epochs, epoch_retire
from urpo_store.engine.intern cimport (
    Entry, Key, Table, entry_bytes, key_of, table_destroy, table_find, table_get, table_hash,
    table_init, table_intern, table_put, table_release, table_release_behind_drain, table_remove,
    table_retain,
)
from urpo_store.engine.overflow cimport sources_free, total_free
from urpo_store.engine.points cimport TEMPORALITY_DELTA
from urpo_store.engine.wire cimport (
    Attribute, Scan, Span, wire_canonical_value, wire_next_attribute, wire_string_field,
)

cdef enum:
    PAGE = 4096
    PAGES = 4096                # INTERN_IDS over PAGE
    # Sets collapsed before the distinct values of a metric's keys are counted anew.
    RECOUNT = 65536

cdef const char *OVERFLOW_TEXT = b"surpo.overflow"      # canonical: s and the text


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


cdef void drop_record(void **pages, uint32_t id, void *item) noexcept nogil:
    # Another one may have the id by now.
    if record(pages, id) == item:
        store_ptr_release(&(<void **>pages[id // PAGE])[id % PAGE], NULL)


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
    entry = guess.aliases[0]
    if entry == NULL or entry.length != attributes.n or load32_relaxed(&guess.flags) & SERIES_EVICTED:
        return 0
    if memcmp(entry_bytes(entry), attributes.p, attributes.n) != 0:
        return 0
    return next


cdef uint32_t series_find(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes) noexcept nogil:
    cdef Key key = raw_key(resource, scope, metric, attributes)
    return table_find(&table.aliases, &key)


cdef void series_follows(SeriesTable *table, uint32_t previous, uint32_t series) noexcept nogil:
    cdef Series *before = series_get(table, previous) if previous else NULL
    # Written only when it changes, so that threads that send the same do not pass the line around.
    if before != NULL and load32_relaxed(&before.next) != series:
        store32_relaxed(&before.next, series)


# ---- attribute sets -------------------------------------------------------------------------------------

# An attribute set while it is looked up: what it says, and the ids once they are known.
cdef struct Decoded:
    Span key, value             # value: canonical bytes
    Pair pair

cdef struct Set:
    Account *account
    Decoded *items
    size_t count, capacity
    bint interned               # the ids' references are ours


cdef void set_free(SeriesTable *table, Set *set) noexcept nogil:
    """Drops the set, and the references it still owns."""
    cdef size_t i
    if set.interned:
        for i in range(set.count):
            table_release(&table.strings, set.items[i].pair.key)
            table_release(&table.strings, set.items[i].pair.value)
    mem_free(table.account, set.items)
    set.items = NULL
    set.count = set.capacity = 0
    set.interned = False


cdef bint same_span(Span a, Span b) noexcept nogil:
    return a.n == b.n and memcmp(a.p, b.p, a.n) == 0


cdef int decode_set(SeriesTable *table, Scan *scan, Span body, uint32_t field, Set *set) noexcept nogil:
    """The attributes in a checked span; of equal keys the last one counts. 0, or -1: no memory."""
    cdef const uint8_t *at = body.p
    cdef const uint8_t *end = at + body.n
    cdef Attribute attribute
    cdef Span value
    cdef size_t i
    cdef int more
    memset(set, 0, sizeof(Set))
    while True:
        more = wire_next_attribute(scan, &at, end, field, &attribute)
        if more == 0:
            return 0
        value = wire_canonical_value(scan, attribute.value) if more > 0 else attribute.value
        if more < 0 or value.p == NULL:
            return -1
        for i in range(set.count):
            if same_span(set.items[i].key, attribute.key):
                break
        else:
            i = set.count
            if mem_grow(table.account, <void **>&set.items, &set.capacity, i + 1, sizeof(Decoded)) != 0:
                return -1
            set.count += 1
        set.items[i].key = attribute.key
        set.items[i].value = value


cdef int by_key(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const Decoded *>a).pair.key
    cdef uint32_t y = (<const Decoded *>b).pair.key
    return (x > y) - (x < y)


cdef bint find_set(SeriesTable *table, Set *set) noexcept nogil:
    """Ids of the set where all its strings are known; it is then sorted by key id."""
    cdef size_t i
    for i in range(set.count):
        set.items[i].pair.key = find_span(table, set.items[i].key)
        set.items[i].pair.value = find_span(table, set.items[i].value)
        if set.items[i].pair.key == 0 or set.items[i].pair.value == 0:
            return False
    qsort(set.items, set.count, sizeof(Decoded), by_key)
    return True


cdef int intern_set(SeriesTable *table, Set *set) noexcept nogil:
    """Ids of the set, with a reference each; sorted by key id. 0, or -1: no memory."""
    cdef size_t i
    for i in range(set.count):
        set.items[i].pair.key = intern_span(table, set.items[i].key)
        set.items[i].pair.value = intern_span(table, set.items[i].value)
        if set.items[i].pair.key == 0 or set.items[i].pair.value == 0:
            if set.items[i].pair.key:
                table_release(&table.strings, set.items[i].pair.key)
            if set.items[i].pair.value:
                table_release(&table.strings, set.items[i].pair.value)
            while i > 0:
                i -= 1
                table_release(&table.strings, set.items[i].pair.key)
                table_release(&table.strings, set.items[i].pair.value)
            return -1
    set.interned = True
    qsort(set.items, set.count, sizeof(Decoded), by_key)
    return 0


cdef Pair *pairs_of(SeriesTable *table, const Set *set) noexcept nogil:
    """The set as an array of its own; NULL: no memory."""
    cdef Pair *pairs = <Pair *>mem_alloc(table.account, set.count * sizeof(Pair))
    cdef size_t i
    if pairs != NULL:
        for i in range(set.count):
            pairs[i] = set.items[i].pair
    return pairs


cdef Key canonical_key(const Pair *pairs, size_t count) noexcept nogil:
    return key_of(<const uint8_t *>pairs, count * sizeof(Pair))


cdef void release_pairs(SeriesTable *table, Pair *pairs, uint32_t count) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        table_release(&table.strings, pairs[i].key)
        table_release(&table.strings, pairs[i].value)


# ---- life of records --------------------------------------------------------------------------------------

# What a record in limbo needs to be given back.
cdef void free_resource(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Resource *resource = <Resource *>item
    drop_record(table.resource_pages, resource.id, resource)
    mem_free(table.account, resource.pairs)
    mem_free(table.account, resource)


cdef void free_scope(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Scope *scope = <Scope *>item
    drop_record(table.scope_pages, scope.id, scope)
    mem_free(table.account, scope.pairs)
    mem_free(table.account, scope)


cdef void free_metric(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Metric *metric = <Metric *>item
    drop_record(table.metric_pages, metric.id, metric)
    sources_free(table, metric)
    mem_free(table.account, metric.fattest)
    mem_free(table.account, metric.series)
    mem_free(table.account, metric)


cdef void free_series(void *context, void *item) noexcept nogil:
    """Out of limbo: nothing in the ring refers to it any more, so its points can go."""
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Series *series = <Series *>item
    cdef uint64_t points
    pthread_mutex_lock(&table.chunks.lock)
    points = series_data_clear(table.chunks, &series.data)
    add_relaxed(&table.chunks.evicted_points, points)
    pthread_mutex_unlock(&table.chunks.lock)
    drop_record(table.series_pages, series.id, series)
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
        epoch_retire(table.epochs, free_resource, table, resource, False)
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
        epoch_retire(table.epochs, free_scope, table, scope, False)
    table_release(&table.scopes, id)


cdef void drop_metric(SeriesTable *table, uint32_t id) noexcept nogil:
    cdef Metric *metric = metric_get(table, id)
    if is_last(&table.metrics, id):
        table_release(&table.strings, metric.name)
        table_release(&table.strings, metric.unit)
        table_release(&table.strings, metric.description)
        epoch_retire(table.epochs, free_metric, table, metric, False)
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
    cdef Span found
    cdef size_t i, n = strlen(key)
    found.p = <const uint8_t *>b""
    found.n = 0
    for i in range(set.count):
        if set.items[i].key.n == n and memcmp(set.items[i].key.p, key, n) == 0:
            if set.items[i].value.p[0] == b's':
                found.p = set.items[i].value.p + 1
                found.n = set.items[i].value.n - 1
    return found


cdef uint32_t intern_service(SeriesTable *table, const Set *set) noexcept nogil:
    """The service as a canonical text value: "namespace/name", or the name alone."""
    cdef Span name = text_of(set, b"service.name")
    cdef Span space = text_of(set, b"service.namespace")
    cdef Span whole
    cdef uint8_t *bytes
    cdef uint32_t id
    if name.n == 0:
        name.p = <const uint8_t *>b"unknown_service"
        name.n = 15
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
    if decode_set(table, scan, body, 1, &set) != 0 or intern_set(table, &set) != 0:
        set_free(table, &set)
        return 0
    pairs = pairs_of(table, &set)
    if pairs != NULL:
        key = canonical_key(pairs, set.count)
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
    set_free(table, &set)
    if id and resource.alias_count < ALIASES:
        # Without memory for an alias the next request takes this way again.
        entry = table_put(&table.resource_aliases, alias, id)
        if entry != NULL:
            resource.aliases[resource.alias_count] = entry
            resource.alias_count += 1
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
    cdef uint32_t name = intern_span(table, wire_string_field(body, 1))
    cdef uint32_t version = intern_span(table, wire_string_field(body, 2))
    cdef bint taken = False
    if decode_set(table, scan, body, 3, &set) == 0 and name and version and intern_set(table, &set) == 0:
        pairs = pairs_of(table, &set)
    if pairs != NULL:
        key = canonical_key(pairs, set.count)
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
    set_free(table, &set)
    if id and scope.alias_count < ALIASES:
        entry = table_put(&table.scope_aliases, alias, id)
        if entry != NULL:
            scope.aliases[scope.alias_count] = entry
            scope.alias_count += 1
    return id


# ---- metrics ------------------------------------------------------------------------------------------

cdef uint32_t metric_add(SeriesTable *table, uint32_t kind, uint32_t temporality, uint32_t monotonic, Span name, Span unit, Span description) noexcept nogil:
    cdef Metric *metric = NULL
    cdef Key key
    cdef uint32_t id = 0, unit_id, text
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
            table_release(&table.strings, metric.description)
            metric.description = text
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
    """Of a set as it was sent, whatever the order of its keys: the sum of the pairs' keyed hashes."""
    cdef uint64_t hash = 0, key_hash
    cdef Key key
    cdef size_t i
    for i in range(set.count):
        key = key_of(set.items[i].key.p, set.items[i].key.n)
        key_hash = table_hash(&table.strings, &key)
        key = key_of(set.items[i].value.p, set.items[i].value.n)
        key.prefix[0] = <uint32_t>key_hash
        key.prefix[1] = <uint32_t>(key_hash >> 32)
        hash += table_hash(&table.strings, &key)
    key = key_of(<const uint8_t *>&hash, sizeof(hash))
    key.prefix[0] = resource
    key.prefix[1] = scope
    key.prefix[2] = metric
    return table_hash(&table.strings, &key)


cdef uint32_t find_canonical(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Set *set) noexcept nogil:
    """The series of a set, if it exists; 0 if not, or if there is no memory to look."""
    cdef Pair *pairs
    cdef Key key
    cdef uint32_t id
    if not find_set(table, set):
        return 0
    pairs = pairs_of(table, set)
    if pairs == NULL:
        return 0
    key = canonical_key(pairs, set.count)
    key.prefix[0] = resource
    key.prefix[1] = scope
    key.prefix[2] = metric
    id = table_find(&table.series, &key)
    mem_free(table.account, pairs)
    return id


cdef void add_alias(SeriesTable *table, uint32_t id, const Key *alias) noexcept nogil:
    cdef Series *series = series_get(table, id)
    cdef Entry *entry
    if series.alias_count < ALIASES:
        entry = table_put(&table.aliases, alias, id)
        if entry != NULL:
            series.aliases[series.alias_count] = entry
            series.alias_count += 1


cdef uint32_t create(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric_id, Set *set, const Key *alias, uint32_t flags) noexcept nogil:
    """A new series of the set, published; `alias` NULL for a collapsed one. 0: no memory."""
    cdef Metric *metric = metric_get(table, metric_id)
    cdef Series *series = NULL
    cdef Pair *pairs = NULL
    cdef Key key
    cdef uint32_t id = 0
    if intern_set(table, set) != 0:
        return 0
    pairs = pairs_of(table, set)
    series = <Series *>mem_calloc(table.account, sizeof(Series))
    if pairs != NULL and series != NULL and mem_grow(
            table.account, <void **>&metric.series, &metric.series_capacity, metric.series_count + 1,
            sizeof(uint32_t)) == 0:
        key = canonical_key(pairs, set.count)
        key.prefix[0] = resource
        key.prefix[1] = scope
        key.prefix[2] = metric_id
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
    series.place = <uint32_t>metric.series_count
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
        add_alias(table, id, alias)
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

    Counted when sets first collapse, not as they come: a store that has room pays nothing for it.
    Without memory the old order stays.
    """
    cdef Pair *pairs = NULL
    cdef KeyCount *counts = NULL
    cdef uint32_t *order
    cdef size_t capacity = 0, total = 0, keys = 0, key_capacity = 0, i
    cdef Series *series
    cdef bint failed = False
    for i in range(metric.series_count):
        series = series_get(table, metric.series[i])
        if mem_grow(table.account, <void **>&pairs, &capacity, total + series.pair_count, sizeof(Pair)) != 0:
            failed = True
            break
        memcpy(pairs + total, series.pairs, series.pair_count * sizeof(Pair))
        total += series.pair_count
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
    if metric.fattest == NULL or metric.collapses >= RECOUNT:
        metric.collapses = 0
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
    if table.series_count < 2 * table.max_series + 16:
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
    if decode_set(table, scan, attributes, 0, &set) != 0:
        set_free(table, &set)
        return 0
    pthread_mutex_lock(&table.lock)
    id = table_find(&table.aliases, &alias)
    if id == 0:
        id = find_canonical(table, resource, scope, metric, &set)
        if id:
            if not series_get(table, id).flags & SERIES_OVERFLOW:
                add_alias(table, id, &alias)
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
    set_free(table, &set)
    return id


# ---- eviction -------------------------------------------------------------------------------------------

cdef void evict_series(SeriesTable *table, Series *series) noexcept nogil:
    cdef Metric *metric = metric_get(table, series.metric)
    cdef Series *moved
    cdef uint32_t i
    store32_relaxed(&series.flags, series.flags | SERIES_EVICTED)
    if table.on_evict != NULL:
        table.on_evict(table.context, table, series)
    for i in range(series.alias_count):
        table_remove(&table.aliases, series.aliases[i])
    metric.series_count -= 1
    moved = series_get(table, metric.series[metric.series_count])
    moved.place = series.place
    metric.series[series.place] = moved.id
    release_pairs(table, series.pairs, series.pair_count)
    drop_resource(table, series.resource)
    drop_scope(table, series.scope)
    drop_metric(table, series.metric)
    store32_relaxed(&table.series_count, table.series_count - 1)
    add_relaxed(&table.evicted_series, 1)
    # The record first: its id may not be given to another while the record is still to be freed.
    epoch_retire(table.epochs, free_series, table, series, True)
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
    return evicted


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
