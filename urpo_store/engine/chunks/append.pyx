"""The way in; the contract is in chunks/append.pxd.

  in          append: the way in; newest: in order of time; late: again, or late; addition: sums
  open        tail: a series' newest points; tail_stream: their bytes
  to chunks   folding: late points and tail; sealing: which points share a chunk; full_tails:
              without the drain lock
  chunks      chunk: the header; encode and decode: columns; clock and ticks: shared times; layout
  looked at   series_chunks: under the lock; snapshot: what a reader takes, and decodes without it
  gone        eviction: by age, or the oldest first; life: with their series, or the store
  besides     exemplars; rows: decoded points; merging: into one run; work: scratch memory
"""
from libc.stdint cimport int64_t, uint64_t

from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.points.slots cimport (
    FLAG_STALE, KIND_HISTOGRAM, Point, payload_layout_words, payload_row_words,
)
from urpo_store.engine.chunks.late cimport append_late
from urpo_store.engine.chunks.newest cimport append_newest
from urpo_store.engine.chunks.types cimport ChunkStore, PointView, SeriesData


cdef int chunks_append(
    ChunkStore *store, SeriesData *data, const Point *point, int64_t start, const uint64_t *payload
) noexcept nogil:
    cdef PointView view
    cdef int failed
    view.time = point.timestamp
    view.start = start
    view.value = 0 if point.flags & FLAG_STALE else point.value
    view.flags = point.flags
    view.rowed = data.kind >= KIND_HISTOGRAM
    view.layout_words = view.row_words = 0
    view.layout = view.row = NULL
    if view.rowed and payload != NULL:
        view.layout_words = payload_layout_words(payload[0])
        view.row_words = payload_row_words(payload[0])
        view.layout = payload + 1
        view.row = payload + 1 + view.layout_words
    if view.time > data.last_time:
        failed = append_newest(store, data, &view)
    else:
        failed = append_late(store, data, &view)
    if failed != OK:
        store.evicted_points += 1
    return failed
