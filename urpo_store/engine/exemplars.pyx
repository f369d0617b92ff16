"""From a payload to the exemplars of a series; the contract is in exemplars.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.points.slots cimport (
    Point, payload_exemplar_bytes, payload_layout_words, payload_row_words,
)
from urpo_store.engine.wire.exemplars cimport next_exemplar
from urpo_store.engine.wire.types cimport Span
from urpo_store.engine.chunks.exemplars cimport exemplar_add
from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData


cdef void keep_exemplars(
    ChunkStore *store, SeriesData *data, const Point *point, const uint64_t *payload
) noexcept nogil:
    cdef uint32_t words = payload_layout_words(payload[0]) + payload_row_words(payload[0])
    cdef const uint8_t *at = <const uint8_t *>(payload + 1 + words)
    cdef const uint8_t *end = at + payload_exemplar_bytes(payload[0])
    cdef int64_t time
    cdef Span message
    while next_exemplar(&at, end, &message, &time):
        exemplar_add(
            store, data, time if time else point.timestamp, message.p, <uint32_t>message.n)
