"""Series identity; the contract and its invariants are in identity/series.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset, strlen

from urpo_store.engine.memory.alloc cimport Account, mem_calloc, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, load32_relaxed, load32_seq_cst, load_ptr_acquire, load_relaxed, monotonic_ns,
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
    random_bytes, store32_relaxed, store32_seq_cst, store_ptr_release,
)
from urpo_store.engine.memory.epoch cimport Epochs, epoch_retire
from urpo_store.engine.points.slots cimport TEMPORALITY_DELTA
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.chunks.append cimport series_data_clear, series_data_init
from urpo_store.engine.chunks.types cimport DATA_ADD, ChunkStore
from urpo_store.engine.identity.intern cimport (
    INTERN_IDS, SECRETS, Entry, Key, Table, key_of, table_destroy, table_find, table_find_many,
    table_get, table_hash, table_init, table_intern, table_put, table_release,
    table_release_behind_drain, table_remove, table_retain,
)
from urpo_store.engine.identity.key_ranks cimport count_values, rank_of
from urpo_store.engine.identity.overflow cimport sources_free, total_free
from urpo_store.engine.identity.records cimport (
    alias_limit, drop_metric, drop_resource, drop_scope, leave_page, put_record, raw_key,
    release_pairs,
)
from urpo_store.engine.identity.sets cimport (
    Pair, Set, same_span, set_copy_pairs, set_decode, set_find, set_free, set_hash, set_intern,
    set_key,
)
from urpo_store.engine.identity.types cimport (
    ALIASES, IDLE_SECONDS, PAGES, SERIES_EVICTED, SERIES_OVERFLOW, Metric, Resource, Scope, Series,
    SeriesTable, metric_get, prefetch_record, resource_get, scope_get, series_get,
)

cdef enum:
    # Sets collapsed before the distinct values of a metric's keys are counted anew.
    RECOUNT = 65536
    # How many series ahead records and their aliases are fetched when series come in the order of their ids: a
    # miss takes longer than one point does.
    FAR = 8
    NEAR = 4
    # Of the eight tables, those whose keys have no prefix.
    PLAIN_TABLES = 3

cdef extern from *:
    void __builtin_prefetch(const void *p) noexcept nogil

cdef const char *OVERFLOW_TEXT = b"surpo.overflow"      # canonical: s and the text


# ---- levels 1 and 2 ---------------------------------------------------------------------------------

cdef Series *series_expect(SeriesTable *table, const Series *before, Span *attributes) noexcept nogil:
    cdef uint32_t next = load32_relaxed(&before.next)
    cdef Series *series = series_get(table, next) if next else NULL
    cdef Entry *entry = NULL
    # First of all: a hint may be old, and the aliases of an evicted series are gone. Who entered after the
    # eviction sees the mark, and those from before may still read the alias.
    if series != NULL and load32_relaxed(&series.flags) & SERIES_EVICTED == 0:
        # Acquire: the alias is seen complete.
        entry = <Entry *>load_ptr_acquire(<void **>&series.aliases[0])
    if entry == NULL:
        attributes.p = NULL
        attributes.n = 0
        return NULL
    # The key's bytes follow the entry; here without a call to another module.
    attributes.p = <const uint8_t *>(entry + 1)
    attributes.n = entry.length
    look_ahead(table, series)
    return series


cdef uint32_t series_guess(SeriesTable *table, uint32_t previous, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes) noexcept nogil:
    cdef Series *before = series_get(table, previous) if previous else NULL
    cdef Series *guess
    cdef Span expected
    if before == NULL:
        return 0
    guess = series_expect(table, before, &expected)
    if guess == NULL or guess.metric != metric or guess.resource != resource or guess.scope != scope:
        return 0
    return guess.id if same_span(expected, attributes) else 0


cdef inline void fetch_alias(const Series *series) noexcept nogil:
    # Fetching reads nothing: an alias that is gone meanwhile does no harm.
    cdef const char *alias = <const char *>load_ptr_acquire(<void **>&series.aliases[0])
    __builtin_prefetch(alias)
    __builtin_prefetch(alias + 64)


cdef inline void look_ahead(SeriesTable *table, const Series *series) noexcept nogil:
    """Fetches what the next guesses will read: records, then the aliases that these point to.

    From a record to the next one it is one cache miss after another. But series mostly come in the order in
    which they were created, and then their ids say which record is wanted far ahead.
    """
    cdef uint32_t next = load32_relaxed(&series.next)
    cdef Series *ahead
    if next == series.id + 1 and next < INTERN_IDS - FAR:
        prefetch_record(table, next + FAR)
        ahead = series_get(table, next + NEAR)
        if ahead != NULL:
            fetch_alias(ahead)
        return
    ahead = series_get(table, next) if next else NULL
    if ahead != NULL:
        fetch_alias(ahead)
        prefetch_record(table, load32_relaxed(&ahead.next))


cdef uint32_t series_find(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Span attributes) noexcept nogil:
    cdef Key key = raw_key(resource, scope, metric, attributes)
    return table_find(&table.aliases, &key)


cdef void series_find_many(SeriesTable *table, const Key *keys, uint32_t count, uint32_t *found) noexcept nogil:
    cdef uint32_t i
    table_find_many(&table.aliases, keys, count, found)
    # What the caller does with each of them begins with the record.
    for i in range(count):
        prefetch_record(table, found[i])


cdef void series_follows(SeriesTable *table, uint32_t previous, uint32_t series) noexcept nogil:
    cdef Series *before = series_get(table, previous) if previous else NULL
    # Written only when it changes, so that threads that send the same do not pass the line around.
    if before != NULL and load32_relaxed(&before.next) != series:
        store32_relaxed(&before.next, series)


# ---- life of a series -------------------------------------------------------------------------------

cdef void leave_series(void *context, void *item) noexcept nogil:
    """Nothing in the ring refers to the series any more, so its points can go too."""
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Series *series = <Series *>item
    # Who walks over series to seal or evict holds this lock from series_get until it is done with that one.
    pthread_mutex_lock(&table.chunks.lock)
    add_relaxed(&table.chunks.evicted_points, series_data_clear(table.chunks, &series.data))
    leave_page(table, table.series_pages, series.id, series, free_series)
    pthread_mutex_unlock(&table.chunks.lock)


cdef void free_series(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    cdef Series *series = <Series *>item
    total_free(table, series)
    mem_free(table.account, series.pairs)
    mem_free(table.account, series)


# ---- level 3 ----------------------------------------------------------------------------------------

cdef uint64_t source_hash(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, const Set *set) noexcept nogil:
    """Of a set as it was sent, in a metric of one scope and resource.

    By what they are, not by their ids: a source is remembered for longer than these may live, and ids are
    used again.
    """
    cdef uint64_t parts[3]
    cdef Key key = key_of(<const uint8_t *>parts, sizeof(parts))
    parts[0] = set_hash(set)
    parts[1] = resource_get(table, resource).content
    parts[2] = scope_get(table, scope).content
    # The metric's record is where sources are remembered.
    key.prefix[0] = metric
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


# ---- collapse ---------------------------------------------------------------------------------------

cdef uint32_t collapse(SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric_id, Set *set) noexcept nogil:
    """The series that stands for a set for which there is no room; 0: no room or memory even for it.

    The fattest key takes the value urpo.overflow. Such a set becomes a series while fewer than a quarter
    more than max_series exist and the index has less than its half of the memory; else the next key is
    collapsed too, and so on. The set in which all are collapsed is made while fewer than twice max_series
    exist and the index has less than five eighths.
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


cdef bint series_touch(Series *series, uint32_t second) noexcept nogil:
    # See evict_idle for the order. Most series have been seen this second already; then the mark would
    # have been there before who saw them looked for it. (That look at `seen` is relaxed: on x86-64 no load
    # passes another, elsewhere it would have to be an acquire of a store that released.)
    if load32_relaxed(&series.seen) != second:
        store32_seq_cst(&series.seen, second)
    return not load32_seq_cst(&series.flags) & SERIES_EVICTED


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
    if id:
        # Under the lock, so that it is not evicted before its point is there.
        store32_relaxed(&series_get(table, id).seen, <uint32_t>(monotonic_ns() // 1000000000))
    pthread_mutex_unlock(&table.lock)
    set_free(&set)
    return id


# ---- eviction ---------------------------------------------------------------------------------------

cdef void evict_series(SeriesTable *table, Series *series) noexcept nogil:
    cdef uint32_t i
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
        if load32_relaxed(&series.seen) + IDLE_SECONDS > now:
            continue
        # Marked first, then the second look, while a producer says that it is here first and looks for
        # the mark then: one of the two sees the other, and no point goes into a series that is leaving.
        # (Who entered after the eviction sees the mark anyway: retiring the series raises the epoch.)
        store32_seq_cst(&series.flags, series.flags | SERIES_EVICTED)
        if load32_seq_cst(&series.seen) + IDLE_SECONDS > now:
            store32_relaxed(&series.flags, series.flags & ~<uint32_t>SERIES_EVICTED)
            continue
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


# ---- attributes -------------------------------------------------------------------------------------

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


# ---- life of the table ------------------------------------------------------------------------------

cdef int series_table_init(SeriesTable *table, Account *account, Epochs *epochs, ChunkStore *chunks,
                           uint32_t max_series, uint64_t memory_limit) noexcept nogil:
    cdef Table *tables[8]
    cdef uint64_t[SECRETS] secret
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
    tables[2] = &table.resource_aliases
    tables[PLAIN_TABLES] = &table.scopes
    tables[4] = &table.scope_aliases
    tables[5] = &table.metrics
    tables[6] = &table.series
    tables[7] = &table.aliases
    while made < 8 and table_init(tables[made], account, epochs, secret, made >= PLAIN_TABLES) == 0:
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
