# The working memory of whoever encodes or decodes chunks: one for the drain, one for each worker that seals
# full tails, one for each reader.
#
# Reused from call to call; nothing in it means anything between calls but the decoded blocks of
# clocks, which are looked up by the block's serial number (a serial is never given twice, so a
# block that is gone cannot be mistaken for another).
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account

cdef enum:
    TIME_CACHE = 8              # decoded blocks kept; a power of two

cdef struct Work:
    Account *account
    void *codec                 # codec_scratch(CHUNK_POINTS) bytes
    uint64_t *column            # one column, CHUNK_POINTS words
    uint32_t *ticks             # the ticks of a chunk's points, CHUNK_POINTS
    uint8_t *out                # bytes being written
    size_t out_capacity
    int64_t *span               # the times of a run of ticks
    size_t span_capacity
    uint64_t serials[TIME_CACHE]
    int64_t *times[TIME_CACHE]  # CHUNK_POINTS each; NULL until needed

cdef Work *work_new(Account *account) noexcept nogil                        # NULL: no memory
cdef void work_free(Work *work) noexcept nogil
# Makes `out` at least `size` bytes, what is in it kept. 0, or -1: no memory.
cdef int work_out(Work *work, size_t size) noexcept nogil
cdef int work_span(Work *work, size_t count) noexcept nogil
