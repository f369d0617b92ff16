"""The points of some series from ring and chunks; the contract is in gather.pxd."""
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
from urpo_store.engine.chunks.rows cimport rows_append, rows_drop
from urpo_store.engine.chunks.snapshot cimport Snapshot, snapshot_decode, snapshot_take
from urpo_store.engine.chunks.types cimport DATA_ADD, Rows
from urpo_store.engine.identity.types cimport Series, series_get
from urpo_store.engine.ring cimport (
    RingCopies, RingCopy, ring_collect, ring_collect_one, ring_copies_free,
)
from urpo_store.engine.store cimport Store


# ---- all series ----------------------------------------------------------------------------------

# The ring's copies by series: those of ids[i] are items[order[k]] for begin[i] <= k < begin[i + 1].
cdef struct Hot:
    RingCopies copies
    uint32_t *order
    size_t *begin


cdef int gather_points(Store *store, const uint32_t *ids, size_t count, const TimeRange *within,
                       Rows *rows, int64_t *offsets, int64_t *first) noexcept nogil:
    cdef Hot hot
    cdef Series *series
    cdef size_t i
    cdef int verdict = hot_collect(store, ids, count, &hot)
    if verdict == OK:
        for i in range(count):
            offsets[i] = <int64_t>rows.count
            series = series_get(&store.table, ids[i])
            if series != NULL:
                verdict = gather_series(store, series, &hot, i, within, rows)
                if verdict != OK:
                    break
            first[i] = offsets[i]
            if offsets[i] < <int64_t>rows.count and rows.times[offsets[i]] < within.start:
                first[i] += 1
        offsets[count] = <int64_t>rows.count
    hot_free(store, &hot)
    return verdict


# ---- out of the ring -----------------------------------------------------------------------------

cdef int hot_collect(Store *store, const uint32_t *ids, size_t count, Hot *hot) noexcept nogil:
    """Copies the wanted points of the ring and sorts them by series. OK or NO_MEMORY."""
    cdef uint32_t limit = load32_relaxed(&store.table.series_limit)
    cdef uint32_t *wanted
    cdef size_t i
    cdef int verdict
    memset(hot, 0, sizeof(Hot))
    hot.copies.account = &store.query_account
    if count == 1:
        verdict = ring_collect_one(&store.ring, ids[0], &hot.copies)
    else:
        wanted = <uint32_t *>mem_calloc(&store.query_account, limit * sizeof(uint32_t))
        if wanted == NULL:
            return NO_MEMORY
        for i in range(count):
            if ids[i] < limit:
                wanted[ids[i]] = <uint32_t>(i + 1)
        verdict = ring_collect(&store.ring, wanted, limit, &hot.copies)
        mem_free(&store.query_account, wanted)
    return hot_sort(store, count, hot) if verdict == OK else verdict


cdef int hot_sort(Store *store, size_t count, Hot *hot) noexcept nogil:
    """Fills `order` and `begin`: a stable counting sort. OK or NO_MEMORY."""
    cdef RingCopy *items = hot.copies.items
    cdef size_t i, total = 0
    hot.begin = <size_t *>mem_calloc(&store.query_account, (count + 2) * sizeof(size_t))
    hot.order = <uint32_t *>mem_alloc(&store.query_account, hot.copies.count * sizeof(uint32_t))
    if hot.begin == NULL or hot.order == NULL:
        return NO_MEMORY
    # `selected` is i + 1. begin[] counts one place further on, so that filling in the order moves
    # every entry to where it belongs.
    for i in range(hot.copies.count):
        hot.begin[items[i].selected + 1] += 1
    for i in range(1, count + 2):
        total += hot.begin[i]
        hot.begin[i] = total
    for i in range(hot.copies.count):
        hot.order[hot.begin[items[i].selected]] = <uint32_t>i
        hot.begin[items[i].selected] += 1
    return OK


cdef void hot_free(Store *store, Hot *hot) noexcept nogil:
    ring_copies_free(&hot.copies)
    mem_free(&store.query_account, hot.order)
    mem_free(&store.query_account, hot.begin)


# ---- one series ----------------------------------------------------------------------------------

cdef int gather_series(Store *store, Series *series, Hot *hot, size_t i, const TimeRange *within,
                       Rows *rows) noexcept nogil:
    """Appends the points of ids[i], which is `series`. OK, or the code of what is wrong."""
    cdef Snapshot *snapshot = NULL
    cdef uint64_t watermark
    cdef int64_t given_up
    cdef size_t begin = rows.count, of_chunks
    cdef int verdict
    pthread_mutex_lock(&store.chunks.lock)
    given_up = series.data.given_up
    verdict = snapshot_take(&store.chunks, &series.data, within.start, within.end,
                            within.predecessor, &snapshot)
    watermark = load_relaxed(&store.ring.tail)
    pthread_mutex_unlock(&store.chunks.lock)
    if MUTANT_WATERMARK_EARLY:
        watermark = load_relaxed(&store.ring.tail)
    if verdict == OK:
        verdict = snapshot_decode(snapshot, rows)
    of_chunks = rows.count
    if verdict == OK:
        verdict = append_hot(hot, i, watermark, within, rows)
    if verdict == OK and rows.count > of_chunks:
        verdict = rows_sort(rows, begin, (series.data.options & DATA_ADD) != 0)
    if verdict == OK and within.predecessor:
        keep_newest_before(rows, begin, within.start)
        forget_start(rows, begin, within.start, given_up)
    return verdict


cdef int append_hot(Hot *hot, size_t i, uint64_t watermark, const TimeRange *within,
                    Rows *rows) noexcept nogil:
    """Appends the ring's copies of ids[i] that are not in chunks. OK or NO_MEMORY."""
    cdef RingCopy *copy
    cdef size_t k
    for k in range(hot.begin[i], hot.begin[i + 1]):
        copy = &hot.copies.items[hot.order[k]]
        if copy.position < watermark or copy.point.timestamp > within.end:
            continue
        if copy.point.timestamp < within.start and not within.predecessor:
            continue
        if rows_append(rows, copy.point.timestamp, copy.start, copy.point.value, copy.point.flags,
                       &hot.copies.words[copy.words] if copy.point.payload else NULL) != OK:
            return NO_MEMORY
    return OK


cdef void keep_newest_before(Rows *rows, size_t begin, int64_t start) noexcept nogil:
    """Of the rows from `begin` on that are before `start`, drops all but the newest."""
    cdef size_t k = begin
    while k < rows.count and rows.times[k] < start:
        k += 1
    if k > begin + 1:
        rows_drop(rows, begin, k - 1)


cdef void forget_start(Rows *rows, size_t begin, int64_t start, int64_t given_up) noexcept nogil:
    """Makes the first value a baseline, by an unknown start time, if values before it are gone.

    It goes on from one of them, unless the series started anew since.
    """
    while begin < rows.count and rows.flags[begin] & FLAG_STALE:
        begin += 1
    if begin < rows.count and rows.times[begin] >= start and rows.starts[begin] < given_up:
        rows.starts[begin] = 0
