"""Points that come again, or late; the contract is in chunks/late.pxd."""
cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp

from urpo_store.engine.memory.alloc cimport mem_alloc
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.ranges cimport Ranges
from urpo_store.engine.points.slots cimport ROW_EXPONENTIAL
from urpo_store.engine.codec.columns cimport CHUNK_POINTS
from urpo_store.engine.chunks.addition cimport rows_add
from urpo_store.engine.chunks.folding cimport fold
from urpo_store.engine.chunks.full_tails cimport full_settle
from urpo_store.engine.chunks.newest cimport open_tail, replace_newest
from urpo_store.engine.chunks.rows cimport (
    rows_clear, rows_find, rows_init, rows_insert, rows_push, rows_replace, rows_view, view_ranges,
)
from urpo_store.engine.chunks.series_chunks cimport find_point
from urpo_store.engine.chunks.types cimport (
    DATA_ADD, LATE_OVERRIDE, ChunkStore, PointView, Rows, SeriesData, Tail,
)

cdef enum:
    LATE_WORDS = 65536          # row words of late points that are folded at the latest
    LATE_SHARE = 32             # one in so many points of a series may be late, unfolded
    MOST_LATE = 8 * CHUNK_POINTS

    # What a point means whose time is there already.
    SAME = 0                    # nothing
    OTHER = 1                   # it takes the place of the first


# Whether two points say the same

cdef bint same_layout(const PointView *a, const PointView *b) noexcept nogil:
    return (
        a.layout_words == b.layout_words and a.row_words == b.row_words
        and (a.layout_words == 0 or memcmp(a.layout, b.layout, 8 * a.layout_words) == 0)
    )


cdef uint64_t count_at(
    int64_t first, uint32_t n, const uint64_t *counts, int64_t index
) noexcept nogil:
    return counts[index - first] if first <= index < first + n else 0


cdef bint same_counts(
    int64_t a, uint32_t a_count, const uint64_t *a_counts,
    int64_t b, uint32_t b_count, const uint64_t *b_counts
) noexcept nogil:
    """Whether two sides of ranges say the same; what a side leaves out is 0."""
    cdef uint32_t i
    for i in range(a_count):
        if a_counts[i] != count_at(b, b_count, b_counts, a + i):
            return 0
    for i in range(b_count):
        if b_counts[i] != count_at(a, a_count, a_counts, b + i):
            return 0
    return 1


cdef bint same_point(uint32_t kind, const PointView *a, const PointView *b) noexcept nogil:
    """Whether two points of equal time say the same."""
    cdef Ranges ra, rb
    if a.start != b.start or a.value != b.value or a.flags != b.flags or a.rowed != b.rowed:
        return 0
    if not a.rowed:
        return 1
    if same_layout(a, b):
        return a.row_words == 0 or memcmp(a.row, b.row, 8 * a.row_words) == 0
    if not view_ranges(kind, a, &ra) or not view_ranges(kind, b, &rb) or ra.scale != rb.scale:
        return 0
    return (
        memcmp(a.row, b.row, 8 * ROW_EXPONENTIAL) == 0
        and same_counts(ra.positive, ra.positive_count, a.row + ROW_EXPONENTIAL,
                        rb.positive, rb.positive_count, b.row + ROW_EXPONENTIAL)
        and same_counts(
            ra.negative, ra.negative_count, a.row + ROW_EXPONENTIAL + ra.positive_count,
            rb.negative, rb.negative_count, b.row + ROW_EXPONENTIAL + rb.positive_count)
    )


# Late points

cdef Rows *late_rows(ChunkStore *store, SeriesData *data) noexcept nogil:
    """The late points of a series, made if there are none. NULL: no memory."""
    cdef Tail *tail = open_tail(store, data)
    if tail == NULL:
        return NULL
    if tail.late == NULL:
        tail.late = <Rows *>mem_alloc(store.account, sizeof(Rows))
        if tail.late != NULL:
            rows_init(tail.late, store.account)
    return tail.late


cdef int put_late(
    ChunkStore *store, SeriesData *data, size_t at, const PointView *view, bint override
) noexcept nogil:
    cdef Rows *late = late_rows(store, data)
    cdef PointView put = view[0]
    if late == NULL:
        return NO_MEMORY
    if override:
        put.flags |= <uint32_t>LATE_OVERRIDE
    return rows_insert(late, at, &put)


@cython.cdivision(True)
cdef void fold_many(ChunkStore *store, SeriesData *data) noexcept nogil:
    """Folds the late points when they are many. Without memory they stay, and it is tried again.

    A fold may touch every chunk, so the more of them there are, the more points share one; up to
    MOST_LATE, for a late point is put in its place among the others.
    """
    cdef Tail *tail = data.tail
    cdef Rows *late = tail.late
    cdef size_t older, many = data.points // LATE_SHARE
    if late == NULL:
        return
    # Whole chunks' worth, or a series that is filled backwards would be left in halves of chunks.
    many = many // CHUNK_POINTS * CHUNK_POINTS
    many = CHUNK_POINTS if many < CHUNK_POINTS else MOST_LATE if many > MOST_LATE else many
    if late.count < many and late.word_count < LATE_WORDS:
        return
    older = late.count
    if tail.cursor.count:
        older = rows_find(late, 0, late.count, tail.first_time)
    fold(store, data, older * 2 < late.count)


# Same time again

cdef int added(
    ChunkStore *store, SeriesData *data, const PointView *old, PointView *view
) noexcept nogil:
    """Makes *view the sum of both (in bench.rows). OK or NO_MEMORY."""
    cdef Rows *rows = &store.bench.rows
    rows_clear(rows)
    if rows_push(rows, old) != OK or rows_add(rows, 0, view, data.kind) != OK:
        return NO_MEMORY
    rows_view(rows, 0, view)
    return OK


cdef int again(
    ChunkStore *store, SeriesData *data, const PointView *old, PointView *view, int *means
) noexcept nogil:
    """What a point means whose time is there already: SAME or OTHER. OK or NO_MEMORY."""
    means[0] = OTHER
    if data.options & DATA_ADD:
        return added(store, data, old, view)
    if same_point(data.kind, old, view):
        store.duplicate_points += 1
        means[0] = SAME
    return OK


cdef int replace_late(
    ChunkStore *store, SeriesData *data, size_t at, PointView *view
) noexcept nogil:
    """The time of late point `at` again."""
    cdef Rows *late = data.tail.late
    cdef PointView old
    cdef uint32_t override
    cdef int means
    rows_view(late, at, &old)
    override = old.flags & <uint32_t>LATE_OVERRIDE
    old.flags &= ~<uint32_t>LATE_OVERRIDE
    if again(store, data, &old, view, &means) != OK:
        return NO_MEMORY
    if means == SAME:
        return OK
    view.flags |= override
    if rows_replace(late, at, view) != OK:
        return NO_MEMORY
    if not data.options & DATA_ADD:
        store.replaced_points += 1
    fold_many(store, data)
    return OK


cdef int append_late(ChunkStore *store, SeriesData *data, PointView *view) noexcept nogil:
    cdef Tail *tail = data.tail
    cdef PointView old
    cdef size_t at = 0
    cdef bint there
    cdef int means
    cdef int status = full_settle(store, data)
    if status != OK:
        return status
    if tail != NULL and tail.late != NULL:
        at = rows_find(tail.late, 0, tail.late.count, view.time)
        if at < tail.late.count and tail.late.times[at] == view.time:
            return replace_late(store, data, at, view)
    status = find_point(store, data, view.time, &old, &there)
    if status != OK:
        return status
    if not there:
        if put_late(store, data, at, view, False) != OK:
            return NO_MEMORY
        store.late_points += 1
        data.points += 1
        store.points += 1
    else:
        if again(store, data, &old, view, &means) != OK:
            return NO_MEMORY
        if means == SAME:
            return OK
        if not replace_newest(data, view) and put_late(store, data, at, view, True) != OK:
            return NO_MEMORY
        if not data.options & DATA_ADD:
            store.replaced_points += 1
    fold_many(store, data)
    return OK
