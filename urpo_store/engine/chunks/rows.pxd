# Decoded points, in columns: the one form in which all kinds are read, merged and sealed.
#
# A point of a histogram, exponential histogram or summary has a layout (an entry of `layouts`) and
# row words (`words` from `row` on). A number has layout NO_LAYOUT; while there are only numbers,
# the two columns are missing.
#
# Points that are dropped leave their row words behind; those are given back with the rows. Owned by
# one thread at a time; no function takes a lock.
#
# Functions that return int: OK or NO_MEMORY, and then the points are as before.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.points.ranges cimport Ranges, ranges_read
from urpo_store.engine.points.slots cimport KIND_EXPONENTIAL
from urpo_store.engine.chunks.types cimport PointView, Rows

cdef enum:
    NO_LAYOUT = 0xFFFFFFFF

cdef void rows_init(Rows *rows, Account *account) noexcept nogil
cdef void rows_free(Rows *rows) noexcept nogil
# Forgets all points and layouts, and keeps the memory.
cdef void rows_clear(Rows *rows) noexcept nogil
# Room for `more` points; if `rowed`, for their layout and row too.
cdef int rows_reserve(Rows *rows, size_t more, bint rowed) noexcept nogil
# Room for `more` row words.
cdef int rows_reserve_words(Rows *rows, size_t more) noexcept nogil
# The index of a layout, which is added if it is new. Below 0: no memory.
cdef int64_t rows_layout(
    Rows *rows, uint32_t layout_words, uint32_t row_words, const uint64_t *layout
) noexcept nogil
# Sets *view to point i.
cdef void rows_view(const Rows *rows, size_t i, PointView *view) noexcept nogil

# Append a point, put one in front of point `at`, and change all of point `at` but its time.
# REQUIRES: `view` does not point into `rows`; to replace, it is rowed only if rows have layouts.
cdef int rows_push(Rows *rows, const PointView *view) noexcept nogil
cdef int rows_insert(Rows *rows, size_t at, const PointView *view) noexcept nogil
cdef int rows_replace(Rows *rows, size_t at, const PointView *view) noexcept nogil
# Appends a point with its payload as in points/slots.pxd; NULL: it has none.
cdef int rows_append(
    Rows *rows, int64_t time, int64_t start, uint64_t value, uint32_t flags, const uint64_t *payload
) noexcept nogil

# Moves points source..source + count - 1 to `to`. Does not change rows.count.
cdef void rows_shift(Rows *rows, size_t to, size_t source, size_t count) noexcept nogil
# Takes points begin..end - 1 out.
cdef void rows_drop(Rows *rows, size_t begin, size_t end) noexcept nogil
# The first of points first..end - 1 with a time >= `time` (rows_behind: > `time`); `end` if none
# has. REQUIRES: their times ascend.
cdef size_t rows_find(const Rows *rows, size_t first, size_t end, int64_t time) noexcept nogil
cdef size_t rows_behind(const Rows *rows, size_t first, size_t end, int64_t time) noexcept nogil


cdef inline bint view_ranges(uint32_t kind, const PointView *view, Ranges *ranges) noexcept nogil:
    """Reads the ranges of an exponential histogram's point.

    False: the point is of another kind, or has no ranges (a stale mark).
    """
    return kind == KIND_EXPONENTIAL and ranges_read(
        ranges, view.layout, view.layout_words, view.row_words)
