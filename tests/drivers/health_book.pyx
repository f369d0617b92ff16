"""A HealthBook to file single points in, for tests and benchmarks; it can run out of memory."""
cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    double_to_bits, monotonic_ns, pthread_mutex_lock, pthread_mutex_unlock, wall_ns,
)
from urpo_store.engine.points.slots cimport Point, payload_header
from urpo_store.engine.health.book cimport HealthBook
from urpo_store.engine.health.filing cimport health_file
from urpo_store.engine.health.record cimport health_series_free
from urpo_store.engine.health.types cimport HealthSeries


@cython.final
cdef class FilingBook(HealthBook):
    """The health of one service, one point at a time."""

    def fail_allocation(self, uint64_t n):
        """Make the n-th allocation since the book was made fail; 0: none."""
        self.account.fail_at = n

    def bind(self, str metric, str unit, int kind, int temporality, bint monotonic, attributes,
             bint collapsed=False):
        """A handle for the points of one series, which may stand for many that have collapsed."""
        cdef HealthSeries *series = self.new_series(
            metric, unit, kind, temporality, monotonic, attributes, collapsed)
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

    def observe(self, size_t handle, int64_t time, int64_t start, value, layout=(), row=(),
                uint32_t flags=0, now=None):
        """File one point; `layout` and `row` are its payload words (points/slots.pxd).

        `now` None: the clock's.
        """
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

    def time_filing(self, size_t handle, int64_t time, int64_t step, size_t points, layout=(),
                    row=(), size_t fixed=0):
        """Nanoseconds to file `points` points, `step` apart, from `time` on (benchmarks).

        `layout` and `row` are those of the first one, `fixed` the number of row words in front of
        the buckets; each further point counts one more in each bucket.
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
        header = payload_header(<uint32_t>len(layout), <uint32_t>len(row), 0)
        for i, word in enumerate((header, *layout, *row)):
            payload[i] = word
        memset(&point, 0, sizeof(Point))
        point.timestamp = time
        with nogil:
            spent = monotonic_ns()
            pthread_mutex_lock(&self.service.lock)
            for _ in range(points):
                health_file(self.service, <HealthSeries *>address, &point, start,
                            payload if size > 1 else NULL, point.timestamp)
                point.timestamp += step
                point.value += size - first
                for k in range(first, size):
                    payload[k] += 1
            pthread_mutex_unlock(&self.service.lock)
            spent = monotonic_ns() - spent
        mem_free(&self.account, payload)
        return spent

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
