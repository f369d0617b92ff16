"""The engine as Python sees it; the contract is in core.pxd.

Thin: it checks arguments, releases the GIL around every step that takes long, and turns codes into
exceptions. The work is done in ingest, drain and maintenance.
"""
import threading

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.atomics cimport (
    add_relaxed, load32_relaxed, load_relaxed, pthread_mutex_lock, pthread_mutex_unlock,
)
from urpo_store.engine.memory.epoch cimport epoch_enter, epoch_leave
from urpo_store.engine.memory.failures cimport failure
from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.wire.scanner cimport wire_error_text
from urpo_store.engine.identity.catalog cimport catalog_producers, catalog_streams, find_value
from urpo_store.engine.health.services cimport health_report
from urpo_store.engine.drain cimport compress_all, drain_start, drain_stop
from urpo_store.engine.ingest cimport ingest_request
from urpo_store.engine.maintenance cimport maintain, memory_is_held
from urpo_store.engine.request cimport Refusal, Staging, staging_of, stagings_free
from urpo_store.engine.store cimport Options, Store, process_generation, store_free, store_open

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

    def __cinit__(self, *, int64_t retention, uint64_t memory_limit, uint32_t max_series,
                  uint32_t max_attributes, uint32_t max_string, uint64_t ring_slots,
                  uint64_t drain_interval, bint background=True):
        cdef Options options
        self.closed = True
        self.idle = threading.Event()
        self.retention = retention
        self.memory_limit = memory_limit
        self.max_series = max_series
        options.ring_slots = ring_slots
        options.memory_limit = memory_limit
        options.max_series = max_series
        options.retention = retention
        options.max_attributes = max_attributes
        options.max_string = max_string
        options.drain_interval = drain_interval
        with nogil:
            self.store = store_open(&options)
        if self.store == NULL:
            raise MemoryError("there is no memory for the hot ring and the tables of a store")
        self.closed = False
        if background and not drain_start(self.store):
            raise RuntimeError(
                "the drain thread could not be started; the limit of threads is reached")

    def __dealloc__(self):
        # In a forked child the drain thread is not there, and nothing may be waited for or locked.
        if self.store != NULL and self.calls == 0 and self.is_ours():
            self.shut()

    cdef Store *enter(self) except NULL:
        if self.closed:
            raise StoreClosedError("the store is closed; open another: urpo_store.open()")
        if not self.is_ours():
            raise StoreClosedError(
                "the store belongs to the parent of this process; open one after the fork")
        self.calls += 1
        return self.store

    cdef void leave(self) noexcept:
        self.calls -= 1
        if self.closed and self.calls == 0:
            self.idle.set()

    cdef bint is_ours(self) noexcept:
        """False in a forked child: the store is the parent's."""
        return self.store.generation == process_generation()

    cdef void shut(self) noexcept:
        with nogil:
            drain_stop(self.store)
            stagings_free(self.store)
            store_free(self.store)
        self.store = NULL

    def check_open(self):
        """Raise StoreClosedError unless the store can be used."""
        self.enter()
        self.leave()

    def close(self):
        """Stop the drain thread and give everything back, after the calls under way."""
        if self.closed:
            return
        self.closed = True
        if self.is_ours():
            if self.calls:
                self.idle.wait()
            self.shut()

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
        cdef bint refused = False
        cdef Staging *staging
        try:
            if load_relaxed(&store.account.bytes) > store.options.memory_limit:
                with nogil:
                    refused = memory_is_held(store)
            if refused:
                add_relaxed(&store.counters.rejected_requests, 1)
                raise MemoryError(
                    f"memory_limit={store.options.memory_limit} is reached, and queries under way "
                    f"still read what has been given up; send the request again later")
            with nogil:
                slot = epoch_enter(&store.epochs)
                verdict = ingest_request(store, slot, p, n)
            try:
                if verdict == NO_MEMORY:
                    # Then there may be no staging either.
                    raise failure(verdict, f"take in a request of {n} bytes")
                staging = staging_of(store, slot)
                if verdict == BAD_BYTES:
                    raise DecodeError(
                        f"the request is not OTLP: {wire_error_text(staging.scan.error).decode()} "
                        f"near byte {staging.scan.error_offset} of {n}; send an "
                        f"ExportMetricsServiceRequest in protobuf")
                return staging.accepted, staging.rejected, refusals_of(staging)
            finally:
                with nogil:
                    epoch_leave(&store.epochs, slot)
                    if load_relaxed(&store.account.bytes) > store.options.memory_limit:
                        maintain(store, False)
        finally:
            self.leave()

    def health(self, str service not None, int64_t window, int64_t at, int64_t now):
        """(known, fields): the fields of ServiceHealthMetrics behind the name.

        Fields are None when the window reaches beyond the slots that are kept for health.
        """
        cdef Store *store = self.enter()
        cdef int slot = inside(store)
        try:
            return health_report(&store.health, find_value(&store.table, service), window, at, now)
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
        cdef uint64_t arrival = load_relaxed(&store.counters.last_arrival)
        cdef uint64_t held, drained, published
        with nogil:
            # Under the drain lock, or a point that moves meanwhile would be counted here and there.
            pthread_mutex_lock(&store.chunks.lock)
            held = store.chunks.points
            drained = store.counters.drained_points
            pthread_mutex_unlock(&store.chunks.lock)
            published = load_relaxed(&store.counters.published_points)
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
                "memory_limit": store.options.memory_limit,
                "max_series": store.table.max_series,
                "accepted_points": load_relaxed(&store.counters.accepted_points),
                "rejected_points": load_relaxed(&store.counters.rejected_points),
                "duplicate_points": load_relaxed(&store.chunks.duplicate_points),
                "replaced_points": load_relaxed(&store.chunks.replaced_points),
                "late_points": load_relaxed(&store.chunks.late_points),
                "stale_points": load_relaxed(&store.counters.stale_points),
                "evicted_points": load_relaxed(&store.chunks.evicted_points),
                "expired_points": load_relaxed(&store.chunks.expired_points),
                "evicted_series": load_relaxed(&store.table.evicted_series),
                "overflowed_series": load_relaxed(&store.table.overflowed_series),
                "overflowed_points": load_relaxed(&store.table.overflowed_points),
                "baseline_points": load_relaxed(&store.table.baseline_points),
                "dropped_exemplars": (load_relaxed(&store.counters.dropped_exemplars)
                                      + load_relaxed(&store.chunks.dropped_exemplars)),
                "rejected_requests": load_relaxed(&store.counters.rejected_requests),
                "services": len(producers),
                "metrics": len({stream[0] for stream in catalog_streams(&store.table, None)}),
                "strings": load32_relaxed(&store.table.strings.count),
                "chunks": load_relaxed(&store.chunks.chunk_count),
                "drains": load_relaxed(&store.counters.drains),
                "last_arrival": arrival or None,
                "producers": producers,
            }
        finally:
            epoch_leave(&store.epochs, slot)
            self.leave()

    def compress_cold(self):
        """Drain the ring and seal every open chunk."""
        cdef Store *store = self.enter()
        cdef int failed
        with nogil:
            failed = compress_all(store)
        self.leave()
        if failed != OK:
            raise failure(failed, "seal every open chunk; what is not sealed stays open")


cdef int inside(Store *store):
    """Enters an epoch. Without the GIL: the holder of the last free slot may need it to leave."""
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
