"""The engine as Python sees it: `Engine`, and `Reader` for queries.

Thin: arguments are checked, the GIL is released around every step that takes long, codes become
exceptions. The work is in ingest, drain, maintenance and scan.
"""
import threading

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.unistd cimport usleep

import numpy as np

from urpo_store.engine.alloc cimport Account, account_init
from urpo_store.engine.atomics cimport (
    add_relaxed, load32_relaxed, load_relaxed, pthread_mutex_lock, pthread_mutex_unlock,
)
from urpo_store.engine.catalog cimport (
    attribute_column, catalog_producers, catalog_streams, find_string, resource_column, scope_column,
    series_identity, service_column, string_bytes,
)
from urpo_store.engine.drain cimport (
    compress_all, drain_all, drain_start, drain_stop,
)
from urpo_store.engine.epoch cimport epoch_enter, epoch_leave, epoch_waits
from urpo_store.engine.exemplars cimport read_exemplars
from urpo_store.engine.health cimport health_report
from urpo_store.engine.ingest cimport ingest_request
from urpo_store.engine.maintenance cimport evict_idle, maintain
from urpo_store.engine.points cimport (
    payload_exemplar_bytes, payload_layout_words, payload_row_words,
)
from urpo_store.engine.ring cimport RingCopies, RingCopy, ring_collect_one, ring_copies_free
from urpo_store.engine.rows cimport Rows, rows_clear, rows_free, rows_init
from urpo_store.engine.scan cimport scan_series
from urpo_store.engine.series_types cimport Series, series_get
from urpo_store.engine.store cimport (
    Refusal, Staging, Store, process_generation, store_free, store_open,
)
from urpo_store.engine.wire cimport wire_error_text
from urpo_store.engine.wire_types cimport WIRE_MALFORMED, WIRE_NO_MEMORY

from urpo_store.engine.values import decode_value, encode_value
from urpo_store.errors import DecodeError, StoreClosedError

# Why points are refused, by REJECT_* code: the reason, and what to do about it.
REASONS = {
    1: "time_unix_nano is 0; set it to the time of the measurement",
    2: "a time is 2^63 ns or later; times are Unix nanoseconds",
    3: "the point has no value and is not marked 'no recorded value'",
    4: "aggregation_temporality is neither delta nor cumulative; set one of them",
    5: "there must be one bucket count more than explicit bounds, or none of either",
    6: "the bucket counts do not add up to the count",
    7: "the explicit bounds are not strictly increasing, or one is NaN",
    8: "a scale or bucket index is beyond what a float64 can bound; use a smaller scale",
    9: "the point has more buckets than the store takes; use fewer, or a larger ring_slots",
    10: "the metric has no name",
    12: "there are more attributes than the store takes; raise max_attributes, or send fewer",
    13: "a string is longer than the store takes; raise max_string, or shorten it",
    14: "the point is older than the retention; open the store with a longer one, or None",
    15: "there is no room for a new series; raise max_series or memory_limit",
}


cdef class Engine:
    """One embedded store. Any thread may call any method; `close` waits for calls under way.

    Times and lengths of time are int nanoseconds, sizes are bytes; `retention` 0 keeps any age.
    Raises MemoryError where memory is short, StoreClosedError after `close` and in a forked child.
    """

    cdef Store *store
    cdef readonly bint closed
    cdef Py_ssize_t calls           # calls under way; written with the GIL held
    cdef object idle                # Event: set when closed and no call is under way
    cdef object owner               # closing runs once
    cdef readonly int64_t retention
    cdef readonly uint64_t memory_limit
    cdef readonly uint32_t max_series

    def __cinit__(self, *, int64_t retention, uint64_t memory_limit, uint32_t max_series,
                  uint32_t max_attributes, uint32_t max_string, uint64_t ring_slots,
                  uint64_t drain_interval, bint background=True):
        self.closed = True
        self.idle = threading.Event()
        self.retention = retention
        self.memory_limit = memory_limit
        self.max_series = max_series
        with nogil:
            self.store = store_open(ring_slots, memory_limit, max_series, retention, max_attributes,
                                    max_string, drain_interval)
        if self.store == NULL:
            raise MemoryError("there is no memory for the hot ring and the tables of a store")
        self.closed = False
        if background and drain_start(self.store) != 0:
            raise RuntimeError("the drain thread could not be started; the limit of threads is reached")

    def __dealloc__(self):
        if self.store != NULL and self.calls == 0:
            if self.store.generation != process_generation():
                # The drain thread lives in the parent; nothing here may be waited for or locked.
                return
            with nogil:
                drain_stop(self.store)
                store_free(self.store)
            self.store = NULL

    cdef Store *enter(self) except NULL:
        """Counts a call in; every `enter` is followed by one `leave`."""
        if self.closed:
            raise StoreClosedError("the store is closed; open another: urpo_store.open()")
        if self.store.generation != process_generation():
            raise StoreClosedError(
                "the store belongs to the parent of this process; open one after the fork")
        self.calls += 1
        return self.store

    cdef void leave(self) noexcept:
        self.calls -= 1
        if self.closed and self.calls == 0:
            self.idle.set()

    def check_open(self):
        """Raise StoreClosedError unless the store can be used."""
        self.enter()
        self.leave()

    def close(self):
        """Stop the drain thread and give everything back, after the calls under way."""
        if self.closed:
            return
        self.closed = True
        if self.store.generation != process_generation():
            return
        if self.calls:
            self.idle.wait()
        with nogil:
            drain_stop(self.store)
            store_free(self.store)
        self.store = NULL

    def ingest(self, request not None):
        """Store an OTLP request: (accepted, rejected, [(reason code, metric, service, points)]).

        Raises DecodeError, and then nothing has been stored.
        """
        # The bytes must not change while they are scanned: only `bytes` cannot.
        cdef bytes data = request if PyBytes_CheckExact(request) else bytes(memoryview(request))
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef size_t n = PyBytes_GET_SIZE(data)
        cdef Store *store = self.enter()
        cdef int slot, verdict
        cdef Staging *staging
        try:
            if is_full(store):
                raise MemoryError(
                    f"memory_limit={store.memory_limit} is reached, and queries under way still read what has "
                    f"been given up; send the request again later")
            with nogil:
                slot = epoch_enter(&store.epochs)
                verdict = ingest_request(store, slot, p, n)
            staging = store.staging[slot]
            try:
                if verdict == WIRE_MALFORMED:
                    raise DecodeError(
                        f"the request is not OTLP: {wire_error_text(staging.scan.error).decode()} "
                        f"near byte {staging.scan.error_offset} of {n}; send an "
                        f"ExportMetricsServiceRequest in protobuf")
                if verdict == WIRE_NO_MEMORY:
                    raise MemoryError(f"no memory to take in a request of {n} bytes")
                return staging.accepted, staging.rejected, refusals_of(staging)
            finally:
                with nogil:
                    epoch_leave(&store.epochs, slot)
                    if load_relaxed(&store.account.bytes) > store.memory_limit:
                        maintain(store, False)
        finally:
            self.leave()

    def reader(self):
        """A Reader, to be closed by the caller."""
        return Reader(self)

    def health(self, str service not None, int64_t window, int64_t at, int64_t now):
        """(known, fields): the fields of ServiceHealthMetrics behind the name.

        Fields are None when `at` lies outside what is kept for health.
        """
        cdef Store *store = self.enter()
        cdef int slot = inside(store)
        try:
            return health_report(&store.health, find_value(store, service), window, at, now)
        finally:
            epoch_leave(&store.epochs, slot)
            self.leave()

    def services(self):
        """Names of all services."""
        cdef Store *store = self.enter()
        cdef int slot = inside(store)
        try:
            return list(catalog_producers(&store.table))
        finally:
            epoch_leave(&store.epochs, slot)
            self.leave()

    def stats(self):
        """The fields of StoreStats."""
        cdef Store *store = self.enter()
        cdef int slot = inside(store)
        cdef uint64_t arrival = load_relaxed(&store.last_arrival)
        cdef uint64_t held, drained, published
        with nogil:
            # Under the drain lock, or a point that moves meanwhile would be counted here and there.
            pthread_mutex_lock(&store.chunks.lock)
            held = store.chunks.points
            drained = store.drained_points
            pthread_mutex_unlock(&store.chunks.lock)
            published = load_relaxed(&store.published_points)
        try:
            # The other counters move while they are read; each is right by itself.
            producers = catalog_producers(&store.table)
            return {
                "points": held + published - drained,
                "series": load32_relaxed(&store.table.series_count),
                "ring_points": published - drained,
                "ring_capacity": store.ring.capacity,
                "compressed_points": held,
                "compressed_bytes": load_relaxed(&store.chunks.chunk_bytes),
                "index_bytes": load_relaxed(&store.index_account.bytes),
                "memory_bytes": load_relaxed(&store.account.bytes),
                "memory_limit": store.memory_limit,
                "max_series": store.table.max_series,
                "accepted_points": load_relaxed(&store.accepted_points),
                "rejected_points": load_relaxed(&store.rejected_points),
                "duplicate_points": load_relaxed(&store.chunks.duplicate_points),
                "replaced_points": load_relaxed(&store.chunks.replaced_points),
                "late_points": load_relaxed(&store.chunks.late_points),
                "stale_points": load_relaxed(&store.stale_points),
                "evicted_points": load_relaxed(&store.chunks.evicted_points),
                "expired_points": load_relaxed(&store.chunks.expired_points),
                "evicted_series": load_relaxed(&store.table.evicted_series),
                "overflowed_series": load_relaxed(&store.table.overflowed_series),
                "overflowed_points": load_relaxed(&store.table.overflowed_points),
                "baseline_points": load_relaxed(&store.table.baseline_points),
                "dropped_exemplars": (load_relaxed(&store.dropped_exemplars)
                                      + load_relaxed(&store.chunks.dropped_exemplars)),
                "rejected_requests": load_relaxed(&store.rejected_requests),
                "services": len(producers),
                "metrics": len({stream[0] for stream in catalog_streams(&store.table, None)}),
                "strings": load32_relaxed(&store.table.strings.count),
                "chunks": load_relaxed(&store.chunks.chunk_count),
                "drains": load_relaxed(&store.drains),
                "last_arrival": arrival or None,
                "producers": producers,
            }
        finally:
            epoch_leave(&store.epochs, slot)
            self.leave()

    def drain(self):
        """Drain the ring now; returns slots passed."""
        cdef Store *store = self.enter()
        cdef uint64_t passed
        with nogil:
            passed = drain_all(store)
        self.leave()
        return passed

    def maintain(self, uint32_t ahead=0):
        """Apply retention and memory limit now, and give back what waits.

        For tests: idle series are told as if it were `ahead` seconds later.
        """
        cdef Store *store = self.enter()
        with nogil:
            maintain(store, True, ahead)
        self.leave()

    def evict_idle(self, uint32_t ahead):
        """Evict series as if it were `ahead` seconds later; returns how many. For tests."""
        cdef Store *store = self.enter()
        cdef uint32_t evicted
        with nogil:
            evicted = evict_idle(store, ahead)
        self.leave()
        return evicted

    def full_tails_sealed(self):
        """How many full tails were sealed outside the drain lock. For tests."""
        cdef Store *store = self.enter()
        cdef uint64_t sealed = load_relaxed(&store.chunks.full_sealed)
        self.leave()
        return sealed

    def compress_cold(self):
        """Drain the ring and seal every open chunk."""
        cdef Store *store = self.enter()
        cdef int failed
        with nogil:
            failed = compress_all(store)
        self.leave()
        if failed:
            raise MemoryError("no memory to seal every open chunk; what is not sealed stays open")

    def fail_allocation(self, uint64_t n):
        """Make the n-th allocation from now on fail (0: none); how many there have been. For tests."""
        cdef Store *store = self.enter()
        cdef uint64_t calls = load_relaxed(&store.account.calls)
        store.account.fail_at = calls + n if n else 0
        self.leave()
        return calls


cdef bytes utf8(str text):
    """Its bytes; None for text with half of a surrogate pair, which nothing that is stored has."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


cdef uint32_t find_value(Store *store, object value) except? 0:
    """The id of exactly this typed value; 0 if nothing has it."""
    try:
        return find_string(&store.table, encode_value(value))
    except UnicodeEncodeError:
        return 0


cdef bint is_full(Store *store) noexcept:
    """Whether the store is beyond its limit by an eighth because calls under way, queries as a rule, hold
    what it has given up: what is taken in now would pile up until they have left."""
    cdef uint64_t most = store.memory_limit + store.memory_limit // 8
    cdef uint64_t before, bytes = load_relaxed(&store.account.bytes)
    cdef bint held = False
    cdef int waited = 0, idle = 0
    if bytes <= most:
        return False
    with nogil:
        # Others that store, or seal, leave within milliseconds; and each time more open chunks are sealed.
        while bytes > most and waited < 8 and idle < 4:
            before = bytes
            maintain(store, False)
            bytes = load_relaxed(&store.account.bytes)
            held = bytes > most and epoch_waits(&store.epochs, load_relaxed(&store.evicted_epoch))
            if held:
                waited += 1
                usleep(500)
            elif bytes >= before:
                idle += 1
    if held:
        add_relaxed(&store.rejected_requests, 1)
    return held


cdef int inside(Store *store):
    """Enters an epoch. Without the GIL: whoever holds the last free slot may need it to leave."""
    cdef int slot
    with nogil:
        slot = epoch_enter(&store.epochs)
    return slot


cdef list refusals_of(Staging *staging):
    cdef Refusal *refusal
    cdef list found = []
    cdef uint32_t i
    for i in range(staging.refusal_count):
        refusal = &staging.refusals[i]
        # A name may have been cut inside a character.
        found.append((
            refusal.reason,
            refusal.metric[:refusal.metric_length].decode("utf-8", "replace"),
            refusal.service[:refusal.service_length].decode("utf-8", "replace"),
            refusal.points,
        ))
    return found


cdef class RowsOwner:
    """Decoded columns, and the account they are counted in; numpy arrays keep it alive.

    A reader decodes into the same one again as soon as no array is left of the last time: memory
    that is warm, where new memory would cost more than decoding does.
    """

    cdef Rows rows
    cdef Account account
    cdef size_t columns         # Columns that look into it; under the GIL

    def __cinit__(self):
        account_init(&self.account, NULL)
        rows_init(&self.rows, &self.account)

    def __dealloc__(self):
        rows_free(&self.rows)


cdef class Column:
    """One column of a RowsOwner through the buffer protocol, read-only."""

    cdef RowsOwner owner
    cdef void *data
    cdef Py_ssize_t bytes

    def __dealloc__(self):
        # A collector of cycles may have taken the owner away; that one is then not used again.
        if self.owner is not None:
            self.owner.columns -= 1

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.data, self.bytes, 1, flags)

    def __releasebuffer__(self, Py_buffer *buffer):
        pass


cdef object column(RowsOwner owner, void *data, size_t count, object dtype, size_t size):
    cdef Column view
    if count == 0 or data == NULL:
        return np.empty(0, dtype)
    view = Column.__new__(Column)
    view.owner = owner
    owner.columns += 1
    view.data = data
    view.bytes = count * size
    return np.frombuffer(view, dtype)


cdef class IdColumn:
    """Ids that came from Python, and a column of as many, as plain pointers."""

    cdef object owner
    cdef readonly object found
    cdef const uint32_t *ids
    cdef uint32_t *out
    cdef size_t count

    def __cinit__(self, const uint32_t[::1] ids not None):
        cdef uint32_t[::1] view
        self.owner = ids
        self.count = ids.shape[0]
        self.found = np.zeros(self.count, np.uint32)
        view = self.found
        if self.count:
            self.ids = &ids[0]
            self.out = &view[0]


cdef class Reader:
    """A way into the stored series; what it names stays valid until it is closed."""

    cdef Engine engine
    cdef Store *store
    cdef int slot
    cdef RowsOwner owner        # of the last scan; None before the first

    def __cinit__(self, Engine engine not None):
        self.store = engine.enter()
        self.engine = engine
        with nogil:
            self.slot = epoch_enter(&self.store.epochs)

    def close(self):
        """Leave; again: does nothing."""
        if self.store != NULL:
            epoch_leave(&self.store.epochs, self.slot)
            self.store = NULL
            self.owner = None
            self.engine.leave()

    def __dealloc__(self):
        if self.store != NULL:
            epoch_leave(&self.store.epochs, self.slot)
            self.store = NULL
            if self.engine is not None:
                self.engine.leave()

    cdef RowsOwner rows_owner(self):
        """Room to decode into: that of the last scan, if nobody looks into it any more."""
        if self.owner is None or self.owner.columns:
            self.owner = RowsOwner()
        rows_clear(&self.owner.rows)
        return self.owner

    cdef Store *opened(self) except NULL:
        if self.store == NULL:
            raise StoreClosedError("this reader is closed; ask the store for another")
        return self.store

    def streams(self, str metric):
        """(name, kind, temporality, monotonic, unit, description, ids) of each stream of the name; None: all."""
        cdef Store *store = self.opened()
        if metric is not None and utf8(metric) is None:
            return []
        return catalog_streams(&store.table, metric)

    def attribute_column(self, ids, str key not None):
        """Value ids of attribute `key` for each series; 0 where absent."""
        cdef Store *store = self.opened()
        cdef IdColumn column = IdColumn(ids)
        cdef bytes text = utf8(key)
        cdef uint32_t key_id = 0 if text is None else find_string(&store.table, text)
        if column.count and key_id:
            attribute_column(&store.table, column.ids, column.count, key_id, column.out)
        return column.found

    def service_column(self, ids):
        """Value ids of the service's name for each series."""
        cdef IdColumn column = IdColumn(ids)
        service_column(&self.opened().table, column.ids, column.count, column.out)
        return column.found

    def resource_column(self, ids):
        """A number for each series, the same for the same resource."""
        cdef IdColumn column = IdColumn(ids)
        resource_column(&self.opened().table, column.ids, column.count, column.out)
        return column.found

    def scope_column(self, ids):
        """A number for each series, the same for the same scope."""
        cdef IdColumn column = IdColumn(ids)
        scope_column(&self.opened().table, column.ids, column.count, column.out)
        return column.found

    def find_value(self, value):
        """The id of exactly this typed value; 0 if nothing has it."""
        return 0 if value is None else find_value(self.opened(), value)

    def value(self, uint32_t value_id):
        """The typed value of an id that a column holds."""
        return decode_value(string_bytes(&self.opened().table, value_id))

    def identity(self, uint32_t series_id):
        """(metric, kind, temporality, monotonic, unit, service, attributes, resource, scope)."""
        return series_identity(&self.opened().table, series_id)

    def scan(self, const uint32_t[::1] ids not None, int64_t start, int64_t end, bint predecessor):
        """The columns of query.source.Scanned, as a tuple; layouts as (words, row words)."""
        cdef Store *store = self.opened()
        cdef size_t n = ids.shape[0]
        cdef RowsOwner owner = self.rows_owner()
        cdef Rows *rows = &owner.rows
        cdef const uint32_t *p = &ids[0] if n else NULL
        cdef int failed
        cdef size_t i
        cdef uint64_t layout
        offsets = np.zeros(n + 1, np.int64)
        first = np.zeros(n, np.int64)
        cdef int64_t[::1] offsets_view = offsets
        cdef int64_t[::1] first_view = first
        cdef int64_t *first_p = &first_view[0] if n else NULL
        cdef int64_t *offsets_p = &offsets_view[0]
        if n:
            with nogil:
                failed = scan_series(store, p, n, start, end, predecessor, rows, offsets_p, first_p)
            if failed:
                raise MemoryError(f"no memory to read {n} series from {start} to {end}")
        layouts = []
        words = column(owner, rows.layout_words, rows.layout_word_count, np.uint64, 8)
        for i in range(rows.layout_count):
            layout = rows.layouts[i]
            layouts.append((words[layout >> 32:(layout >> 32) + ((layout >> 16) & 0xFFFF)], layout & 0xFFFF))
        has_rows = rows.row != NULL and rows.layout_count > 0
        return (
            offsets,
            first,
            column(owner, rows.times, rows.count, np.int64, 8),
            column(owner, rows.starts, rows.count, np.int64, 8),
            column(owner, rows.values, rows.count, np.uint64, 8),
            column(owner, rows.flags, rows.count, np.uint32, 4),
            column(owner, rows.layout, rows.count, np.uint32, 4) if has_rows else None,
            column(owner, rows.row, rows.count, np.uint64, 8) if has_rows else None,
            column(owner, rows.words, rows.word_count, np.uint64, 8) if has_rows else None,
            layouts,
        )

    def exemplars(self, const uint32_t[::1] ids not None, int64_t start, int64_t end):
        """[(index in ids, time of its point or its own, raw Exemplar message)], in no order.

        Those of drained points have start <= time <= end; of points in the ring, all are returned.
        """
        cdef Store *store = self.opened()
        cdef RingCopies copies
        cdef Series *series
        cdef Py_ssize_t i
        cdef uint32_t id
        cdef int failed
        cdef list found = []
        for i in range(ids.shape[0]):
            series = series_get(&store.table, ids[i])
            if series == NULL:
                continue
            # The ring first: what leaves it meanwhile is found in the chunks, perhaps once more.
            seen = set()
            memset(&copies, 0, sizeof(RingCopies))
            copies.account = &store.query_account
            id = ids[i]
            with nogil:
                failed = ring_collect_one(&store.ring, id, &copies)
            if failed:
                ring_copies_free(&copies)
                raise MemoryError("no memory to read the hot exemplars of a series")
            try:
                collect_exemplars(&copies, seen)
            finally:
                ring_copies_free(&copies)
            seen.update(read_exemplars(&store.chunks, &series.data, start, end))
            found += [(i, time, raw) for time, raw in seen]
        return found


cdef int collect_exemplars(RingCopies *copies, set seen) except -1:
    """Adds (time of the point, raw message) of each exemplar in the copies."""
    cdef RingCopy *copy
    cdef uint64_t *words
    cdef const char *p
    cdef const char *end
    cdef uint32_t length
    cdef size_t i
    for i in range(copies.count):
        copy = &copies.items[i]
        if copy.point.payload == 0:
            continue
        words = copies.words + copy.words
        p = <const char *>(words + 1 + payload_layout_words(words[0]) + payload_row_words(words[0]))
        end = p + payload_exemplar_bytes(words[0])
        while p < end:
            memcpy(&length, p, 4)
            seen.add((copy.point.timestamp, p[4:4 + length]))
            p += 4 + length
    return 0
