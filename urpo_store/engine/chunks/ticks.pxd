# Blocks of ticks as a reader sees them: plain bytes, in memory or from a file, decoded on demand.
#
# A clock's ticks are kept in blocks of CHUNK_POINTS (chunks/clock.pxd): tick t is in block t //
# CHUNK_POINTS, at place t % CHUNK_POINTS. A TickSpan says where the bytes of one block are. A
# reader of a chunk gets the spans of all blocks from that of its first tick to that of its last.
#
# Nothing here trusts the bytes: damaged ones give BAD_BYTES. No lock. The bytes stay where they are
# while they are used: in memory, because the reader is inside an epoch.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cimport cython

from urpo_store.engine.codec.columns cimport CHUNK_POINTS
from urpo_store.engine.chunks.types cimport TIME_CACHE, Work

cdef struct TickSpan:
    const uint8_t *bytes        # NULL: no chunk or tail has ticks in this block
    uint64_t serial             # names the bytes; from 1, and never given to other bytes
    uint32_t length             # of the bytes
    uint32_t count              # ticks in the block, from its first place on
    bint raw                    # i64 each, 8-aligned; else a column of integers (codec/columns.pxd)

@cython.cdivision(True)
cdef inline uint32_t block_number(uint32_t tick) noexcept nogil:
    return tick // CHUNK_POINTS


@cython.cdivision(True)
cdef inline uint32_t block_place(uint32_t tick) noexcept nogil:
    return tick % CHUNK_POINTS


cdef inline const int64_t *cached_times(const Work *work, uint64_t serial) noexcept nogil:
    """The times of the span with this serial if they were decoded lately, or NULL."""
    cdef size_t slot = serial & (TIME_CACHE - 1)
    return work.times[slot] if work.serials[slot] == serial else NULL


# Sets *times to the `span.count` times of a span. They are good until the next call with this Work.
# OK, NO_MEMORY or BAD_BYTES. REQUIRES: span.bytes is not NULL.
cdef int span_times(Work *work, const TickSpan *span, const int64_t **times) noexcept nogil
# Copies the times of ticks first..first + count - 1 to `out`. spans[i] is block
# block_number(first) + i, for i < span_count. Where bytes are NULL, `out` stays as it is. OK,
# NO_MEMORY, or BAD_BYTES: also if a tick is in none of the spans.
cdef int gather_times(
    Work *work, const TickSpan *spans, size_t span_count, uint32_t first, size_t count, int64_t *out
) noexcept nogil
# Copies the times of those ticks whose bit is set in `bitmap` to `out`. The bitmap has `width`
# bits; that of tick `first` is the lowest of its first byte. OK, NO_MEMORY, or BAD_BYTES: also
# unless `count` bits are set, all of them of ticks that are in the spans.
cdef int gather_marked(
    Work *work, const TickSpan *spans, size_t span_count, uint32_t first,
    const uint8_t *bitmap, uint32_t width, size_t count, int64_t *out
) noexcept nogil
