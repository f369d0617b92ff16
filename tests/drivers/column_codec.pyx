"""Columns to bytes and back, driven from Python: for tests and benchmarks."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_alloc, mem_free
from urpo_store.engine.codec.columns cimport (
    CODEC_MAX_COUNT, codec_bound, codec_scratch, decode_doubles, decode_ints, decode_times,
    encode_doubles, encode_ints, encode_times,
)

import numpy as np

from urpo_store.errors import CorruptionError

cdef enum:
    DOUBLES = 0
    INTS = 1
    TIMES = 2


@cython.final
cdef class ColumnCodec:
    """Encodes and decodes columns of one kind: "doubles", "ints" or "times".

    For one thread at a time.
    """

    cdef Account account
    cdef void *scratch
    cdef uint8_t *room
    cdef int which
    cdef object dtype

    def __cinit__(self, kind: str):
        account_init(&self.account, NULL)
        kinds = ("doubles", "ints", "times")
        if kind not in kinds:
            raise ValueError(f"kind is {kind!r}; it must be one of {kinds}")
        self.which = kinds.index(kind)
        self.dtype = np.dtype(np.float64 if self.which == DOUBLES else np.int64)
        self.scratch = mem_alloc(&self.account, codec_scratch(CODEC_MAX_COUNT))
        self.room = <uint8_t *>mem_alloc(&self.account, codec_bound(CODEC_MAX_COUNT))
        if self.scratch == NULL or self.room == NULL:
            raise MemoryError("no memory to encode columns in")

    def __dealloc__(self):
        mem_free(&self.account, self.scratch)
        mem_free(&self.account, self.room)

    def encode(self, values) -> bytes:
        """The bytes of a column of 1 to 4,096 values; ValueError for any other number."""
        if values.dtype != self.dtype:
            raise ValueError(f"the values are {values.dtype}; this codec encodes {self.dtype}")
        if values.ndim != 1 or not 1 <= len(values) <= CODEC_MAX_COUNT:
            raise ValueError(
                f"the shape is {values.shape}; a column has 1 to {CODEC_MAX_COUNT} values"
            )
        cdef const uint64_t[::1] words = np.ascontiguousarray(values).view(np.uint64)
        cdef const uint64_t *first = &words[0]
        cdef size_t count = words.shape[0], size
        with nogil:
            if self.which == DOUBLES:
                size = encode_doubles(first, count, self.room, self.scratch)
            elif self.which == INTS:
                size = encode_ints(<const int64_t *>first, count, self.room, self.scratch)
            else:
                size = encode_times(<const int64_t *>first, count, self.room, self.scratch)
        return self.room[:size]

    def decode(self, data: bytes, count: int):
        """Exactly `count` values of the column that `data` is; else CorruptionError."""
        if not 1 <= count <= CODEC_MAX_COUNT:
            raise ValueError(f"count is {count}; a column has 1 to {CODEC_MAX_COUNT} values")
        values = np.empty(count, np.uint64)
        cdef uint64_t[::1] words = values
        cdef uint64_t *first = &words[0]
        cdef const uint8_t *start = <const uint8_t *>data
        cdef const uint8_t *end = start + len(data)
        cdef const uint8_t *behind
        cdef size_t size = count
        with nogil:
            if self.which == DOUBLES:
                behind = decode_doubles(start, end, size, first, self.scratch)
            elif self.which == INTS:
                behind = decode_ints(start, end, size, <int64_t *>first, self.scratch)
            else:
                behind = decode_times(start, end, size, <int64_t *>first, self.scratch)
        if behind != end:
            raise CorruptionError(f"these {len(data)} bytes are no column of {count} values")
        return values.view(self.dtype)
