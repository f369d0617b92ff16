"""What the kernels give: a row for each window of each group that has a point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..model import (
    BoolArray,
    ExponentialHistogramColumns,
    Float64Array,
    HistogramColumns,
    Int64Array,
)

BucketColumns = HistogramColumns | ExponentialHistogramColumns
#: The histogram columns of group g.
BucketsOf = Callable[[int], BucketColumns]


@dataclass(frozen=True, slots=True)
class Rows:
    """Group g has the rows[g]..rows[g + 1] of the columns; `overflowed` is by group."""

    rows: Int64Array
    window: Int64Array
    newest: Int64Array  # time of the latest point
    values: Float64Array
    ints: Int64Array | None = None
    is_int: BoolArray | None = None
    overflowed: BoolArray | None = None

    def where(self, keep: BoolArray) -> Rows:
        """Without the rows that are not to be kept."""
        if keep.all():
            return self
        kept = np.concatenate([[0], np.cumsum(keep)])
        return replace(
            self,
            rows=kept[self.rows],
            window=self.window[keep],
            newest=self.newest[keep],
            values=self.values[keep],
            ints=None if self.ints is None else self.ints[keep],
            is_int=None if self.is_int is None else self.is_int[keep],
        )
