"""Decoded points in columns; the contract is in chunks/rows.pxd."""
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

from urpo_store.engine.memory.alloc cimport Account, mem_free, mem_grow, mem_realloc
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport payload_layout_words, payload_row_words
from urpo_store.engine.chunks.work cimport work_free

cdef enum:
    LAYOUTS_SEARCHED = 16       # how many of the newest layouts are compared before one is added


cdef void rows_init(Rows *rows, Account *account) noexcept nogil:
    memset(rows, 0, sizeof(Rows))
    rows.account = account


cdef void rows_free(Rows *rows) noexcept nogil:
    mem_free(rows.account, rows.times)
    mem_free(rows.account, rows.starts)
    mem_free(rows.account, rows.values)
    mem_free(rows.account, rows.flags)
    mem_free(rows.account, rows.layout)
    mem_free(rows.account, rows.row)
    mem_free(rows.account, rows.words)
    mem_free(rows.account, rows.layouts)
    mem_free(rows.account, rows.layout_words)
    work_free(rows.work)
    rows_init(rows, rows.account)


cdef void rows_clear(Rows *rows) noexcept nogil:
    rows.count = rows.word_count = rows.layout_count = rows.layout_word_count = 0


cdef inline int resize(Account *account, void **column, size_t size) noexcept nogil:
    cdef void *moved = mem_realloc(account, column[0], size)
    if moved == NULL:
        return NO_MEMORY
    column[0] = moved
    return OK


cdef int rows_reserve(Rows *rows, size_t more, bint rowed) noexcept nogil:
    cdef size_t wanted = rows.capacity, i
    cdef bint missing = rowed and rows.layout == NULL
    if rows.count + more <= wanted and not missing:
        return OK
    if wanted < 8:
        wanted = 8
    while wanted < rows.count + more:
        wanted *= 2
    # If one fails, those that have grown are only larger than `capacity` says.
    if wanted > rows.capacity:
        if (
            resize(rows.account, <void **>&rows.times, 8 * wanted) != OK
            or resize(rows.account, <void **>&rows.starts, 8 * wanted) != OK
            or resize(rows.account, <void **>&rows.values, 8 * wanted) != OK
            or resize(rows.account, <void **>&rows.flags, 4 * wanted) != OK
        ):
            return NO_MEMORY
    if (rowed or rows.row != NULL) and resize(rows.account, <void **>&rows.row, 8 * wanted) != OK:
        return NO_MEMORY
    if (
        (rowed or rows.layout != NULL)
        and resize(rows.account, <void **>&rows.layout, 4 * wanted) != OK
    ):
        return NO_MEMORY
    if missing:
        for i in range(rows.count):
            rows.layout[i] = NO_LAYOUT
            rows.row[i] = 0
    rows.capacity = wanted
    return OK


cdef int rows_reserve_words(Rows *rows, size_t more) noexcept nogil:
    return mem_grow(
        rows.account, <void **>&rows.words, &rows.word_capacity, rows.word_count + more, 8)


cdef int64_t rows_layout(
    Rows *rows, uint32_t layout_words, uint32_t row_words, const uint64_t *layout
) noexcept nogil:
    cdef uint64_t wanted = <uint64_t>layout_words << 16 | row_words
    cdef size_t i = rows.layout_count, last = 0
    cdef uint64_t *words
    if i > LAYOUTS_SEARCHED:
        last = i - LAYOUTS_SEARCHED
    while i > last:
        i -= 1
        if <uint32_t>rows.layouts[i] == wanted and (layout_words == 0 or memcmp(
            rows.layout_words + (rows.layouts[i] >> 32), layout, 8 * layout_words
        ) == 0):
            return <int64_t>i
    if (
        mem_grow(
            rows.account, <void **>&rows.layouts, &rows.layout_capacity, rows.layout_count + 1, 8
        ) != OK
        or mem_grow(
            rows.account, <void **>&rows.layout_words, &rows.layout_word_capacity,
            rows.layout_word_count + layout_words, 8,
        ) != OK
    ):
        return NO_MEMORY
    words = rows.layout_words + rows.layout_word_count
    if layout_words:
        memcpy(words, layout, 8 * layout_words)
    rows.layouts[rows.layout_count] = <uint64_t>rows.layout_word_count << 32 | wanted
    rows.layout_word_count += layout_words
    rows.layout_count += 1
    return <int64_t>rows.layout_count - 1


cdef void rows_view(const Rows *rows, size_t i, PointView *view) noexcept nogil:
    cdef uint64_t layout
    memset(view, 0, sizeof(PointView))
    view.time = rows.times[i]
    view.start = rows.starts[i]
    view.value = rows.values[i]
    view.flags = rows.flags[i]
    if rows.layout != NULL and rows.layout[i] != NO_LAYOUT:
        layout = rows.layouts[rows.layout[i]]
        view.rowed = 1
        view.layout_words = <uint32_t>(layout >> 16) & 0xFFFF
        view.row_words = <uint32_t>layout & 0xFFFF
        view.layout = rows.layout_words + (layout >> 32)
        view.row = rows.words + rows.row[i]


cdef int put_row(Rows *rows, size_t at, const PointView *view) noexcept nogil:
    """Gives point `at`, for which there is room, the view's layout and row."""
    cdef int64_t layout
    if not view.rowed:
        if rows.layout != NULL:
            rows.layout[at] = NO_LAYOUT
            rows.row[at] = 0
        return OK
    if rows_reserve_words(rows, view.row_words) != OK:
        return NO_MEMORY
    layout = rows_layout(rows, view.layout_words, view.row_words, view.layout)
    if layout < 0:
        return NO_MEMORY
    if view.row_words:
        memcpy(rows.words + rows.word_count, view.row, 8 * view.row_words)
    rows.layout[at] = <uint32_t>layout
    rows.row[at] = rows.word_count
    rows.word_count += view.row_words
    return OK


cdef int rows_push(Rows *rows, const PointView *view) noexcept nogil:
    if rows_reserve(rows, 1, view.rowed) != OK or put_row(rows, rows.count, view) != OK:
        return NO_MEMORY
    rows.times[rows.count] = view.time
    rows.starts[rows.count] = view.start
    rows.values[rows.count] = view.value
    rows.flags[rows.count] = view.flags
    rows.count += 1
    return OK


cdef int rows_replace(Rows *rows, size_t at, const PointView *view) noexcept nogil:
    if put_row(rows, at, view) != OK:
        return NO_MEMORY
    rows.starts[at] = view.start
    rows.values[at] = view.value
    rows.flags[at] = view.flags
    return OK


cdef void rows_shift(Rows *rows, size_t to, size_t source, size_t count) noexcept nogil:
    memmove(rows.times + to, rows.times + source, 8 * count)
    memmove(rows.starts + to, rows.starts + source, 8 * count)
    memmove(rows.values + to, rows.values + source, 8 * count)
    memmove(rows.flags + to, rows.flags + source, 4 * count)
    if rows.layout != NULL:
        memmove(rows.layout + to, rows.layout + source, 4 * count)
        memmove(rows.row + to, rows.row + source, 8 * count)


cdef int rows_insert(Rows *rows, size_t at, const PointView *view) noexcept nogil:
    cdef size_t end = rows.count
    cdef uint64_t row = 0
    cdef uint32_t layout = 0
    if rows_push(rows, view) != OK:
        return NO_MEMORY
    if at == end:
        return OK
    if rows.layout != NULL:
        layout = rows.layout[end]
        row = rows.row[end]
    rows_shift(rows, at + 1, at, end - at)
    rows.times[at] = view.time
    rows.starts[at] = view.start
    rows.values[at] = view.value
    rows.flags[at] = view.flags
    if rows.layout != NULL:
        rows.layout[at] = layout
        rows.row[at] = row
    return OK


cdef void rows_drop(Rows *rows, size_t begin, size_t end) noexcept nogil:
    if begin < end:
        rows_shift(rows, begin, end, rows.count - end)
        rows.count -= end - begin


cdef size_t rows_find(const Rows *rows, size_t first, size_t end, int64_t time) noexcept nogil:
    cdef size_t middle
    while first < end:
        middle = first + (end - first) // 2
        if rows.times[middle] < time:
            first = middle + 1
        else:
            end = middle
    return first


cdef size_t rows_behind(const Rows *rows, size_t first, size_t end, int64_t time) noexcept nogil:
    return rows_find(rows, first, end, time + 1) if time < INT64_MAX else end


cdef int rows_append(
    Rows *rows, int64_t time, int64_t start, uint64_t value, uint32_t flags, const uint64_t *payload
) noexcept nogil:
    cdef PointView view
    memset(&view, 0, sizeof(PointView))
    view.time = time
    view.start = start
    view.value = value
    view.flags = flags
    if payload != NULL:
        view.layout_words = payload_layout_words(payload[0])
        view.row_words = payload_row_words(payload[0])
        # A number's payload is exemplars alone: no layout, no row.
        view.rowed = view.layout_words != 0 or view.row_words != 0
        view.layout = payload + 1
        view.row = payload + 1 + view.layout_words
    return rows_push(rows, &view)
