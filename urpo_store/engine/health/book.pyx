"""The health of one service, from Python: what windows outside the slots are answered with, and tests."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_alloc, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport (
    double_to_bits, monotonic_ns, pthread_mutex_lock, pthread_mutex_unlock, wall_ns,
)
from urpo_store.engine.points.slots cimport Point, payload_header
from urpo_store.engine.health.record cimport (
    health_file, health_series_free, health_series_new, health_service_free, health_service_new,
)
from urpo_store.engine.health.report cimport record_report
from urpo_store.engine.health.sources cimport Meaning, health_meaning
from urpo_store.engine.health.types cimport HealthSeries, HealthService


cdef const uint8_t *attribute_of(void *context, const char *key, uint32_t *length) noexcept nogil:
    with gil:
        value = (<dict>context).get(<bytes>key)
        if value is None:
            return NULL
        length[0] = <uint32_t>len(<bytes>value)
        return <const uint8_t *><char *><bytes>value


def _canonical(value):
    # As identity/values.pxd for the types that decide anything here; of others only the presence matters.
    if isinstance(value, bool):
        return b"b" + bytes([value])
    if isinstance(value, int):
        return b"i" + value.to_bytes(8, "little", signed=True)
    if isinstance(value, str):
        return b"s" + value.encode()
    return b"n"


@cython.final
cdef class HealthBook:
    """The health of one service from points given in Python.

    The store answers with it for windows outside its slots (`replay`); tests drive the arithmetic through it.
    Kinds, temporalities and flags are the numbers of points/slots.pxd; times are Unix nanoseconds.
    """
    cdef Account account
    cdef HealthService *service
    cdef list handles           # addresses of HealthSeries; 0: the series says nothing about requests

    def __cinit__(self, str service="service", int64_t first_seen=-1, uint64_t fail_at=0):
        account_init(&self.account, NULL)
        name = service.encode()
        self.service = health_service_new(&self.account, <const uint8_t *><char *>name, <uint32_t>len(name), 0)
        if self.service == NULL:
            raise MemoryError
        if first_seen >= 0:
            self.service.first_seen = first_seen
        self.account.fail_at = fail_at
        self.handles = []

    def __dealloc__(self):
        if self.service != NULL:
            health_service_free(self.service)

    def bind(self, str metric, str unit, int kind, int temporality, bint monotonic, attributes, bint collapsed=False):
        """A handle for the points of one series. `attributes`: those of point, scope and resource together."""
        cdef Meaning meaning
        cdef HealthSeries *series = NULL
        name = metric.encode()
        unit_text = unit.encode()
        known = {key.encode(): _canonical(value) for key, value in attributes.items()}
        if health_meaning(<const uint8_t *><char *>name, len(name), <const uint8_t *><char *>unit_text, len(unit_text),
                          kind, temporality, monotonic, attribute_of, <void *>known, &meaning):
            series = health_series_new(self.service, &meaning, <const uint8_t *><char *>name, <uint32_t>len(name),
                                       kind, temporality, collapsed)
        self.handles.append(<size_t>series)
        return len(self.handles) - 1

    def unbind(self, size_t handle):
        """Forget the series; what it counted stays."""
        cdef size_t address = self.handles[handle]
        self.handles[handle] = 0
        if address:
            pthread_mutex_lock(&self.service.lock)
            health_series_free(<HealthSeries *>address)
            pthread_mutex_unlock(&self.service.lock)

    def feeds(self, size_t handle):
        """Whether the points of this series count as requests or errors."""
        return self.handles[handle] != 0

    def observe(self, size_t handle, int64_t time, int64_t start, value, layout=(), row=(), uint32_t flags=0, now=None):
        """File one point; `layout` and `row` are its payload words (points/slots.pxd). `now` None: the clock's."""
        cdef Point point
        cdef size_t address = self.handles[handle]
        cdef size_t size = 1 + len(layout) + len(row)
        cdef int64_t moment = wall_ns() if now is None else now
        cdef uint64_t *payload = NULL
        cdef size_t i
        point.timestamp = time
        point.series = 1
        point.start = 1
        point.payload = 0
        point.flags = flags
        if isinstance(value, float):
            point.value = double_to_bits(value)
        else:
            point.value = <uint64_t>(value & 0xFFFFFFFFFFFFFFFF)
        if size > 1:
            payload = <uint64_t *>mem_alloc(&self.account, 8 * size)
            if payload == NULL:
                raise MemoryError
            payload[0] = payload_header(<uint32_t>len(layout), <uint32_t>len(row), 0)
            try:
                i = 1
                for word in layout:
                    payload[i] = word
                    i += 1
                for word in row:
                    payload[i] = word
                    i += 1
            except BaseException:
                mem_free(&self.account, payload)
                raise
        pthread_mutex_lock(&self.service.lock)
        health_file(self.service, <HealthSeries *>address, &point, start, payload, moment)
        pthread_mutex_unlock(&self.service.lock)
        mem_free(&self.account, payload)

    def replay(self, handles, scanned, now=None):
        """File the points of several series in order of time.

        `scanned` has the columns of `urpo_store.query.source.Scanned`, series i being `handles[i]`. A point before
        the window (a predecessor) is the baseline of its series, as it was when it came.
        """
        cdef const int64_t[:] offsets = scanned.offsets
        cdef const int64_t[:] times = scanned.times
        cdef const int64_t[:] starts = scanned.starts
        cdef const uint64_t[:] values = scanned.values
        cdef const uint32_t[:] flags = scanned.flags
        cdef const uint32_t[:] layout
        cdef const uint64_t[:] rows
        cdef const uint64_t[:] words
        cdef const uint64_t[:] shared
        cdef bint with_rows = scanned.layout is not None
        cdef int64_t moment = wall_ns() if now is None else now
        cdef uint64_t *payload = NULL
        cdef size_t capacity = 0
        cdef size_t size, shared_words, row_words, series, i, k
        cdef Point point
        owners = []
        for series, handle in enumerate(handles):
            owners.extend([handle] * (offsets[series + 1] - offsets[series]))
        if with_rows:
            layout = scanned.layout
            rows = scanned.row
            words = scanned.words
        memset(&point, 0, sizeof(Point))
        try:
            for i in sorted(range(len(owners)), key=scanned.times.tolist().__getitem__):
                point.timestamp = times[i]
                point.value = values[i]
                point.flags = flags[i]
                if with_rows:
                    shape = scanned.layouts[layout[i]]
                    shared = shape.words
                    row_words = shape.row_words
                    size = 1 + shared.shape[0] + row_words
                    if mem_grow(&self.account, <void **>&payload, &capacity, size, 8) != 0:
                        raise MemoryError
                    payload[0] = payload_header(<uint32_t>shared.shape[0], <uint32_t>row_words, 0)
                    shared_words = shared.shape[0]
                    for k in range(shared_words):
                        payload[1 + k] = shared[k]
                    for k in range(row_words):
                        payload[1 + shared_words + k] = words[rows[i] + k]
                series = owners[i]
                pthread_mutex_lock(&self.service.lock)
                health_file(self.service, <HealthSeries *><size_t>self.handles[series], &point, starts[i], payload, moment)
                pthread_mutex_unlock(&self.service.lock)
        finally:
            mem_free(&self.account, payload)

    def time_filing(self, size_t handle, int64_t time, int64_t step, size_t points, layout=(), row=(), size_t fixed=0):
        """Nanoseconds to file `points` points, `step` apart, from `time` on (benchmarks).

        `layout` and `row` are those of the first one, `fixed` the number of row words in front of the buckets;
        each further point counts one more in each bucket.
        """
        cdef Point point
        cdef size_t address = self.handles[handle]
        cdef size_t first = 1 + len(layout) + fixed
        cdef size_t size = 1 + len(layout) + len(row)
        cdef uint64_t *payload = <uint64_t *>mem_alloc(&self.account, 8 * size)
        cdef uint64_t spent
        cdef int64_t start = time - 1
        cdef size_t i, k, _
        if payload == NULL:
            raise MemoryError
        for i, word in enumerate((payload_header(<uint32_t>len(layout), <uint32_t>len(row), 0), *layout, *row)):
            payload[i] = word
        memset(&point, 0, sizeof(Point))
        point.timestamp = time
        with nogil:
            spent = monotonic_ns()
            pthread_mutex_lock(&self.service.lock)
            for _ in range(points):
                health_file(self.service, <HealthSeries *>address, &point, start, payload if size > 1 else NULL, point.timestamp)
                point.timestamp += step
                point.value += size - first
                for k in range(first, size):
                    payload[k] += 1
            pthread_mutex_unlock(&self.service.lock)
            spent = monotonic_ns() - spent
        mem_free(&self.account, payload)
        return spent

    def report(self, int64_t window, at=None, now=None):
        """The fields of ServiceHealthMetrics as a tuple; None: the window reaches beyond the slots."""
        return record_report(self.service, window, -1 if at is None else at, wall_ns() if now is None else now)

    @property
    def memory(self):
        """Bytes held."""
        return self.account.bytes

    @property
    def allocations(self):
        """Allocations asked for so far."""
        return self.account.calls

    @property
    def dropped(self):
        """Increments not counted: older than the slots, or no memory."""
        return self.service.dropped
