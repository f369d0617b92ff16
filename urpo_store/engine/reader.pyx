"""How queries read the store: what series there are, what they are called, and their points in columns.

A Reader is inside an epoch from its making until it is closed: ids and values that it names stay valid so long. It
may be used by one thread at a time. Points come as numpy arrays over memory that the engine decoded into, without
a copy; the arrays keep it.
"""
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from urpo_store.engine.memory.alloc cimport Account, account_init
from urpo_store.engine.memory.epoch cimport epoch_enter, epoch_leave
from urpo_store.engine.points.slots cimport (
    payload_exemplar_bytes, payload_layout_words, payload_row_words,
)
from urpo_store.engine.chunks.exemplars cimport read_exemplars
from urpo_store.engine.chunks.rows cimport Rows, rows_clear, rows_free, rows_init
from urpo_store.engine.identity.catalog cimport (
    attribute_column, catalog_streams, find_text, find_value, resource_column, scope_column,
    series_identity, service_column, string_bytes,
)
from urpo_store.engine.identity.types cimport Series, series_get
from urpo_store.engine.core cimport Engine
from urpo_store.engine.ring cimport RingCopies, RingCopy, ring_collect_one, ring_copies_free
from urpo_store.engine.scan cimport scan_series
from urpo_store.engine.store cimport Store

from urpo_store.engine.identity.values import decode_value
from urpo_store.errors import StoreClosedError


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
        cdef RowsOwner fresh
        if self.owner is None or self.owner.columns:
            fresh = RowsOwner()
            if self.owner is not None:
                # Who counts allocations goes on counting.
                fresh.account.calls = self.owner.account.calls
                fresh.account.fail_at = self.owner.account.fail_at
            self.owner = fresh
        rows_clear(&self.owner.rows)
        return self.owner

    def fail_allocation(self, uint64_t n, *, bint columns):
        """Make the n-th allocation of a scan from now on fail: of its columns, or of what else it needs.

        For tests; 0: none. Returns how many there have been.
        """
        cdef RowsOwner owner = self.rows_owner()
        cdef Account *account = &owner.account if columns else &self.opened().query_account
        account.fail_at = account.calls + n if n else 0
        return account.calls

    cdef Store *opened(self) except NULL:
        if self.store == NULL:
            raise StoreClosedError("this reader is closed; ask the store for another")
        return self.store

    def streams(self, str metric):
        """(name, kind, temporality, monotonic, unit, description, ids) of each stream of the name; None: all."""
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
