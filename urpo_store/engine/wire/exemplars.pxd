# The exemplars of a payload: u32 length and raw Exemplar message, one behind the other
# (points/slots.pxd).
#
# Written by wire/staging, which lets only well-formed messages in. Pure functions; any thread.
from libc.stdint cimport int64_t, uint8_t

from urpo_store.engine.wire.types cimport Span

# The next exemplar from *at on, and its time; 0: it has none, its point's time is meant. False:
# there is no other. Moves *at on.
cdef bint next_exemplar(
    const uint8_t **at, const uint8_t *end, Span *message, int64_t *time
) noexcept nogil
