"""Columns to bytes and back, as Python may call them (tests, benchmarks); see codec/columns.pxd."""

from typing import Any, final

from numpy.typing import NDArray

@final
class ColumnCodec:
    """`kind` is "doubles", "ints" or "times"; for one thread at a time."""

    def __new__(cls, kind: str) -> ColumnCodec: ...
    def encode(self, values: NDArray[Any]) -> bytes:
        """The bytes of 1 to 4,096 values, float64 for doubles, else int64; ValueError otherwise."""

    def decode(self, data: bytes, count: int) -> NDArray[Any]:
        """The `count` values that `data` holds, no more and no less; else CorruptionError."""
