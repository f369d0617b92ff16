"""Exponential buckets: increases, merges at the smallest scale, quantiles."""

from typing import final

from urpo_store.model import Float64Array, Int64Array, UInt64Array
from urpo_store.query.select import Groups
from urpo_store.query.source import Scanned
from urpo_store.query.times import Windows

@final
class Exponential:
    def __new__(cls, scanned: Scanned, windows: Windows) -> Exponential: ...
    def increases(self) -> Int64Array: ...
    def quantiles(
        self, bases: Int64Array, groups: Groups, q: float, row_count: int
    ) -> Float64Array: ...
    def columns(
        self, bases: Int64Array, groups: Groups
    ) -> list[tuple[int, int, float, int, UInt64Array, int, UInt64Array]]: ...
