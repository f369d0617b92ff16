# Exemplars: raw OTLP messages, kept beside the points of their series.
#
# Records stand one behind the other in SeriesData.exemplars, in the order in which they came: i64
# time, u32 length, the message. A series keeps EXEMPLAR_BYTES at most; the oldest go first,
# counted. One that is sent again (the same bytes) is not doubled. The messages are not looked into
# here.
from libc.stdint cimport int64_t, uint8_t, uint32_t

from urpo_store.engine.chunks.types cimport ChunkStore, SeriesData

cdef enum:
    EXEMPLAR_BYTES = 16384

# Adds one. What finds no memory, or is too long for EXEMPLAR_BYTES, is dropped and counted. Under
# the drain lock.
cdef void exemplar_add(
    ChunkStore *store, SeriesData *data, int64_t time, const uint8_t *message, uint32_t length
) noexcept nogil
# Drops, from the oldest on, those before `before`. Under the drain lock.
cdef void exemplars_expire(SeriesData *data, int64_t before) noexcept nogil
# Halves what a series keeps of them, the oldest first, counted in dropped_exemplars. Under the
# drain lock.
cdef void exemplars_halve(ChunkStore *store, SeriesData *data) noexcept nogil
# Gives all of them back. Under the drain lock.
cdef void exemplars_clear(ChunkStore *store, SeriesData *data) noexcept nogil
# Exemplars of the series with start <= time <= end, as a list of (time, raw Exemplar message),
# oldest first. With the GIL; takes the drain lock.
cdef list read_exemplars(ChunkStore *store, SeriesData *data, int64_t start, int64_t end)
