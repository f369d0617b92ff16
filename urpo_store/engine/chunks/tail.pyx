"""The newest points of a series; the contract is in chunks/tail.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_free
from urpo_store.engine.memory.epoch cimport Epochs, mem_retire
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.ranges cimport Ranges, ranges_write
from urpo_store.engine.codec.columns cimport CHUNK_POINTS
from urpo_store.engine.chunks.layout cimport layout_data
from urpo_store.engine.chunks.tail_stream cimport (
    NUMBER_ENTRY, ROW_ENTRY, WORD_ENTRY, put_entry, tail_last_row, tail_newest_row,
)
from urpo_store.engine.chunks.types cimport TailRows, TailView, Work
from urpo_store.engine.chunks.work cimport work_out

cdef enum:
    FIRST_STREAM = 56           # room of a new series' stream
    MIDDLING_STREAM = 512       # room from which on it grows by two, not four


# The stream and its room

cdef void tail_free_stream(Account *account, Epochs *epochs, Tail *tail) noexcept nogil:
    if tail.shared and tail.bytes != NULL:
        mem_retire(epochs, account, tail.bytes)
    else:
        mem_free(account, tail.bytes)
    tail.bytes = NULL
    tail.shared = 0


cdef size_t room_wanted(const Tail *tail, size_t needed) noexcept nogil:
    """Room for a stream that has outgrown its own: a multiple of that, but not much more than the
    whole stream will take if it goes on as it began."""
    cdef size_t wanted, whole
    if tail.capacity == 0:
        wanted = tail.reserve if tail.reserve > FIRST_STREAM else FIRST_STREAM
    else:
        wanted = <size_t>tail.capacity * (4 if tail.capacity < MIDDLING_STREAM else 2)
        whole = needed * tail.limit // tail.cursor.count
        whole += whole // 16
        # The last step goes all the way, rather than a little short of it.
        if wanted + wanted // 4 > whole:
            wanted = whole
    # Near the end, a point that is longer than expected must not cost a copy each.
    return wanted if wanted > needed + needed // 8 else needed + needed // 8


cdef int make_room(Account *account, Epochs *epochs, Tail *tail, size_t needed) noexcept nogil:
    """Room for a stream of `needed` bytes."""
    cdef size_t capacity
    cdef uint8_t *bytes
    if needed <= tail.capacity:
        return OK
    capacity = room_wanted(tail, needed)
    bytes = <uint8_t *>mem_alloc(account, capacity)
    if bytes == NULL:
        return NO_MEMORY
    if tail.cursor.length:
        memcpy(bytes, tail.bytes, tail.cursor.length)
    tail_free_stream(account, epochs, tail)
    tail.bytes = bytes
    tail.capacity = <uint32_t>capacity
    return OK


cdef int tail_write(
    Work *work, Epochs *epochs, Tail *tail, uint32_t kind, uint32_t *end
) noexcept nogil:
    cdef uint32_t length = tail.cursor.length
    cdef bint own = tail.clock == NULL
    cdef size_t size
    if tail.rows == NULL and tail.capacity - length >= NUMBER_ENTRY:
        end[0] = <uint32_t>(
            put_entry(tail.bytes + length, &tail.cursor, &tail.newest, NULL, own, kind) - tail.bytes
        )
        return OK
    # Elsewhere first: how long it is says how much room is to be made.
    size = ROW_ENTRY
    if tail.rows != NULL:
        size += WORD_ENTRY * <size_t>tail.rows.row_words
    if work_out(work, size) != OK:
        return NO_MEMORY
    size = put_entry(work.out, &tail.cursor, &tail.newest, tail.rows, own, kind) - work.out
    if make_room(work.account, epochs, tail, length + size) != OK:
        return NO_MEMORY
    memcpy(tail.bytes + length, work.out, size)
    end[0] = length + <uint32_t>size
    return OK


cdef void tail_clear(Account *account, Epochs *epochs, Tail *tail) noexcept nogil:
    cdef TailRows *rows = tail.rows
    tail_free_stream(account, epochs, tail)
    # The next stream begins with half of what this one took: then one more step is mostly enough.
    tail.reserve = tail.cursor.length // 2 + 16
    tail.capacity = 0
    tail.limit = CHUNK_POINTS
    tail.cursor.length = tail.cursor.count = 0
    if rows != NULL:
        memset(tail_last_row(rows), 0, 8 * rows.row_words)
        rows.written.positive = rows.written.negative = 0
        rows.written.positive_count = rows.written.negative_count = 0


# Rows

cdef TailRows *tail_rows_new(
    Account *account, uint32_t row_words, const Ranges *ranges
) noexcept nogil:
    cdef size_t size = sizeof(TailRows) + 16 * <size_t>row_words
    cdef TailRows *rows = <TailRows *>mem_alloc(account, size)
    if rows == NULL:
        return NULL
    memset(rows, 0, size)
    rows.row_words = row_words
    if ranges != NULL:
        rows.ranged = 1
        rows.ranges = ranges[0]
        rows.written.scale = ranges.scale
    return rows


cdef void tail_view(
    const Tail *tail, uint32_t kind, uint64_t *layout, TailView *view
) noexcept nogil:
    cdef TailRows *rows = tail.rows
    memset(view, 0, sizeof(TailView))
    view.bytes = tail.bytes
    view.length = tail.cursor.length
    view.count = tail.cursor.count
    view.own = tail.clock == NULL
    view.kind = kind
    view.first_tick = tail.first_tick
    view.tick = tail.newest.tick
    view.newest.time = tail.newest.time
    view.newest.start = tail.newest.start
    view.newest.value = tail.newest.value
    view.newest.flags = tail.newest.flags
    if rows == NULL:
        return
    view.newest.rowed = 1
    view.newest.row_words = rows.row_words
    view.newest.row = tail_newest_row(rows)
    view.ranged = rows.ranged
    view.ranges = rows.ranges
    if rows.ranged:
        ranges_write(&rows.ranges, layout)
        view.newest.layout_words = 2
        view.newest.layout = layout
    else:
        view.newest.layout_words = rows.layout.layout_words
        view.newest.layout = layout_data(rows.layout)
