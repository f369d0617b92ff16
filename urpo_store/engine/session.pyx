"""How queries read the store: streams, names, points in columns; see session.pxd.

Points come as numpy arrays over the memory that the engine decoded into, without a copy.
"""
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from urpo_store.engine.memory.alloc cimport account_init
from urpo_store.engine.memory.epoch cimport epoch_enter, epoch_leave
from urpo_store.engine.memory.failures cimport failure
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.points.slots cimport (
    payload_exemplar_bytes, payload_layout_words, payload_row_words,
)
from urpo_store.engine.chunks.exemplars cimport read_exemplars
from urpo_store.engine.chunks.rows cimport rows_clear, rows_free, rows_init
from urpo_store.engine.chunks.types cimport Rows
from urpo_store.engine.identity.catalog cimport (
    attribute_column, catalog_streams, find_text, find_value, resource_column, scope_column,
    series_identity, service_column, string_bytes,
)
from urpo_store.engine.identity.types cimport Series, series_get
from urpo_store.engine.core cimport Engine
from urpo_store.engine.gather cimport TimeRange, gather_points
from urpo_store.engine.ring cimport RingCopies, RingCopy, ring_collect_one, ring_copies_free
from urpo_store.engine.store cimport Store

from urpo_store.engine.identity.values import decode_value
from urpo_store.errors import StoreClosedError


cdef class RowsOwner:
    def __cinit__(self):
        account_init(&self.account, NULL)
        rows_init(&self.rows, &self.account)

    def __dealloc__(self):
        rows_free(&self.rows)


cdef class ColumnView:
    """One column of a RowsOwner through the buffer protocol, read-only."""

    cdef RowsOwner owner
    cdef void *data
    cdef Py_ssize_t bytes

    def __dealloc__(self):
        # The garbage collector may have cleared `owner`; such an owner is not used again.
        if self.owner is not None:
            self.owner.views -= 1

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.data, self.bytes, 1, flags)

    def __releasebuffer__(self, Py_buffer *buffer):
        pass


cdef object column(RowsOwner owner, void *data, size_t count, object dtype, size_t size):
    cdef ColumnView view
    if count == 0 or data == NULL:
        return np.empty(0, dtype)
    view = ColumnView.__new__(ColumnView)
    view.owner = owner
    owner.views += 1
    view.data = data
    view.bytes = count * size
    return np.frombuffer(view, dtype)


cdef list row_layouts(RowsOwner owner):
    """[(words, row words)] of the layouts that were decoded."""
    cdef Rows *rows = &owner.rows
    cdef uint64_t packed, begin
    cdef size_t i
    words = column(owner, rows.layout_words, rows.layout_word_count, np.uint64, 8)
    layouts = []
    for i in range(rows.layout_count):
        packed = rows.layouts[i]
        begin = packed >> 32
        layouts.append((words[begin:begin + ((packed >> 16) & 0xFFFF)], packed & 0xFFFF))
    return layouts


cdef class IdColumn:
    """Ids that came from Python, and a column of the same length to fill, as plain pointers."""

    cdef object owner               # keeps `ids` alive
    cdef readonly object found      # the array behind `out`
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


cdef class ReadSession:
    """What one thread reads while it is inside an epoch; used until `close`."""

    def __cinit__(self, Engine engine not None):
        self.store = engine.enter()
        self.engine = engine
        with nogil:
            self.slot = epoch_enter(&self.store.epochs)

    def close(self):
        """Leave the epoch; a second call does nothing."""
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
        if self.owner is None or self.owner.views:
            self.owner = RowsOwner()
        rows_clear(&self.owner.rows)
        return self.owner

    cdef Store *opened(self) except NULL:
        if self.store == NULL:
            raise StoreClosedError("this reader is closed; ask the store for another")
        return self.store

    def read_streams(self, str metric):
        """[(name, kind, temporality, monotonic, unit, description, ids)]; `metric` None: all."""
        cdef Store *store = self.opened()
        return catalog_streams(&store.table, metric)

    def attribute_column(self, ids, str key not None):
        """Value ids of attribute `key` for each series; 0 where absent."""
        cdef Store *store = self.opened()
        cdef IdColumn column = IdColumn(ids)
        cdef uint32_t key_id = find_text(&store.table, key)
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
        return 0 if value is None else find_value(&self.opened().table, value)

    def read_value(self, uint32_t value_id):
        """The typed value of an id that a column holds."""
        return decode_value(string_bytes(&self.opened().table, value_id))

    def read_identity(self, uint32_t series_id):
        """(metric, kind, temporality, monotonic, unit, service, attributes, resource, scope)."""
        return series_identity(&self.opened().table, series_id)

    def read_points(
        self, const uint32_t[::1] ids not None, int64_t start, int64_t end, bint predecessor
    ):
        """The columns of query.source.Scanned, as a tuple; layouts as (words, row words)."""
        cdef Store *store = self.opened()
        cdef size_t n = ids.shape[0]
        cdef RowsOwner owner = self.rows_owner()
        cdef Rows *rows = &owner.rows
        cdef const uint32_t *ids_p = &ids[0] if n else NULL
        cdef TimeRange within = TimeRange(start, end, predecessor)
        cdef int failed
        offsets = np.zeros(n + 1, np.int64)
        first = np.zeros(n, np.int64)
        cdef int64_t[::1] offsets_view = offsets
        cdef int64_t[::1] first_view = first
        cdef int64_t *first_p = &first_view[0] if n else NULL
        cdef int64_t *offsets_p = &offsets_view[0]
        if n:
            with nogil:
                failed = gather_points(store, ids_p, n, &within, rows, offsets_p, first_p)
            if failed != OK:
                raise failure(failed, f"read {n} series from {start} to {end}")
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
            row_layouts(owner),
        )

    def read_exemplars(self, const uint32_t[::1] ids not None, int64_t start, int64_t end):
        """[(index in ids, time, raw Exemplar message)], in no order; the caller filters by time.

        The time is the exemplar's own, or its point's. Exemplars of drained points have
        start <= time <= end; those of points in the ring are all returned.
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
            # The ring first: what leaves it meanwhile is found in the chunks, or twice (so a set).
            seen = set()
            memset(&copies, 0, sizeof(RingCopies))
            copies.account = &store.query_account
            id = ids[i]
            with nogil:
                failed = ring_collect_one(&store.ring, id, &copies)
            if failed != OK:
                ring_copies_free(&copies)
                raise failure(failed, "read the hot exemplars of a series")
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
