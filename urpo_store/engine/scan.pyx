"""Range scans over ring and chunks; the contract, and why nothing is missed, is in scan.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    load32_relaxed, load_relaxed, pthread_mutex_lock, pthread_mutex_unlock,
)
from urpo_store.engine.memory.mutants cimport MUTANT_WATERMARK_EARLY
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport FLAG_STALE
from urpo_store.engine.chunks.merging cimport rows_sort
from urpo_store.engine.chunks.rows cimport Rows, rows_append, rows_drop
from urpo_store.engine.chunks.snapshot cimport Snapshot, snapshot_decode, snapshot_take
from urpo_store.engine.chunks.types cimport DATA_ADD
from urpo_store.engine.identity.types cimport Series, series_get
from urpo_store.engine.ring cimport (
    RingCopies, RingCopy, ring_collect, ring_collect_one, ring_copies_free,
)
from urpo_store.engine.store cimport Store


# The ring's copies by series: those of ids[i] are items[order[k]] for begin[i] <= k < begin[i + 1].
cdef struct Grouped:
    RingCopies copies
    uint32_t *order
    size_t *begin


cdef int group_copies(Store *store, const uint32_t *ids, size_t count, Grouped *out) noexcept nogil:
    """Collects the wanted points of the ring, and sorts them by series (counting sort, stable)."""
    cdef uint32_t limit = load32_relaxed(&store.table.series_limit)
    cdef uint32_t *wanted
    cdef size_t i, total
    cdef int failed
    memset(out, 0, sizeof(Grouped))
    out.copies.account = &store.query_account
    if count == 1:
        failed = ring_collect_one(&store.ring, ids[0], &out.copies)
    else:
        wanted = <uint32_t *>mem_calloc(&store.query_account, limit * sizeof(uint32_t))
        if wanted == NULL:
            return -1
        for i in range(count):
            if ids[i] < limit:
                wanted[ids[i]] = <uint32_t>(i + 1)
        failed = ring_collect(&store.ring, wanted, limit, &out.copies)
        mem_free(&store.query_account, wanted)
    if failed:
        return -1
    out.begin = <size_t *>mem_calloc(&store.query_account, (count + 2) * sizeof(size_t))
    out.order = <uint32_t *>mem_alloc(&store.query_account, out.copies.count * sizeof(uint32_t))
    if out.begin == NULL or out.order == NULL:
        return -1
    # selected is i + 1. begin[] counts one place further on, so that filling in the order moves every
    # entry to where it belongs.
    for i in range(out.copies.count):
        out.begin[out.copies.items[i].selected + 1] += 1
    total = 0
    for i in range(1, count + 2):
        total += out.begin[i]
        out.begin[i] = total
    for i in range(out.copies.count):
        out.order[out.begin[out.copies.items[i].selected]] = <uint32_t>i
        out.begin[out.copies.items[i].selected] += 1
    return 0


cdef void group_free(Store *store, Grouped *grouped) noexcept nogil:
    ring_copies_free(&grouped.copies)
    mem_free(&store.query_account, grouped.order)
    mem_free(&store.query_account, grouped.begin)


cdef int scan_one(Store *store, Series *series, Grouped *grouped, size_t i, int64_t start, int64_t end,
                  bint predecessor, Rows *rows) noexcept nogil:
    cdef Snapshot *snapshot = NULL
    cdef RingCopy *copy
    cdef uint64_t drained
    cdef int64_t given_up
    cdef size_t begin = rows.count, k, appended = 0
    cdef int status
    pthread_mutex_lock(&store.chunks.lock)
    given_up = series.data.given_up
    status = snapshot_take(&store.chunks, &series.data, start, end, predecessor, &snapshot)
    # Read under the lock: all below is in the snapshot, nothing at or above it is.
    drained = load_relaxed(&store.ring.tail)
    pthread_mutex_unlock(&store.chunks.lock)
    if MUTANT_WATERMARK_EARLY:
        drained = load_relaxed(&store.ring.tail)
    if status == OK:
        status = snapshot_decode(snapshot, rows)
    if status != OK:
        return status
    for k in range(grouped.begin[i], grouped.begin[i + 1]):
        copy = &grouped.copies.items[grouped.order[k]]
        if copy.position < drained or copy.point.timestamp > end:
            continue
        if copy.point.timestamp < start and not predecessor:
            continue
        if rows_append(rows, copy.point.timestamp, copy.start, copy.point.value, copy.point.flags,
                       &grouped.copies.words[copy.words] if copy.point.payload else NULL) != OK:
            return NO_MEMORY
        appended += 1
    if appended and rows_sort(rows, begin, (series.data.options & DATA_ADD) != 0) != OK:
        return NO_MEMORY
    if predecessor:
        # Of the points before the range only the newest one is asked for.
        k = begin
        while k < rows.count and rows.times[k] < start:
            k += 1
        if k > begin + 1:
            rows_drop(rows, begin, k - 1)
        forget_start(rows, begin, start, given_up)
    return OK


cdef void forget_start(Rows *rows, size_t first, int64_t begin, int64_t given_up) noexcept nogil:
    """Of a series that has lost its oldest points, the first value left is not its first: it goes on
    from one that is gone, unless it started anew since. With an unknown start it is a baseline."""
    while first < rows.count and rows.flags[first] & FLAG_STALE:
        first += 1
    if first < rows.count and rows.times[first] >= begin and rows.starts[first] < given_up:
        rows.starts[first] = 0


cdef int scan_series(Store *store, const uint32_t *ids, size_t count, int64_t start, int64_t end,
                     bint predecessor, Rows *rows, int64_t *offsets, int64_t *first) noexcept nogil:
    cdef Grouped grouped
    cdef Series *series
    cdef size_t i
    cdef int status = group_copies(store, ids, count, &grouped)
    if status == OK:
        for i in range(count):
            offsets[i] = <int64_t>rows.count
            series = series_get(&store.table, ids[i])
            if series != NULL:
                status = scan_one(store, series, &grouped, i, start, end, predecessor, rows)
            if status != OK:
                break
            first[i] = offsets[i]
            if offsets[i] < <int64_t>rows.count and rows.times[offsets[i]] < start:
                first[i] += 1
        offsets[count] = <int64_t>rows.count
    group_free(store, &grouped)
    return status
