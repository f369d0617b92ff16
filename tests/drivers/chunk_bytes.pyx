"""Chunks to bytes, and any bytes to points: for tests and for fuzzing."""
cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_free
from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.codec.columns cimport CHUNK_POINTS, codec_scratch
from urpo_store.engine.chunks.chunk cimport CHUNK_SPANS, chunk_size, chunk_sound
from urpo_store.engine.chunks.decode cimport chunk_decode
from urpo_store.engine.chunks.encode cimport chunk_encode
from urpo_store.engine.chunks.layout cimport layout_intern, layout_table_destroy, layout_table_init
from urpo_store.engine.chunks.rows cimport (
    rows_append, rows_free, rows_init, rows_reserve, rows_reserve_words, rows_view,
)
from urpo_store.engine.chunks.ticks cimport TickSpan
from urpo_store.engine.chunks.types cimport (
    TIME_CACHE, Chunk, Layout, LayoutTable, PointView, Rows, Work,
)


cdef void *exact_copy(const uint8_t *bytes, size_t size) noexcept:
    """A block of exactly this size, so that AddressSanitizer sees what is read behind it."""
    cdef void *block = malloc(size if size else 1)
    if block != NULL:
        memcpy(block, bytes, size)
    return block


cdef void free_spans(TickSpan *spans, uint32_t count) noexcept:
    cdef uint32_t i
    for i in range(count):
        free(<void *>spans[i].bytes)


@cython.final
cdef class ChunkBytes:
    """Encodes chunks and decodes bytes as chunks.

    A point is (time, start, value bits, flags, row words). A span of ticks is (bytes or None,
    count, raw). All memory that decoding reads or writes is in blocks of their own. The n-th
    allocation of a call fails after `fail_at(n)`. For one thread at a time.
    """
    cdef Account account
    cdef LayoutTable layouts
    cdef Work *work
    cdef uint64_t serial

    def __cinit__(self):
        account_init(&self.account, NULL)
        # No layout is ever released, so nothing is retired.
        layout_table_init(&self.layouts, &self.account, NULL)
        self.work = <Work *>calloc(1, sizeof(Work))
        if self.work == NULL:
            raise MemoryError
        self.work.account = &self.account
        self.work.codec = malloc(codec_scratch(CHUNK_POINTS))
        self.work.column = <uint64_t *>malloc(8 * CHUNK_POINTS)
        if self.work.codec == NULL or self.work.column == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int i
        if self.work == NULL:
            return
        for i in range(TIME_CACHE):
            mem_free(&self.account, self.work.times[i])
        mem_free(&self.account, self.work.out)
        mem_free(&self.account, self.work.span)
        free(self.work.codec)
        free(self.work.column)
        free(self.work)
        layout_table_destroy(&self.layouts)

    def fail_at(self, uint64_t n):
        self.account.fail_at = self.account.calls + n if n else 0

    def encode(self, uint32_t kind, points, uint32_t clock=0, ticks=(), layout=None):
        """The bytes of a chunk; `ticks` are those of the points, if it has a clock."""
        cdef Rows rows
        cdef Chunk *chunk = NULL
        cdef Layout *found = NULL
        cdef uint32_t[CHUNK_POINTS] numbers
        cdef int status = OK
        rows_init(&rows, &self.account)
        for i, (time, start, value, flags, row) in enumerate(points):
            words = [] if layout is None else [len(layout) | len(row) << 16, *layout, *row]
            block = b"".join(word.to_bytes(8, "little") for word in words)
            status |= rows_append(
                &rows, time, start, value, flags, <uint64_t *><char *>block if block else NULL)
            if clock:
                numbers[i] = ticks[i]
        if layout is not None:
            found = self.layout(layout, len(points[0][4]))
        if status == OK:
            chunk = chunk_encode(
                self.work, kind, &rows, 0, rows.count, clock, numbers if clock else NULL, found)
        rows_free(&rows)
        if chunk == NULL:
            raise MemoryError("no memory for a chunk")
        data = (<char *>chunk)[:chunk_size(chunk)]
        mem_free(&self.account, chunk)
        return data

    cdef Layout *layout(self, words, uint32_t row_words) except NULL:
        """The layout, number 1: the table has no other."""
        cdef bytes block = b"".join(word.to_bytes(8, "little") for word in words)
        cdef void *copy = exact_copy(block, len(block))
        layout_table_destroy(&self.layouts)
        found = layout_intern(&self.layouts, <uint32_t>len(words), row_words, <uint64_t *>copy)
        free(copy)
        if found == NULL:
            raise MemoryError("no memory for a layout")
        return found

    def decode(self, bytes data, uint32_t kind, spans=(), layout=None, uint32_t row_words=0,
               uint8_t fill=0):
        """The points, or None if the bytes are no chunk of this kind with these ticks and layout.

        The memory that points are decoded into is filled with `fill` before: a result that depends
        on it was read from memory that nobody wrote.
        """
        cdef TickSpan[CHUNK_SPANS] ticks
        cdef uint32_t count = 0
        cdef Layout *found = NULL
        cdef Chunk *chunk
        cdef Rows rows
        cdef int status = OK
        if layout is not None:
            found = self.layout(layout, row_words)
        chunk = <Chunk *>exact_copy(data, len(data))
        for held, ticks_held, raw in spans[:CHUNK_SPANS]:
            self.serial += 1
            memset(&ticks[count], 0, sizeof(TickSpan))
            if held is not None:
                ticks[count].bytes = <const uint8_t *>exact_copy(held, len(held))
                ticks[count].length = <uint32_t>len(held)
            ticks[count].serial = self.serial
            ticks[count].count = ticks_held
            ticks[count].raw = raw
            count += 1
        rows_init(&rows, &self.account)
        try:
            if chunk_sound(chunk, len(data), kind):
                status = self.fill_rows(&rows, chunk.count, found, fill)
                if status == OK:
                    status = chunk_decode(self.work, kind, chunk, ticks, count, found, &rows)
                if status != OK and (rows.count or rows.word_count):
                    raise AssertionError(f"{rows.count} points in spite of status {status}")
            else:
                status = BAD_BYTES
            if status == NO_MEMORY:
                raise MemoryError("no memory to decode a chunk")
            return points_of(&rows) if status == OK else None
        finally:
            rows_free(&rows)
            free(chunk)
            free_spans(ticks, count)

    cdef int fill_rows(self, Rows *rows, size_t count, const Layout *layout, uint8_t fill) noexcept:
        cdef size_t words = count * layout.row_words if layout != NULL else 0
        if (
            rows_reserve(rows, count, layout != NULL) != OK
            or (words and rows_reserve_words(rows, words) != OK)
        ):
            return NO_MEMORY
        memset(rows.times, fill, 8 * count)
        memset(rows.starts, fill, 8 * count)
        memset(rows.values, fill, 8 * count)
        memset(rows.flags, fill, 4 * count)
        memset(self.work.column, fill, 8 * CHUNK_POINTS)
        memset(self.work.codec, fill, codec_scratch(CHUNK_POINTS))
        if words:
            memset(rows.words, fill, 8 * words)
        return OK


cdef list points_of(const Rows *rows):
    cdef PointView view
    cdef size_t i
    found = []
    for i in range(rows.count):
        rows_view(rows, i, &view)
        row = tuple([view.row[j] for j in range(view.row_words)])
        found.append((view.time, view.start, view.value, view.flags, row))
    return found
