"""Decoded points in columns, through which tests drive chunks/rows and chunks/merging."""
cimport cython
from libc.stdint cimport int64_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account, account_init
from urpo_store.engine.memory.atomics cimport load_relaxed
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.chunks.merging cimport rows_sort
from urpo_store.engine.chunks.rows cimport (
    rows_append, rows_behind, rows_clear, rows_drop, rows_find, rows_free, rows_init, rows_insert,
    rows_replace, rows_view,
)
from urpo_store.engine.chunks.types cimport PointView, Rows


@cython.final
cdef class PointRows:
    """Points (time, start, value bits, flags, layout words, row words) of one kind.

    What returns a bool tells whether there was memory. After `fail_at(n)` the n-th allocation from
    now on fails.
    """
    cdef Account account
    cdef Rows rows
    cdef Account own            # of `given`, so that only what is tested runs out of memory
    cdef Rows given             # the one point that is to be inserted

    def __cinit__(self, int kind=1):
        account_init(&self.account, NULL)
        rows_init(&self.rows, &self.account)
        account_init(&self.own, NULL)
        rows_init(&self.given, &self.own)
        self.rows.kind = kind

    def __dealloc__(self):
        self.close()

    def close(self):
        """Frees everything; returns the bytes that are still owned then."""
        rows_free(&self.rows)
        rows_free(&self.given)
        return load_relaxed(&self.account.bytes)

    def fail_at(self, uint64_t n):
        self.account.fail_at = self.account.calls + n if n else 0

    cdef int put(self, Rows *rows, point) except 1:
        time, start, value, flags, layout, row = point
        words = [len(layout) | len(row) << 16, *layout, *row]
        block = b"".join(word.to_bytes(8, "little") for word in words)
        return rows_append(rows, time, start, value, flags,
                           <const uint64_t *><char *>block if len(words) > 1 else NULL)

    cdef int view(self, point, PointView *view) except 1:
        rows_clear(&self.given)
        if self.put(&self.given, point) != OK:
            raise MemoryError("no memory for the point to give")
        rows_view(&self.given, 0, view)
        return 0

    def append(self, point):
        return self.put(&self.rows, point) == OK

    def insert(self, size_t at, point):
        cdef PointView view
        self.view(point, &view)
        return rows_insert(&self.rows, at, &view) == OK

    def replace(self, size_t at, point):
        cdef PointView view
        self.view(point, &view)
        return rows_replace(&self.rows, at, &view) == OK

    def drop(self, size_t begin, size_t end):
        rows_drop(&self.rows, begin, end)

    def clear(self):
        rows_clear(&self.rows)

    def sort(self, size_t first=0, bint add=False):
        return rows_sort(&self.rows, first, add) == OK

    def find(self, int64_t time):
        """The first point at or behind a time, and the first one behind it."""
        return (rows_find(&self.rows, 0, self.rows.count, time),
                rows_behind(&self.rows, 0, self.rows.count, time))

    @property
    def layouts(self):
        """How many layouts are kept."""
        return self.rows.layout_count

    def listed(self):
        cdef PointView view
        cdef size_t i
        found = []
        for i in range(self.rows.count):
            rows_view(&self.rows, i, &view)
            found.append((
                view.time, view.start, view.value, view.flags,
                tuple([view.layout[j] for j in range(view.layout_words)]),
                tuple([view.row[j] for j in range(view.row_words)]),
            ))
        return found
