"""What a query reads from: a `Reader` over the stored series.

The embedded store's is `urpo_store.embedded.reader.StoreReader`. Ids (of series, of values) are
valid only while their reader is open. A column is a numpy array with one element for each of the
`ids` that were asked for, in their order, so that filters and groups are array operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from ..model import AttributeValue, Exemplar, Int64Array, MetricKind, SeriesInfo, UInt64Array

UInt32Array = npt.NDArray[np.uint32]

#: Bits of `Scanned.flags`; the rest are OTLP's data point flags.
FLAG_STALE = 1
FLAG_INT = 1 << 24
FLAG_SUM = 1 << 25
FLAG_MIN = 1 << 26
FLAG_MAX = 1 << 27


@dataclass(frozen=True, slots=True)
class Stream:
    """Series that may be merged: they agree in kind, unit, temporality and monotonicity.

    `ids` are the series of this stream, uint32, in order of creation.
    """

    metric: str
    kind: MetricKind
    unit: str
    temporality: str | None  # "delta", "cumulative"; None for gauges and summaries
    description: str
    ids: UInt32Array


@dataclass(frozen=True, slots=True)
class RowLayout:
    """What the rows of histograms and summaries share, as engine/points/slots.pxd has it.

    Histogram: words are the bounds (float64 bits), a row is sum, min, max, bucket counts.
    Exponential: words are scale | positive count << 32 and positive offset | negative offset << 32
    (each an int32 in 32 bits); a row is sum, min, max, zero_count, zero_threshold, positive counts,
    negative counts. Summary: words are the quantiles, a row is sum and the values.
    """

    words: UInt64Array
    row_words: int


@dataclass(frozen=True, slots=True)
class Scanned:
    """The points of several series, in columns, series after series.

    Series i has the points offsets[i]..offsets[i+1], strictly ascending in time. With
    `predecessor`, a point before the range may stand first: `first[i]` is the index of the first
    point within the range. `values` holds bits: int64 where flags has FLAG_INT, float64 else, the
    uint64 count of a histogram or summary. `starts` is 0 where unknown. For kinds with rows,
    point j's layout is layouts[layout[j]] and its row begins at words[row[j]].
    """

    offsets: Int64Array
    first: Int64Array
    times: Int64Array
    starts: Int64Array
    values: UInt64Array
    flags: UInt32Array
    layout: UInt32Array | None
    row: UInt64Array | None
    words: UInt64Array | None
    layouts: Sequence[RowLayout]


class Reader(Protocol):
    """A way into the stored series, open as long as one question takes.

    Every point acknowledged before a scan is in it once. Later points may be in it for some series
    and not for others.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def streams(self, metric: str) -> list[Stream]:
        """The streams of this name; empty if it is unknown."""
        ...

    def attribute_column(self, ids: UInt32Array, key: str) -> UInt32Array:
        """The value id of attribute `key`: of the point, else of its scope, else of its resource.

        0 where none of them has it.
        """
        ...

    def service_column(self, ids: UInt32Array) -> UInt32Array:
        """The value id of the service's name ("namespace/name"), a text value."""
        ...

    def resource_column(self, ids: UInt32Array) -> UInt32Array:
        """A number for each series' resource: equal numbers are equal resources."""
        ...

    def scope_column(self, ids: UInt32Array) -> UInt32Array:
        """A number for each series' scope: equal numbers are equal scopes."""
        ...

    def find_value(self, value: AttributeValue) -> int:
        """The id of exactly this typed value; 0 if no series has it (None is no value: also 0)."""
        ...

    def value(self, value_id: int) -> AttributeValue:
        """The typed value of an id that a column holds."""
        ...

    def identity(self, series_id: int) -> SeriesInfo:
        """Everything that identifies one series."""
        ...

    def scan(self, ids: UInt32Array, start: int, end: int, predecessor: bool = False) -> Scanned:
        """The points with start <= time <= end; with `predecessor` also the newest before start.

        Every point acknowledged before the call is there exactly once. Raises MemoryError.
        """
        ...

    def exemplars(self, ids: UInt32Array, start: int, end: int) -> list[tuple[int, Exemplar]]:
        """(index in ids, exemplar) with start <= time <= end, ascending in time."""
        ...
