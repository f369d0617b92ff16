"""Walking the exemplars of a payload; the contract is in wire/exemplars.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.wire.protobuf cimport read_fixed64, read_tag, skip_value
from urpo_store.engine.wire.types cimport Span

cdef enum:
    TIME_TAG = 2 << 3 | 1       # Exemplar.time_unix_nano, fixed64 (opentelemetry/proto/metrics/v1)


cdef int64_t exemplar_time(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """time_unix_nano of an Exemplar message; 0 if it has none."""
    cdef uint64_t time = 0
    cdef uint32_t tag
    while at != NULL and at < end:
        at = read_tag(at, end, &tag)
        if at != NULL and tag == TIME_TAG:
            at = read_fixed64(at, end, &time)
        elif at != NULL:
            at = skip_value(at, end, tag, 1)
    return <int64_t>time


cdef bint next_exemplar(
    const uint8_t **at, const uint8_t *end, Span *message, int64_t *time
) noexcept nogil:
    cdef uint32_t length
    if end - at[0] <= 4:
        return False
    memcpy(&length, at[0], 4)
    # Behind the last message there may be zeros up to a multiple of 8.
    if length == 0 or length > <uint64_t>(end - at[0]) - 4:
        return False
    message.p = at[0] + 4
    message.n = length
    at[0] = message.p + length
    time[0] = exemplar_time(message.p, at[0])
    return True
