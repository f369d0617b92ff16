"""Working memory for chunks; the contract is in chunks/work.pxd."""
from libc.stdint cimport uint8_t
from libc.string cimport memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_free, mem_grow
from urpo_store.engine.codec.columns cimport CHUNK_POINTS, codec_scratch
from urpo_store.engine.chunks.types cimport TIME_CACHE


cdef Work *work_new(Account *account) noexcept nogil:
    # One block: the struct, then the arrays of fixed size, each 8-aligned.
    cdef size_t codec = (codec_scratch(CHUNK_POINTS) + 7) & ~<size_t>7
    cdef size_t size = sizeof(Work) + codec + CHUNK_POINTS * 12
    cdef Work *work = <Work *>mem_alloc(account, size)
    if work == NULL:
        return NULL
    memset(work, 0, sizeof(Work))
    work.account = account
    work.codec = work + 1
    work.column = <uint64_t *>(<uint8_t *>work.codec + codec)
    work.ticks = <uint32_t *>(work.column + CHUNK_POINTS)
    return work


cdef void work_free(Work *work) noexcept nogil:
    cdef int i
    if work == NULL:
        return
    for i in range(TIME_CACHE):
        mem_free(work.account, work.times[i])
    mem_free(work.account, work.out)
    mem_free(work.account, work.span)
    mem_free(work.account, work)


cdef int work_out(Work *work, size_t size) noexcept nogil:
    return mem_grow(work.account, <void **>&work.out, &work.out_capacity, size, 1)


cdef int work_span(Work *work, size_t count) noexcept nogil:
    return mem_grow(work.account, <void **>&work.span, &work.span_capacity, count, 8)
