# Working memory for encoding and decoding chunks. The drain has one, each worker that seals full
# tails has one, and so has each reader. Owned by one thread at a time.
#
# It is used again from call to call. Between calls only the decoded blocks of ticks mean anything:
# they are looked up by TickSpan.serial, which is never given twice, so a block that is gone cannot
# be taken for another (chunks/ticks.pxd).
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.chunks.types cimport Work

# NULL: no memory.
cdef Work *work_new(Account *account) noexcept nogil
# NULL is allowed.
cdef void work_free(Work *work) noexcept nogil
# Makes `out` at least `size` bytes; what is in it stays. OK or NO_MEMORY.
cdef int work_out(Work *work, size_t size) noexcept nogil
# Makes `span` at least `count` times. OK or NO_MEMORY.
cdef int work_span(Work *work, size_t count) noexcept nogil
