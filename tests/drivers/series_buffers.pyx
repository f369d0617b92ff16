"""Series of one chunk store, driven from Python."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport Account, account_init
from urpo_store.engine.memory.atomics cimport load_relaxed, pthread_mutex_lock, pthread_mutex_unlock
from urpo_store.engine.memory.epoch cimport (
    Epochs, epoch_enter, epoch_leave, epoch_reclaim, epochs_destroy, epochs_init,
)
from urpo_store.engine.memory.status cimport BAD_BYTES, OK
from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.chunks.append cimport chunks_append
from urpo_store.engine.chunks.chunk cimport chunk_size
from urpo_store.engine.chunks.eviction cimport chunks_evict, chunks_expire
from urpo_store.engine.chunks.exemplars cimport read_exemplars
from urpo_store.engine.chunks.folding cimport chunks_seal
from urpo_store.engine.chunks.full_tails cimport full_seal_some
from urpo_store.engine.chunks.life cimport (
    chunk_store_destroy, chunk_store_init, series_data_clear, series_data_init,
)
from urpo_store.engine.chunks.rows cimport rows_clear, rows_free, rows_init, rows_view
from urpo_store.engine.chunks.series_chunks cimport decode_tail
from urpo_store.engine.chunks.snapshot cimport Snapshot, snapshot_decode, snapshot_take
from urpo_store.engine.chunks.types cimport (
    ChunkStore, PointView, Rows, SeriesData, Tail, prefetch_series, prefetch_stream, prefetch_tail,
)
from urpo_store.engine.exemplars cimport keep_exemplars


cdef list listed(const Rows *rows):
    cdef PointView view
    cdef size_t i
    found = []
    for i in range(rows.count):
        rows_view(rows, i, &view)
        found.append((
            view.time, view.start, view.value, view.flags,
            tuple([view.layout[j] for j in range(view.layout_words)]),
            tuple([view.row[j] for j in range(view.row_words)]),
        ))
    return found


@cython.final
@cython.auto_pickle(False)
cdef class SeriesBuffers:
    """Series of one chunk store.

    One thread may append while others read; nothing else may run at the same time. `kinds`,
    `groups` (of clocks) and `options` have one entry a series. With `behind`, full tails are taken
    aside for `seal_full`, which any thread may call. After `fail_at(n)` the n-th allocation from
    now on fails; a failed append returns False, other failures raise MemoryError.
    """
    cdef Account account
    cdef Epochs epochs
    cdef ChunkStore store
    cdef Rows rows
    cdef SeriesData *data
    cdef SeriesData **all_data
    cdef readonly int count
    cdef bint ready

    def __cinit__(self, kinds, groups=None, options=None, bint behind=False):
        cdef int i
        account_init(&self.account, NULL)
        self.count = len(kinds)
        self.data = <SeriesData *>calloc(self.count + 1, sizeof(SeriesData))
        self.all_data = <SeriesData **>calloc(self.count + 1, sizeof(SeriesData *))
        if self.data == NULL or self.all_data == NULL:
            raise MemoryError("no memory for the series")
        if epochs_init(&self.epochs, &self.account) != OK:
            raise MemoryError("no memory for epochs")
        if chunk_store_init(&self.store, &self.account, &self.epochs) != OK:
            raise MemoryError("no memory for the store")
        self.store.behind = behind
        rows_init(&self.rows, &self.account)
        for i in range(self.count):
            series_data_init(
                &self.data[i], kinds[i], groups[i] if groups is not None else 0,
                options[i] if options is not None else 0,
            )
            self.all_data[i] = &self.data[i]
        self.ready = True

    def __dealloc__(self):
        if self.ready:
            self.free_all()
        free(self.data)
        free(self.all_data)

    cdef void free_all(self) noexcept:
        cdef int i
        for i in range(self.count):
            series_data_clear(&self.store, &self.data[i])
        rows_free(&self.rows)
        chunk_store_destroy(&self.store)
        epochs_destroy(&self.epochs)
        self.ready = False

    cdef SeriesData *series(self, int series) except NULL:
        if not self.ready:
            raise ValueError("the series are closed")
        if not 0 <= series < self.count:
            raise IndexError(f"series {series} of {self.count}")
        return &self.data[series]

    def close(self):
        """Frees everything; returns the bytes that are still owned then, which should be 0."""
        if self.ready:
            self.free_all()
        return self.account.bytes

    def append(self, int series, const int64_t[::1] times, const uint64_t[::1] values,
               int64_t start=0, uint32_t flags=0):
        """Appends numbers, values given as their bits. Returns how many failed."""
        cdef SeriesData *data = self.series(series)
        cdef Point point
        cdef Py_ssize_t i, n = times.shape[0]
        cdef int failed = 0
        if values.shape[0] != n:
            raise ValueError(f"{values.shape[0]} values for {n} times")
        if n == 0:
            return 0
        cdef const int64_t *time = &times[0]
        cdef const uint64_t *value = &values[0]
        memset(&point, 0, sizeof(Point))
        point.flags = flags
        with nogil:
            pthread_mutex_lock(&self.store.lock)
            for i in range(n):
                point.timestamp = time[i]
                point.value = value[i]
                failed += chunks_append(&self.store, data, &point, start, NULL) != OK
            epoch_reclaim(&self.epochs)
            pthread_mutex_unlock(&self.store.lock)
        return failed

    def append_requests(
        self, const int64_t[::1] times, const uint64_t[:, ::1] values, int64_t start=0
    ):
        """Appends numbers a request at a time: values[i, s] at times[i] to series s, for all s."""
        cdef Point point
        cdef Py_ssize_t i, s, n = values.shape[0], width = values.shape[1]
        cdef int failed = 0
        if values.shape[1] > self.count or values.shape[0] != times.shape[0]:
            raise ValueError(f"values for {values.shape[0]} times and {values.shape[1]} series")
        if n == 0 or width == 0:
            return 0
        cdef const int64_t *time = &times[0]
        cdef const uint64_t *value = &values[0, 0]
        memset(&point, 0, sizeof(Point))
        with nogil:
            for i in range(n):
                pthread_mutex_lock(&self.store.lock)
                point.timestamp = time[i]
                for s in range(width):
                    if s + 12 < width:
                        prefetch_series(&self.data[s + 12])
                    if s + 8 < width:
                        prefetch_tail(&self.data[s + 8])
                    if s + 4 < width:
                        prefetch_stream(&self.data[s + 4])
                    point.value = value[i * width + s]
                    failed += chunks_append(&self.store, &self.data[s], &point, start, NULL) != OK
                epoch_reclaim(&self.epochs)
                pthread_mutex_unlock(&self.store.lock)
        return failed

    def append_point(self, int series, int64_t time, int64_t start, uint64_t value, uint32_t flags,
                     layout=(), row=(), exemplars=()):
        """Appends one point with its layout, row words and exemplars; whether it worked."""
        cdef SeriesData *data = self.series(series)
        cdef Point point
        cdef int failed
        cdef uint64_t *payload = NULL
        raw = b"".join(len(message).to_bytes(4, "little") + message for message in exemplars)
        padded = raw + bytes(-len(raw) % 8)
        words = [len(layout) | len(row) << 16 | len(padded) << 32, *layout, *row]
        block = b"".join(word.to_bytes(8, "little") for word in words) + padded
        if len(block) > 8:
            payload = <uint64_t *><char *>block
        point.timestamp = time
        point.value = value
        point.series = 1
        point.payload = len(block) // 8 if payload != NULL else 0
        point.start = 1
        point.flags = flags
        with nogil:
            pthread_mutex_lock(&self.store.lock)
            if payload != NULL:
                keep_exemplars(&self.store, data, &point, payload)
            failed = chunks_append(&self.store, data, &point, start, payload)
            epoch_reclaim(&self.epochs)
            pthread_mutex_unlock(&self.store.lock)
        return failed == OK

    def seal(self, int series):
        cdef SeriesData *data = self.series(series)
        pthread_mutex_lock(&self.store.lock)
        failed = chunks_seal(&self.store, data)
        epoch_reclaim(&self.epochs)
        pthread_mutex_unlock(&self.store.lock)
        if failed != OK:
            raise MemoryError(f"no memory to seal series {series}")

    def seal_full(self):
        """Seals some of the tails that were taken aside; whether there was something to do."""
        cdef int slot
        cdef bint done
        with nogil:
            slot = epoch_enter(&self.epochs)
            done = full_seal_some(&self.store)
            epoch_leave(&self.epochs, slot)
        return done

    def is_aside(self, int series):
        """Whether points of the series were taken aside and are not sealed yet."""
        return self.series(series).full != NULL

    def expire(self, int series, int64_t before):
        cdef SeriesData *data = self.series(series)
        points = chunks_expire(&self.store, data, before)
        epoch_reclaim(&self.epochs)
        return points

    def evict(self, uint64_t bytes):
        before = self.store.evicted_points
        chunks_evict(&self.store, self.all_data, self.count, bytes)
        epoch_reclaim(&self.epochs)
        return self.store.evicted_points - before

    def clear(self, int series):
        points = series_data_clear(&self.store, self.series(series))
        epoch_reclaim(&self.epochs)
        return points

    cdef decode(self, int series, int64_t start, int64_t end, bint predecessor, Rows *rows):
        cdef SeriesData *data = self.series(series)
        cdef Snapshot *snapshot
        cdef int failed, slot
        with nogil:
            slot = epoch_enter(&self.epochs)
            pthread_mutex_lock(&self.store.lock)
            failed = snapshot_take(&self.store, data, start, end, predecessor, &snapshot)
            pthread_mutex_unlock(&self.store.lock)
            if failed == OK:
                failed = snapshot_decode(snapshot, rows)
            epoch_leave(&self.epochs, slot)
        if failed != OK:
            raise MemoryError(f"no memory to read series {series}")

    def read(self, int series, int64_t start, int64_t end, bint predecessor=False):
        """A list of (time, start, value bits, flags, layout words, row words) in the range."""
        cdef Rows rows
        rows_init(&rows, &self.account)
        try:
            self.decode(series, start, end, predecessor, &rows)
            return listed(&rows)
        finally:
            rows_free(&rows)

    def decode_points(self, int64_t start, int64_t end):
        """Decodes every series into the same rows; returns how many points that were."""
        cdef int i
        rows_clear(&self.rows)
        for i in range(self.count):
            self.decode(i, start, end, False, &self.rows)
        return self.rows.count

    def exemplars(self, int series, int64_t start, int64_t end):
        return read_exemplars(&self.store, self.series(series), start, end)

    def points(self, int series):
        return self.series(series).points

    def chunks(self, int series):
        """(clock, first tick, points, flags, bytes with header) of each sealed chunk."""
        cdef SeriesData *data = self.series(series)
        return [
            (data.chunks[i].clock, data.chunks[i].tick, data.chunks[i].count, data.chunks[i].flags,
             chunk_size(data.chunks[i]))
            for i in range(data.chunk_count)
        ]

    def tail_bytes(self, int series):
        """(points, bytes used, bytes of room) of the series' tail."""
        cdef Tail *tail = self.series(series).tail
        if tail == NULL:
            return 0, 0, 0
        return tail.cursor.count, tail.cursor.length, tail.capacity

    def tail_stream(self, int series):
        """The bytes of the tail's stream."""
        cdef Tail *tail = self.series(series).tail
        return (<const char *>tail.bytes)[:tail.cursor.length]

    def decode_stream(self, int series, const uint8_t[::1] stream):
        """Decodes other bytes as the stream of this series' tail, from memory of just their size.

        A list of points as `read` returns them; ValueError if the bytes are bad.
        """
        cdef SeriesData *data = self.series(series)
        cdef Tail *tail = data.tail
        cdef uint8_t *bytes = tail.bytes
        cdef uint32_t length = tail.cursor.length
        cdef uint8_t *copy = <uint8_t *>malloc(len(stream) + (not len(stream)))
        cdef Rows rows
        cdef int status
        if copy == NULL:
            raise MemoryError("no memory for the stream")
        for i in range(len(stream)):
            copy[i] = stream[i]
        rows_init(&rows, &self.account)
        tail.bytes = copy
        tail.cursor.length = len(stream)
        try:
            status = decode_tail(&self.store, data, &rows)
            if status == BAD_BYTES:
                raise ValueError("these are not the entries of this tail")
            if status != OK:
                raise MemoryError("no memory to decode the stream")
            return listed(&rows)
        finally:
            tail.bytes = bytes
            tail.cursor.length = length
            free(copy)
            rows_free(&rows)

    def late_count(self, int series):
        cdef Tail *tail = self.series(series).tail
        return 0 if tail == NULL or tail.late == NULL else tail.late.count

    def clock_blocks(self):
        """How many blocks of ticks there are, of how many clocks."""
        cdef size_t i
        blocks = clocks = 0
        for i in range(self.store.clocks.clock_count):
            if self.store.clocks.clocks[i] != NULL:
                clocks += 1
                blocks += self.store.clocks.clocks[i].block_count
        return blocks, clocks

    def counters(self):
        cdef ChunkStore *store = &self.store
        return {
            "points": load_relaxed(&store.points),
            "chunk_bytes": load_relaxed(&store.chunk_bytes),
            "chunk_count": load_relaxed(&store.chunk_count),
            "duplicate_points": load_relaxed(&store.duplicate_points),
            "replaced_points": load_relaxed(&store.replaced_points),
            "late_points": load_relaxed(&store.late_points),
            "evicted_points": load_relaxed(&store.evicted_points),
            "expired_points": load_relaxed(&store.expired_points),
            "dropped_exemplars": load_relaxed(&store.dropped_exemplars),
            "layouts": store.layouts.count,
        }

    def memory(self):
        """Bytes owned, and allocations asked for so far."""
        return load_relaxed(&self.account.bytes), load_relaxed(&self.account.calls)

    def fail_at(self, uint64_t n):
        self.account.fail_at = self.account.calls + n if n else 0
