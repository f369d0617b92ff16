"""Reading blocks of ticks; the contract is in chunks/ticks.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from urpo_store.engine.memory.alloc cimport mem_alloc
from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, OK
from urpo_store.engine.codec.columns cimport CHUNK_POINTS, decode_times
from urpo_store.engine.chunks.types cimport TIME_CACHE, Work


cdef int decode_span(Work *work, const TickSpan *span, const int64_t **times) noexcept nogil:
    """Decodes a column of ticks into the cache, in place of the block that was there."""
    cdef size_t slot = span.serial & (TIME_CACHE - 1)
    cdef const uint8_t *end = span.bytes + span.length
    if work.times[slot] == NULL:
        work.times[slot] = <int64_t *>mem_alloc(work.account, 8 * CHUNK_POINTS)
        if work.times[slot] == NULL:
            return NO_MEMORY
    # Until it has succeeded the slot holds nothing.
    work.serials[slot] = 0
    if decode_times(span.bytes, end, span.count, work.times[slot], work.codec) != end:
        return BAD_BYTES
    work.serials[slot] = span.serial
    times[0] = work.times[slot]
    return OK


cdef int span_times(Work *work, const TickSpan *span, const int64_t **times) noexcept nogil:
    if span.count == 0 or span.count > CHUNK_POINTS:
        return BAD_BYTES
    if span.raw:
        times[0] = <const int64_t *>span.bytes
        return OK if span.length >= 8 * span.count else BAD_BYTES
    if span.serial == 0:
        return BAD_BYTES            # 0 marks a place of the cache that holds nothing
    times[0] = cached_times(work, span.serial)
    return OK if times[0] != NULL else decode_span(work, span, times)


cdef int gather_times(
    Work *work, const TickSpan *spans, size_t span_count, uint32_t first, size_t count, int64_t *out
) noexcept nogil:
    cdef size_t place = block_place(first), n
    cdef const int64_t *times
    cdef int status
    while count:
        n = CHUNK_POINTS - place if count > CHUNK_POINTS - place else count
        if span_count == 0:
            return BAD_BYTES
        if spans.bytes != NULL:
            status = span_times(work, spans, &times)
            if status != OK:
                return status
            if place + n > spans.count:
                return BAD_BYTES
            memcpy(out, times + place, 8 * n)
        out += n
        count -= n
        place = 0
        spans += 1
        span_count -= 1
    return OK


cdef inline bint is_set(const uint8_t *bitmap, uint32_t bit) noexcept nogil:
    return bitmap[bit >> 3] >> (bit & 7) & 1


cdef uint32_t last_marked(const uint8_t *bitmap, uint32_t begin, uint32_t end) noexcept nogil:
    """The bit behind the last one that is set in begin..end - 1; `begin` if none is."""
    while end > begin and not is_set(bitmap, end - 1):
        end -= 1
    return end


cdef int gather_marked(
    Work *work, const TickSpan *spans, size_t span_count, uint32_t first,
    const uint8_t *bitmap, uint32_t width, size_t count, int64_t *out
) noexcept nogil:
    cdef uint32_t place = block_place(first), bit = 0, end, marked
    cdef const int64_t *times
    cdef int64_t *out_end = out + count
    cdef int status
    while bit < width:
        # The bits of this block: bit..end - 1.
        end = bit + CHUNK_POINTS - place if width - bit > CHUNK_POINTS - place else width
        marked = last_marked(bitmap, bit, end)
        if marked > bit:
            if span_count == 0 or spans.bytes == NULL:
                return BAD_BYTES
            status = span_times(work, spans, &times)
            if status != OK:
                return status
            if place + (marked - bit) > spans.count:
                return BAD_BYTES
            times += place
            for bit in range(bit, marked):
                if is_set(bitmap, bit):
                    if out == out_end:
                        return BAD_BYTES
                    out[0] = times[0]
                    out += 1
                times += 1
        bit = end
        place = 0
        if span_count:
            spans += 1
            span_count -= 1
    return OK if out == out_end else BAD_BYTES
