"""One query of one stream, and the scans that answer it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..model import Aggregation, Int64Array
from . import contributions
from .plans import Counted
from .scan import scan_increases
from .select import Groups
from .source import Reader, Scanned, Stream, UInt32Array
from .times import Windows


@dataclass(frozen=True)
class Question:
    """`windows` is None for what needs no step; `whole` is then one window, all of the range."""

    reader: Reader
    stream: Stream
    aggregation: Aggregation
    quantile: float | None
    start: int
    end: int
    windows: Windows | None
    whole: Windows = field(init=False)

    def __post_init__(self) -> None:
        length = max(self.end - max(self.start, 1) + 1, 1)
        object.__setattr__(self, "whole", self.windows or Windows(self.end, length, 1))

    @property
    def step_seconds(self) -> float:
        return self.whole.step / 1e9

    def each(self) -> Groups:
        """Groups of one series each."""
        count = len(self.stream.ids)
        return Groups(np.arange(count), np.arange(count + 1), ())

    def increases(self, counted: Counted) -> bool:
        """Whether points are measured against the one before them; deltas count as they are."""
        return counted is Counted.INCREASE and self.stream.temporality != "delta"

    def scan(self, ids: UInt32Array, *, increases: bool = False) -> Scanned:
        """The points that the windows need of these series."""
        begin = max(self.whole.first - self.whole.step + 1, 0)
        if increases:
            return scan_increases(self.reader, ids, begin, self.whole.last)
        return self.reader.scan(ids, begin, self.whole.last)

    def whole_points(self, scanned: Scanned, counted: Counted) -> Int64Array:
        """The bases of points that count whole (bases.pxd)."""
        if counted is Counted.NEWEST:
            return contributions.newest(scanned, self.whole.first, self.whole.step)
        return contributions.every(scanned)
