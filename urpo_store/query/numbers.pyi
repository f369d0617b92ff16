"""Sums, extremes and counts of gauges and sums, by group and window."""

from typing import final

import numpy as np
import numpy.typing as npt

from urpo_store.model import BoolArray, Float64Array, Int64Array
from urpo_store.query.source import Scanned
from urpo_store.query.times import Windows

_Rows = tuple[Int64Array, Int64Array, Int64Array, Float64Array, Int64Array, BoolArray, BoolArray]

@final
class Reduction:
    def __new__(cls, windows: Windows, operation: str) -> Reduction: ...
    def add(self, scanned: Scanned, bases: Int64Array, ends: npt.NDArray[np.uint8]) -> _Rows: ...
    def add_increases(
        self, scanned: Scanned, monotonic: bool, ends: npt.NDArray[np.uint8]
    ) -> _Rows: ...
