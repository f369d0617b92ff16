"""Sorting and merging decoded points; the contract is in chunks/merging.pxd.

A stable merge sort of an index; then each column is permuted. Most often there are two runs, and
the second is short; to merge what is in order already is to copy it.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_free
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.chunks.addition cimport rows_add
from urpo_store.engine.chunks.rows cimport rows_find, rows_shift, rows_view
from urpo_store.engine.chunks.types cimport PointView, Rows


cdef bint ascending(const Rows *rows, size_t first) noexcept nogil:
    cdef size_t i
    for i in range(first + 1, rows.count):
        if rows.times[i] <= rows.times[i - 1]:
            return 0
    return 1


cdef void insertion_sort(Rows *rows, size_t first) noexcept nogil:
    """Stable, in place: for when there is no memory for an index."""
    cdef size_t i, at
    cdef int64_t time, start
    cdef uint64_t value, row = 0
    cdef uint32_t flags, layout = 0
    for i in range(first + 1, rows.count):
        time = rows.times[i]
        if rows.times[i - 1] <= time:
            continue
        at = rows_find(rows, first, i, time)
        while at < i and rows.times[at] == time:
            at += 1
        start = rows.starts[i]
        value = rows.values[i]
        flags = rows.flags[i]
        if rows.layout != NULL:
            layout = rows.layout[i]
            row = rows.row[i]
        rows_shift(rows, at + 1, at, i - at)
        rows.times[at] = time
        rows.starts[at] = start
        rows.values[at] = value
        rows.flags[at] = flags
        if rows.layout != NULL:
            rows.layout[at] = layout
            rows.row[at] = row


cdef uint32_t *sorted_index(
    const int64_t *times, uint32_t *index, uint32_t *other, size_t n
) noexcept nogil:
    """Merge sort, stable; returns the one of the two arrays that holds the result."""
    cdef size_t width = 1, begin, middle, end, a, b, i
    cdef uint32_t *swap
    for i in range(n):
        index[i] = <uint32_t>i
    while width < n:
        begin = 0
        while begin < n:
            middle = begin + width if begin + width < n else n
            end = middle + width if middle + width < n else n
            if middle == end or times[index[middle - 1]] <= times[index[middle]]:
                memcpy(other + begin, index + begin, 4 * (end - begin))
            else:
                a = begin
                b = middle
                for i in range(begin, end):
                    if b == end or (a < middle and times[index[a]] <= times[index[b]]):
                        other[i] = index[a]
                        a += 1
                    else:
                        other[i] = index[b]
                        b += 1
            begin = end
        swap = index
        index = other
        other = swap
        width *= 2
    return index


cdef void permute8(
    uint64_t *column, uint64_t *temporary, const uint32_t *index, size_t n
) noexcept nogil:
    cdef size_t i
    for i in range(n):
        temporary[i] = column[index[i]]
    memcpy(column, temporary, 8 * n)


cdef void permute4(
    uint32_t *column, uint32_t *temporary, const uint32_t *index, size_t n
) noexcept nogil:
    cdef size_t i
    for i in range(n):
        temporary[i] = column[index[i]]
    memcpy(column, temporary, 4 * n)


cdef void order(Rows *rows, size_t first) noexcept nogil:
    cdef size_t n = rows.count - first
    cdef uint64_t *temporary = <uint64_t *>mem_alloc(rows.account, 16 * n)
    cdef uint32_t *index
    if temporary == NULL:
        insertion_sort(rows, first)
        return
    index = <uint32_t *>(temporary + n)
    index = sorted_index(rows.times + first, index, index + n, n)
    permute8(<uint64_t *>rows.times + first, temporary, index, n)
    permute8(<uint64_t *>rows.starts + first, temporary, index, n)
    permute8(rows.values + first, temporary, index, n)
    permute4(rows.flags + first, <uint32_t *>temporary, index, n)
    if rows.layout != NULL:
        permute4(rows.layout + first, <uint32_t *>temporary, index, n)
        permute8(rows.row + first, temporary, index, n)
    mem_free(rows.account, temporary)


cdef int rows_sort(Rows *rows, size_t first, bint add) noexcept nogil:
    cdef PointView view
    cdef size_t i, kept
    cdef int status = OK
    if rows.count <= first or ascending(rows, first):
        return OK
    order(rows, first)
    kept = first
    for i in range(first + 1, rows.count):
        if rows.times[i] != rows.times[kept]:
            kept += 1
        elif add:
            rows_view(rows, i, &view)
            if rows_add(rows, kept, &view, rows.kind) == OK:
                continue
            status = NO_MEMORY
        if kept != i:
            rows_shift(rows, kept, i, 1)
    rows.count = kept + 1
    return status
