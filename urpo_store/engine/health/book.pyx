"""The health of one service from points given in Python; the contract is in health/book.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport pthread_mutex_lock, pthread_mutex_unlock, wall_ns
from urpo_store.engine.memory.failures cimport failure
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport Point, payload_header
from urpo_store.engine.health.filing cimport health_file
from urpo_store.engine.health.record cimport (
    health_series_new, health_service_free, health_service_new,
)
from urpo_store.engine.health.report cimport record_report
from urpo_store.engine.health.sources cimport Described, Meaning, health_meaning
from urpo_store.engine.health.types cimport HealthSeries


cdef class HealthBook:
    """The health of one service, filed from stored points.

    Kinds, temporalities and flags are the numbers of points/slots.pxd; times are Unix nanoseconds.
    """

    def __cinit__(self, str service="service", int64_t first_seen=-1):
        account_init(&self.account, NULL)
        name = service.encode()
        self.service = health_service_new(
            &self.account, <const uint8_t *><char *>name, <uint32_t>len(name), 0)
        if self.service == NULL:
            raise failure(NO_MEMORY, "keep the health of a service")
        if first_seen >= 0:
            self.service.first_seen = first_seen
        self.handles = []

    def __dealloc__(self):
        if self.service != NULL:
            health_service_free(self.service)

    def bind(self, str metric, str unit, int kind, int temporality, bint monotonic, attributes):
        """A handle for the points of one series.

        `attributes`: those of point, scope and resource together.
        """
        cdef HealthSeries *series = self.new_series(
            metric, unit, kind, temporality, monotonic, attributes, False)
        self.handles.append(<size_t>series)
        return len(self.handles) - 1

    cdef HealthSeries *new_series(self, str metric, str unit, int kind, int temporality,
                                  bint monotonic, attributes, bint collapsed) except? NULL:
        cdef Described described
        cdef Meaning meaning
        name = metric.encode()
        unit_text = unit.encode()
        known = {key.encode(): _canonical(value) for key, value in attributes.items()}
        described.name = <const uint8_t *><char *>name
        described.name_length = len(name)
        described.unit = <const uint8_t *><char *>unit_text
        described.unit_length = len(unit_text)
        described.kind = kind
        described.monotonic = monotonic
        described.attribute = attribute_of
        described.context = <void *>known
        if not health_meaning(&described, &meaning):
            return NULL
        return health_series_new(
            self.service, &meaning, described.name, <uint32_t>described.name_length, kind,
            temporality, collapsed)

    cdef HealthSeries *series_of(self, handle) except? NULL:
        return <HealthSeries *><size_t>self.handles[handle]

    def replay(self, handles, scanned, now=None):
        """File the points of several series in order of time.

        `scanned` has the columns of `urpo_store.query.source.Scanned`, series i being `handles[i]`.
        A point before the window (a predecessor) is the baseline of its series, as it was when it
        came.
        """
        cdef const int64_t[:] times = scanned.times
        cdef const int64_t[:] starts = scanned.starts
        cdef const uint64_t[:] values = scanned.values
        cdef const uint32_t[:] flags = scanned.flags
        cdef int64_t moment = wall_ns() if now is None else now
        cdef Payloads payloads = Payloads(scanned)
        cdef HealthSeries *series
        cdef const uint64_t *payload
        cdef Point point
        cdef size_t i
        owners = []
        for index, handle in enumerate(handles):
            owners.extend([handle] * (scanned.offsets[index + 1] - scanned.offsets[index]))
        memset(&point, 0, sizeof(Point))
        for i in sorted(range(len(owners)), key=scanned.times.tolist().__getitem__):
            point.timestamp = times[i]
            point.value = values[i]
            point.flags = flags[i]
            payload = payloads.of_point(i)
            series = self.series_of(owners[i])
            pthread_mutex_lock(&self.service.lock)
            health_file(self.service, series, &point, starts[i], payload, moment)
            pthread_mutex_unlock(&self.service.lock)

    def report(self, int64_t window, at=None, now=None):
        """The fields of ServiceHealthMetrics; None: the window reaches beyond the slots."""
        return record_report(
            self.service, window, -1 if at is None else at, wall_ns() if now is None else now)


cdef const uint8_t *attribute_of(void *context, const char *key, uint32_t *length) noexcept nogil:
    with gil:
        value = (<dict>context).get(<bytes>key)
        if value is None:
            return NULL
        length[0] = <uint32_t>len(<bytes>value)
        return <const uint8_t *><char *><bytes>value


def _canonical(value):
    # As identity/values.pxd for the types that decide anything here; of others only the presence
    # matters.
    if isinstance(value, bool):
        return b"b" + bytes([value])
    if isinstance(value, int):
        return b"i" + value.to_bytes(8, "little", signed=True)
    if isinstance(value, str):
        return b"s" + value.encode()
    return b"n"


cdef class Payloads:
    """The payload words of the points of a Scanned, one point at a time."""

    cdef Account account
    cdef list layouts
    cdef bint any
    cdef const uint32_t[:] layout
    cdef const uint64_t[:] rows
    cdef const uint64_t[:] words
    cdef uint64_t *payload
    cdef size_t capacity

    def __cinit__(self, scanned):
        account_init(&self.account, NULL)
        self.any = scanned.layout is not None
        if self.any:
            self.layouts = list(scanned.layouts)
            self.layout = scanned.layout
            self.rows = scanned.row
            self.words = scanned.words

    def __dealloc__(self):
        mem_free(&self.account, self.payload)

    cdef const uint64_t *of_point(self, size_t i) except? NULL:
        """Valid until the next call; NULL: the points are numbers. Raises MemoryError."""
        cdef const uint64_t[:] shared
        cdef size_t shared_words, row_words, k
        if not self.any:
            return NULL
        layout = self.layouts[self.layout[i]]
        shared = layout.words
        row_words = layout.row_words
        shared_words = shared.shape[0]
        if mem_grow(&self.account, <void **>&self.payload, &self.capacity,
                    1 + shared_words + row_words, sizeof(uint64_t)) != OK:
            raise failure(NO_MEMORY, "replay a point")
        self.payload[0] = payload_header(<uint32_t>shared_words, <uint32_t>row_words, 0)
        for k in range(shared_words):
            self.payload[1 + k] = shared[k]
        for k in range(row_words):
            self.payload[1 + shared_words + k] = self.words[self.rows[i] + k]
        return self.payload
