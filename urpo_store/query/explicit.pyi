"""Buckets at explicit bounds: increases, merges at the bounds that points share, quantiles."""

from typing import final

from urpo_store.model import Float64Array, Int64Array, UInt64Array
from urpo_store.query.select import Groups
from urpo_store.query.source import Scanned
from urpo_store.query.times import Windows

@final
class Explicit:
    def __new__(cls, scanned: Scanned, windows: Windows) -> Explicit: ...
    def increases(self) -> Int64Array: ...
    def quantiles(
        self, bases: Int64Array, groups: Groups, q: float, maximum: Float64Array
    ) -> Float64Array: ...
    def columns(
        self, bases: Int64Array, groups: Groups, rows: Int64Array
    ) -> list[tuple[Float64Array, UInt64Array]]: ...
