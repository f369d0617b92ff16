# The exemplars of a payload: u32 length and raw Exemplar message, repeated (points/slots.pxd).
#
# wire/staging measures and writes them, and lets only well-formed messages in. The drain walks them
# with next_exemplar.
from libc.stdint cimport int64_t, uint8_t, uint32_t

from urpo_store.engine.wire.types cimport Scan, Span

# Checks the exemplars in a data point: the fields of `tag` in its checked message `body`. Adds up
# the bytes that the good ones take, and the number of bad ones: without a value, with an id of a
# wrong length or a time out of range. OK or BAD_BYTES.
cdef int exemplars_measure(
    Scan *scan, Span body, uint32_t tag, size_t *bytes, uint32_t *bad
) noexcept nogil
# Writes the good ones. REQUIRES: exemplars_measure; room for `bytes`.
cdef void exemplars_write(Span body, uint32_t tag, uint8_t *out) noexcept nogil

# The next exemplar from *at on, and its time; time 0: it has none, and its point's time is meant.
# Moves *at. False: there is no other.
cdef bint next_exemplar(
    const uint8_t **at, const uint8_t *end, Span *message, int64_t *time
) noexcept nogil
