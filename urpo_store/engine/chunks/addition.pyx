"""Adding points of equal time; the contract is in chunks/addition.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport bits_to_double, double_to_bits
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.ranges cimport (
    Ranges, ranges_coarsen, ranges_fold, ranges_join, ranges_read, ranges_row, ranges_write,
)
from urpo_store.engine.points.slots cimport (
    FLAG_INT, FLAG_MAX, FLAG_MIN, FLAG_STALE, FLAG_SUM, KIND_EXPONENTIAL, KIND_SUMMARY,
    ROW_HISTOGRAM,
)
from urpo_store.engine.chunks.rows cimport rows_replace, rows_view
from urpo_store.engine.chunks.types cimport PointView, Rows


cdef double number(uint64_t value, uint32_t flags) noexcept nogil:
    return <double><int64_t>value if flags & FLAG_INT else bits_to_double(value)


cdef void add_number(PointView *sum, const PointView *a, const PointView *b) noexcept nogil:
    if a.flags & b.flags & FLAG_INT:
        sum.value = a.value + b.value
        # Unless both have the sign that the sum has not: then it has overflowed.
        if not ((a.value ^ sum.value) & (b.value ^ sum.value)) >> 63:
            return
    elif not (a.flags | b.flags) & FLAG_INT:
        sum.value = double_to_bits(bits_to_double(a.value) + bits_to_double(b.value))
        return
    sum.value = double_to_bits(number(a.value, a.flags) + number(b.value, b.flags))
    sum.flags &= ~<uint32_t>FLAG_INT


cdef void add_fixed(
    uint64_t *row, const uint64_t *other, uint32_t *flags, uint32_t both
) noexcept nogil:
    """Adds sum, min and max. What one of the points lacks, the result lacks too."""
    cdef double a, b
    a = bits_to_double(row[0])
    b = bits_to_double(other[0])
    row[0] = double_to_bits(a + b) if both & FLAG_SUM else 0
    a = bits_to_double(row[1])
    b = bits_to_double(other[1])
    row[1] = double_to_bits(b if b < a else a) if both & FLAG_MIN else 0
    a = bits_to_double(row[2])
    b = bits_to_double(other[2])
    row[2] = double_to_bits(b if b > a else a) if both & FLAG_MAX else 0
    flags[0] &= both | ~<uint32_t>(FLAG_SUM | FLAG_MIN | FLAG_MAX)


cdef int put(Rows *rows, size_t into, const PointView *view) noexcept nogil:
    """rows_replace for a view whose words may stand in `rows`, which moves when it grows."""
    cdef PointView copy = view[0]
    cdef uint64_t *words
    cdef int status
    if not view.rowed:
        return rows_replace(rows, into, view)
    words = <uint64_t *>mem_alloc(rows.account, 8 * (view.layout_words + view.row_words))
    if words == NULL:
        return NO_MEMORY
    if view.layout_words:
        memcpy(words, view.layout, 8 * view.layout_words)
    if view.row_words:
        memcpy(words + view.layout_words, view.row, 8 * view.row_words)
    copy.layout = words
    copy.row = words + view.layout_words
    status = rows_replace(rows, into, &copy)
    mem_free(rows.account, words)
    return status


cdef int add_histogram(
    Rows *rows, size_t into, PointView *sum, const PointView *a, const PointView *b
) noexcept nogil:
    cdef bint same = (
        a.layout_words == b.layout_words and a.row_words == b.row_words
        and memcmp(a.layout, b.layout, 8 * a.layout_words) == 0
    )
    cdef uint64_t *row
    cdef uint32_t i, words = a.row_words if same else ROW_HISTOGRAM
    cdef int status
    if a.row_words < ROW_HISTOGRAM or b.row_words < ROW_HISTOGRAM:
        return put(rows, into, b)
    row = <uint64_t *>mem_alloc(rows.account, 8 * words)
    if row == NULL:
        return NO_MEMORY
    memcpy(row, a.row, 8 * words)
    add_fixed(row, b.row, &sum.flags, a.flags & b.flags)
    for i in range(ROW_HISTOGRAM, words):
        row[i] += b.row[i]
    sum.value = a.value + b.value
    sum.row = row
    sum.row_words = words
    if not same:
        sum.layout_words = 0
    status = put(rows, into, sum)
    mem_free(rows.account, row)
    return status


cdef int add_exponential(
    Rows *rows, size_t into, PointView *sum, const PointView *a, const PointView *b
) noexcept nogil:
    cdef Ranges ra, rb, ca, cb, joined
    cdef uint64_t layout[2]
    cdef uint64_t *row
    cdef int64_t scale
    cdef uint32_t i, words
    cdef double x, y
    cdef int status
    if (
        not ranges_read(&ra, a.layout, a.layout_words, a.row_words)
        or not ranges_read(&rb, b.layout, b.layout_words, b.row_words)
    ):
        return put(rows, into, b)
    scale = ra.scale if ra.scale < rb.scale else rb.scale
    while True:
        ranges_coarsen(&ra, scale, &ca)
        ranges_coarsen(&rb, scale, &cb)
        if ranges_join(&ca, &cb, &joined):
            break
        scale -= 1
    words = ranges_row(&joined)
    row = <uint64_t *>mem_alloc(rows.account, 16 * words)
    if row == NULL:
        return NO_MEMORY
    ranges_fold(&ra, a.row, &joined, row)
    ranges_fold(&rb, b.row, &joined, row + words)
    add_fixed(row, row + words, &sum.flags, a.flags & b.flags)
    row[3] += row[words + 3]
    x = bits_to_double(row[4])
    y = bits_to_double(row[words + 4])
    # Counts between the two thresholds stay in their buckets: finer than the specification asks.
    row[4] = double_to_bits(y if y > x else x)
    for i in range(5, words):
        row[i] += row[words + i]
    ranges_write(&joined, layout)
    sum.value = a.value + b.value
    sum.layout = layout
    sum.layout_words = 2
    sum.row = row
    sum.row_words = words
    status = rows_replace(rows, into, sum)
    mem_free(rows.account, row)
    return status


cdef int rows_add(Rows *rows, size_t into, const PointView *view, uint32_t kind) noexcept nogil:
    cdef PointView a, sum
    rows_view(rows, into, &a)
    if a.flags & FLAG_STALE:
        return put(rows, into, view)
    if view.flags & FLAG_STALE:
        return OK
    if kind == KIND_SUMMARY or a.rowed != view.rowed:
        return put(rows, into, view)
    sum = a
    if a.start == 0 or (view.start != 0 and view.start < a.start):
        sum.start = view.start
    if not a.rowed:
        add_number(&sum, &a, view)
        return rows_replace(rows, into, &sum)
    if kind == KIND_EXPONENTIAL:
        return add_exponential(rows, into, &sum, &a, view)
    return add_histogram(rows, into, &sum, &a, view)
