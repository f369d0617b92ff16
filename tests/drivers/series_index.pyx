"""A series table that stands alone, through which tests and benchmarks drive identity.

It does what ingest, drain and queries do with a SeriesTable, one step at a time: bytes are resolved
by the three levels, points of collapsed sources are turned into totals, points come to rest in
chunks, series are evicted.

REQUIRES: the bytes are checked ones, well-formed messages within the limits.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

import numpy as np

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, add_seq_cst, load32_relaxed, load_relaxed, pthread_mutex_lock,
    pthread_mutex_unlock, store32_relaxed, store_release,
)
from urpo_store.engine.memory.epoch cimport (
    Epochs, epoch_enter, epoch_leave, epoch_reclaim, epochs_destroy, epochs_init,
)
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport KIND_GAUGE, Point
from urpo_store.engine.wire.arena cimport scan_destroy, scan_init
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.chunks.append cimport chunks_append
from urpo_store.engine.chunks.life cimport (
    chunk_store_destroy, chunk_store_init, series_data_clear, series_data_init,
)
from urpo_store.engine.chunks.types cimport DATA_ADD, ChunkStore
from urpo_store.engine.identity.catalog cimport (
    attribute_column, catalog_producers, catalog_streams, find_string, series_identity,
    service_column, string_bytes,
)
from urpo_store.engine.identity.idle cimport series_evict_idle
from urpo_store.engine.identity.intern cimport Entry, entry_bytes, table_get
from urpo_store.engine.identity.overflow cimport BASELINE, overflow_adds, overflow_point
from urpo_store.engine.identity.records cimport (
    metric_add, metric_find, metric_release, resource_add, resource_find, resource_release,
    scope_add, scope_find, scope_release,
)
from urpo_store.engine.identity.series cimport series_add, series_find, series_follows, series_guess
from urpo_store.engine.identity.table cimport series_table_destroy, series_table_init
from urpo_store.engine.identity.types cimport (
    SERIES_EVICTED, SERIES_OVERFLOW, Series, SeriesTable, metric_get, series_get,
)


cdef inline Span span_of(bytes data) noexcept:
    cdef Span span
    span.p = <const uint8_t *>PyBytes_AS_STRING(data)
    span.n = PyBytes_GET_SIZE(data)
    return span


# Of the hooks that engine/store binds, those of the chunks.

cdef void series_created(void *context, SeriesTable *table, Series *series) noexcept nogil:
    series_data_init(&series.data, metric_get(table, series.metric).kind, series.resource,
                     DATA_ADD if overflow_adds(table, series) else 0)


cdef void series_gone(void *context, SeriesTable *table, Series *series) noexcept nogil:
    cdef ChunkStore *chunks = <ChunkStore *>context
    add_relaxed(&chunks.evicted_points, series_data_clear(chunks, &series.data))


# The bytes that a series comes with. They belong to Python objects that the caller keeps.
cdef struct Request:
    Span resource, scope, schema_url, name, unit, description, attributes
    uint32_t kind, temporality, monotonic


@cython.final
cdef class SeriesIndex:
    """Series identity without the rest of a store. Any thread may call any method.

    `hash_mask` keeps only those bits of every hash, so that keys collide; `memory_limit` is in
    bytes, 0 for none. Raises MemoryError where memory is short.
    """

    cdef Account account
    cdef Epochs epochs
    cdef ChunkStore chunks
    cdef SeriesTable table
    cdef uint64_t head
    cdef int ready

    def __cinit__(self, *, uint32_t max_series=100_000, uint64_t memory_limit=0,
                  uint64_t hash_mask=0xFFFFFFFFFFFFFFFF):
        account_init(&self.account, NULL)
        if epochs_init(&self.epochs, &self.account) != OK:
            raise MemoryError("no memory for epochs")
        self.ready = 1
        self.epochs.head = &self.head
        if chunk_store_init(&self.chunks, &self.account, &self.epochs) != OK:
            raise MemoryError("no memory for chunks")
        self.ready = 2
        if series_table_init(&self.table, &self.account, &self.epochs, max_series,
                             memory_limit if memory_limit else 0xFFFFFFFFFFFFFFFF) != OK:
            raise MemoryError("no memory for the tables of series")
        self.ready = 3
        self.table.hooks.context = &self.chunks
        self.table.hooks.walk_lock = &self.chunks.lock
        self.table.hooks.on_new = series_created
        self.table.hooks.on_gone = series_gone
        mask_hashes(&self.table, hash_mask)

    def __dealloc__(self):
        if self.ready >= 1:
            epochs_destroy(&self.epochs)
        if self.ready >= 3:
            series_table_destroy(&self.table)
        if self.ready >= 2:
            chunk_store_destroy(&self.chunks)

    def resolve(self, *, bytes resource=b"", bytes scope=b"", bytes schema_url=b"", bytes name=b"m",
                bytes unit=b"", bytes description=b"", uint32_t kind=1, uint32_t temporality=0,
                uint32_t monotonic=0, bytes attributes=b"", uint32_t previous=0):
        """(series id, level, source): finds or creates a series as ingest does.

        Level 1 is the guess at what comes after series `previous`, 2 the table of raw bytes, 3 the
        canonical set. `source` is the hash of a collapsed set, else None.
        """
        cdef Request request
        cdef uint64_t source = 0
        cdef uint32_t id
        cdef int level, slot
        cdef Scan scan
        cdef bint collapsed
        request.resource = span_of(resource)
        request.scope = span_of(scope)
        request.schema_url = span_of(schema_url)
        request.name = span_of(name)
        request.unit = span_of(unit)
        request.description = span_of(description)
        request.attributes = span_of(attributes)
        request.kind = kind
        request.temporality = temporality
        request.monotonic = monotonic
        with nogil:
            scan_init(&scan, &self.account)
            slot = epoch_enter(&self.epochs)
            id = resolve(&self.table, &scan, &request, previous, &level, &source)
            collapsed = id != 0 and series_get(&self.table, id).flags & SERIES_OVERFLOW != 0
            epoch_leave(&self.epochs, slot)
            scan_destroy(&scan)
        if id == 0:
            raise MemoryError("no memory, or no room even for one that stands for others")
        return id, level, source if collapsed else None

    def find_all(self, list attributes not None, size_t repeat=1, *, bint guess=False):
        """Looks all sets up `repeat` times without the GIL, by level 1 or by level 2.

        They are of the resource, scope and metric that `resolve` takes if it is given none. Returns
        how many were found by that level.
        """
        cdef size_t count = len(attributes), i, _turn, found = 0
        cdef Span *spans = <Span *>mem_alloc(&self.account, count * sizeof(Span))
        cdef uint32_t resource_id, scope_id, metric_id, previous = 0, id
        cdef int slot
        if spans == NULL:
            raise MemoryError(f"no memory to look up {count} sets")
        for i in range(count):
            spans[i] = span_of(attributes[i])
        slot = epoch_enter(&self.epochs)
        resource_id = resource_find(&self.table, span_of(b""))
        scope_id = scope_find(&self.table, span_of(b""), span_of(b""))
        metric_id = metric_find(&self.table, KIND_GAUGE, 0, 0, span_of(b"m"), span_of(b""))
        with nogil:
            for _turn in range(repeat):
                for i in range(count):
                    if guess:
                        id = series_guess(
                            &self.table, previous, resource_id, scope_id, metric_id, spans[i])
                        if id == 0:
                            id = series_find(
                                &self.table, resource_id, scope_id, metric_id, spans[i])
                            series_follows(&self.table, previous, id)
                            found -= id != 0
                        previous = id
                    else:
                        id = series_find(&self.table, resource_id, scope_id, metric_id, spans[i])
                    found += id != 0
        epoch_leave(&self.epochs, slot)
        mem_free(&self.account, spans)
        return found

    def observe(self, uint32_t series, object source, *, int64_t time, uint64_t value,
                uint32_t flags=0, int64_t start=0, object payload=None):
        """A collapsed source's point as the series stores it: (time, value, flags, start, payload).

        None: it is a baseline.

        `payload` is a list of words, as points/slots.pxd describes them.
        """
        cdef Point point
        cdef uint64_t words[256]
        cdef uint64_t hash = source
        cdef int verdict, slot
        cdef size_t i, count = 0 if payload is None else len(payload)
        if count > 256:
            raise ValueError(f"{count} payload words; at most 256 are taken here")
        for i in range(count):
            words[i] = payload[i]
        memset(&point, 0, sizeof(Point))
        point.timestamp = time
        point.value = value
        point.flags = flags
        point.series = series
        point.payload = <uint32_t>count
        with nogil:
            slot = epoch_enter(&self.epochs)
            verdict = overflow_point(
                &self.table, series, hash, &point, &start, words if count else NULL)
            epoch_leave(&self.epochs, slot)
        if verdict == NO_MEMORY:
            raise MemoryError("no memory to remember a source")
        if verdict == BASELINE:
            return None
        return point.timestamp, point.value, point.flags, start, [words[i] for i in range(count)]

    def append(self, uint32_t series, int64_t time, uint64_t value):
        """A point for the chunks of a series, as the drain appends it."""
        cdef Point point
        cdef int verdict
        memset(&point, 0, sizeof(Point))
        point.timestamp = time
        point.value = value
        point.series = series
        with nogil:
            pthread_mutex_lock(&self.chunks.lock)
            verdict = chunks_append(
                &self.chunks, &series_get(&self.table, series).data, &point, 0, NULL)
            pthread_mutex_unlock(&self.chunks.lock)
        if verdict != OK:
            raise MemoryError("no memory for a point")

    def touch(self, uint32_t series, uint32_t second):
        """Says that a point of the series arrived at a second of the monotonic clock."""
        store32_relaxed(&series_get(&self.table, series).seen, second)

    def seen(self, uint32_t series):
        """The monotonic second of the last arrival."""
        return load32_relaxed(&series_get(&self.table, series).seen)

    def evict_idle(self, uint32_t now, uint32_t most=0xFFFFFFFF):
        """Evicts series idle for ten minutes before `now`; returns how many."""
        cdef uint32_t evicted
        with nogil:
            evicted = series_evict_idle(&self.table, now, most)
        return evicted

    def is_live(self, uint32_t series):
        """Whether the id names a series that is not evicted."""
        cdef int slot = epoch_enter(&self.epochs)
        cdef Series *found = series_get(&self.table, series)
        cdef bint live = found != NULL and found.flags & SERIES_EVICTED == 0
        epoch_leave(&self.epochs, slot)
        return live

    def is_known(self, uint32_t series):
        """Whether the id still leads to a series, live or evicted."""
        return series_get(&self.table, series) != NULL

    def options(self, uint32_t series):
        """SeriesData.options of the series."""
        return series_get(&self.table, series).data.options

    def aliases(self, uint32_t series):
        """The raw bytes that lead to the series by level 2."""
        cdef Series *found = series_get(&self.table, series)
        cdef uint32_t i
        return [entry_bytes(found.aliases[i])[:found.aliases[i].length]
                for i in range(found.alias_count)]

    def enter(self):
        """Enters an epoch, as a call under way does; returns its slot."""
        return epoch_enter(&self.epochs)

    def leave(self, int slot):
        """Leaves the epoch of `slot`."""
        epoch_leave(&self.epochs, slot)

    def publish(self, uint64_t slots):
        """Moves the ring's head on, as a call does that publishes `slots`."""
        add_seq_cst(&self.head, slots)

    def drain(self, uint64_t position):
        """Says that the ring is drained up to `position`."""
        store_release(&self.epochs.drained, position)

    def reclaim(self):
        """Gives back what nobody can hold any more; returns how many things."""
        cdef size_t freed
        with nogil:
            freed = epoch_reclaim(&self.epochs)
        return freed

    def identity(self, uint32_t series):
        """(metric, kind, temporality, monotonic, unit, service, attributes, resource, scope)."""
        cdef int slot = epoch_enter(&self.epochs)
        try:
            return series_identity(&self.table, series)
        finally:
            epoch_leave(&self.epochs, slot)

    def streams(self, str name=None):
        """(name, kind, temporality, monotonic, unit, description, ids) of metrics, all or named."""
        cdef int slot = epoch_enter(&self.epochs)
        try:
            return catalog_streams(&self.table, name)
        finally:
            epoch_leave(&self.epochs, slot)

    def services(self):
        """{service: number of its resources}."""
        cdef int slot = epoch_enter(&self.epochs)
        try:
            return catalog_producers(&self.table)
        finally:
            epoch_leave(&self.epochs, slot)

    @cython.boundscheck(False)
    @cython.wraparound(False)
    def attribute_column(self, const uint32_t[::1] ids not None, str key not None):
        """Value ids of attribute `key`; 0 where absent."""
        found = np.zeros(len(ids), np.uint32)
        cdef uint32_t[::1] out = found
        cdef uint32_t key_id = find_string(&self.table, key.encode())
        if len(ids) and key_id:
            with nogil:
                attribute_column(&self.table, &ids[0], ids.shape[0], key_id, &out[0])
        return found

    @cython.boundscheck(False)
    @cython.wraparound(False)
    def service_column(self, const uint32_t[::1] ids not None):
        """Value ids of the service's name."""
        found = np.zeros(len(ids), np.uint32)
        cdef uint32_t[::1] out = found
        if len(ids):
            with nogil:
                service_column(&self.table, &ids[0], ids.shape[0], &out[0])
        return found

    def find_string(self, bytes text not None):
        """The id of a key, or of a canonical value; 0 if unknown."""
        return find_string(&self.table, text)

    def string(self, uint32_t id):
        """The bytes of an id."""
        return string_bytes(&self.table, id)

    def fail_allocation(self, uint64_t n):
        """Makes the n-th allocation from now on fail (0: none)."""
        self.account.fail_at = self.account.calls + n if n else 0

    @property
    def allocations(self):
        """Allocations asked for so far."""
        return load_relaxed(&self.account.calls)

    @property
    def memory(self):
        """Bytes owned."""
        return load_relaxed(&self.account.bytes)

    @property
    def counts(self):
        """Records of each kind, raw keys, and what has been evicted or collapsed."""
        return {
            "series": load32_relaxed(&self.table.series_count),
            "strings": self.table.strings.count,
            "resources": self.table.resources.count,
            "scopes": self.table.scopes.count,
            "metrics": self.table.metrics.count,
            "aliases": self.table.aliases.count,
            "envelope_aliases": self.table.resource_aliases.count + self.table.scope_aliases.count,
            "evicted_series": load_relaxed(&self.table.evicted_series),
            "evicted_points": load_relaxed(&self.chunks.evicted_points),
            "overflowed_series": load_relaxed(&self.table.overflowed_series),
            "overflowed_points": load_relaxed(&self.table.overflowed_points),
            "baseline_points": load_relaxed(&self.table.baseline_points),
        }

    def reference_counts(self):
        """{string: references} of all strings in use."""
        cdef uint32_t id
        cdef Entry *entry
        found = {}
        for id in range(1, self.table.strings.next_id):
            entry = table_get(&self.table.strings, id)
            if entry != NULL and entry.refs:
                found[string_bytes(&self.table, id)] = entry.refs
        return found


cdef void mask_hashes(SeriesTable *table, uint64_t hash_mask) noexcept nogil:
    table.strings.hash_mask = hash_mask
    table.resources.hash_mask = hash_mask
    table.scopes.hash_mask = hash_mask
    table.metrics.hash_mask = hash_mask
    table.series.hash_mask = hash_mask
    table.aliases.hash_mask = hash_mask
    table.resource_aliases.hash_mask = hash_mask
    table.scope_aliases.hash_mask = hash_mask


cdef uint32_t resolve(
    SeriesTable *table, Scan *scan, const Request *request, uint32_t previous, int *level,
    uint64_t *source
) noexcept nogil:
    """As ingest: resource, scope and metric by their raw bytes, then the series by three levels."""
    cdef uint32_t resource = resource_find(table, request.resource)
    cdef uint32_t scope = scope_find(table, request.scope, request.schema_url)
    cdef uint32_t metric = metric_find(table, request.kind, request.temporality, request.monotonic,
                                       request.name, request.unit)
    cdef uint32_t id = 0
    if resource and scope and metric:
        level[0] = 1
        id = series_guess(table, previous, resource, scope, metric, request.attributes)
        if id == 0:
            level[0] = 2
            id = series_find(table, resource, scope, metric, request.attributes)
    if id == 0:
        level[0] = 3
        # References, so that nothing that was found is evicted before the series holds it.
        resource = resource_add(table, scan, request.resource)
        scope = scope_add(table, scan, request.scope, request.schema_url)
        metric = metric_add(table, request.kind, request.temporality, request.monotonic,
                            request.name, request.unit, request.description)
        if resource and scope and metric:
            id = series_add(table, scan, resource, scope, metric, request.attributes, source)
        if resource:
            resource_release(table, resource)
        if scope:
            scope_release(table, scope)
        if metric:
            metric_release(table, metric)
    if id and previous:
        series_follows(table, previous, id)
    return id
