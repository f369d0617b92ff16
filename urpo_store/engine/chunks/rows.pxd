# Decoded points, in columns: the one representation in which all kinds are read, merged and sealed.
#
# A point of a histogram, exponential histogram or summary has a layout (an entry of `layouts`) and
# row words (`words` from `row` on); a number has layout NO_LAYOUT, or no such columns at all.
# Points that were dropped leave their words behind; words are given back with the rows.
# Owned by one thread at a time; no function takes a lock. A function that fails leaves the rows as
# they were.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.points.ranges cimport Ranges, ranges_read
from urpo_store.engine.points.slots cimport KIND_EXPONENTIAL
from urpo_store.engine.chunks.work cimport Work

cdef enum:
    NO_LAYOUT = 0xFFFFFFFF

cdef struct Rows:
    Account *account
    int64_t *times
    int64_t *starts
    uint64_t *values
    uint32_t *flags
    uint32_t *layout            # index in layouts; NULL while only numbers are held
    uint64_t *row               # index of the point's first row word in words; NULL like layout
    size_t count, capacity
    uint64_t *words
    size_t word_count, word_capacity
    uint64_t *layouts           # each: offset in layout_words << 32 | L << 16 | R
    size_t layout_count, layout_capacity
    uint64_t *layout_words
    size_t layout_word_count, layout_word_capacity
    Work *work                  # for decoding; NULL until a snapshot is decoded
    uint32_t kind               # of the series decoded last; rows_sort adds points as this kind

# One point whose words stand elsewhere. `rowed`: it has a layout and a row, if only empty ones.
cdef struct PointView:
    int64_t time
    int64_t start
    uint64_t value
    uint32_t flags
    bint rowed
    uint32_t layout_words, row_words
    const uint64_t *layout
    const uint64_t *row

cdef void rows_init(Rows *rows, Account *account) noexcept nogil
cdef void rows_free(Rows *rows) noexcept nogil
cdef void rows_clear(Rows *rows) noexcept nogil                             # keeps the memory
# Room for `more` points; with `rowed`, for their layout and row too. 0 or -1.
cdef int rows_reserve(Rows *rows, size_t more, bint rowed) noexcept nogil
cdef int rows_reserve_words(Rows *rows, size_t more) noexcept nogil
# The index of a layout, added if need be; -1: no memory.
cdef int64_t rows_layout(Rows *rows, uint32_t layout_words, uint32_t row_words, const uint64_t *layout) noexcept nogil
cdef void rows_view(const Rows *rows, size_t i, PointView *view) noexcept nogil
# 0 or -1. `view` may point into other rows, never into `rows` itself.
cdef int rows_push(Rows *rows, const PointView *view) noexcept nogil
cdef int rows_insert(Rows *rows, size_t at, const PointView *view) noexcept nogil
cdef int rows_replace(Rows *rows, size_t at, const PointView *view) noexcept nogil
# Moves rows[source:source + count] to `to`; `count` of the rows is the caller's to set.
cdef void rows_shift(Rows *rows, size_t to, size_t source, size_t count) noexcept nogil
cdef void rows_drop(Rows *rows, size_t begin, size_t end) noexcept nogil    # takes rows[begin:end] out
cdef size_t rows_find(const Rows *rows, size_t first, size_t end, int64_t time) noexcept nogil  # first with a time >= time
cdef size_t rows_behind(const Rows *rows, size_t first, size_t end, int64_t time) noexcept nogil    # first with a time > time

# Appends one point to rows (its payload as points/slots.pxd, NULL if none). 0 or -1.
cdef int rows_append(Rows *rows, int64_t time, int64_t start, uint64_t value, uint32_t flags, const uint64_t *payload) noexcept nogil

# The ranges of an exponential histogram's point. False: it is of another kind, or has no ranges (a stale mark).
cdef inline bint view_ranges(uint32_t kind, const PointView *view, Ranges *ranges) noexcept nogil:
    return kind == KIND_EXPONENTIAL and ranges_read(
        ranges, view.layout, view.layout_words, view.row_words)
