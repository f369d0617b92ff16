"""What flows through urpo_store: points, kinds, queries, tables of series, health.

This module imports nothing of ours. All times are int Unix nanoseconds unless a name says
otherwise; all attribute values keep their OTLP types.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeAlias, overload

import numpy as np
import numpy.typing as npt

# A value of an attribute, typed as OTLP types it. 1, "1", 1.0 and True are four different values.
AttributeValue: TypeAlias = (
    str
    | bool
    | int
    | float
    | bytes
    | Sequence["AttributeValue"]
    | Mapping[str, "AttributeValue"]
    | None
)
Attributes: TypeAlias = Mapping[str, AttributeValue]

# A moment: Unix nanoseconds, an aware datetime, or text such as "now", "-5m", "1h".
Time: TypeAlias = int | str | datetime
# A length of time: nanoseconds, or text such as "10s", "5m".
Duration: TypeAlias = int | str

#: The packed point as the hot ring keeps it: 32 bytes.
#: `value` holds the bits of a float64 or an int64; `flags` the OTLP flags in its low 24 bits and
#: the store's own (bit 24: the value is an int64) above; `payload` the number of 8-byte words that
#: follow the point in the ring; `start` how many slots further back its start time stands (0:
#: none).
POINT_DTYPE = np.dtype(
    [
        ("timestamp", "<i8"),
        ("value", "<u8"),
        ("series", "<u4"),
        ("payload", "<u4"),
        ("start", "<u4"),
        ("flags", "<u4"),
    ]
)


class MetricKind(enum.Enum):
    """The kind of a metric; the five kinds of OTLP, a sum being monotonic or not."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up_down_counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    EXPONENTIAL_HISTOGRAM = "exponential_histogram"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Counter:
    """A monotonic sum. `value` is the cumulative total, or the increase of a delta point."""

    value: float | int

    @property
    def kind(self) -> MetricKind:
        return MetricKind.COUNTER


@dataclass(frozen=True, slots=True)
class UpDownCounter:
    """A sum that may fall."""

    value: float | int

    @property
    def kind(self) -> MetricKind:
        return MetricKind.UP_DOWN_COUNTER


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value at a moment."""

    value: float | int

    @property
    def kind(self) -> MetricKind:
        return MetricKind.GAUGE


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of observations in explicit buckets.

    `bucket_counts` has one more element than `bounds`; bucket i counts observations in
    (bounds[i-1], bounds[i]]. Both may be empty: a histogram of count and sum alone.
    """

    count: int
    sum: float | None
    bucket_counts: Sequence[int] = ()
    bounds: Sequence[float] = ()
    min: float | None = None
    max: float | None = None

    @property
    def kind(self) -> MetricKind:
        return MetricKind.HISTOGRAM

    @property
    def value(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True)
class ExponentialHistogram:
    """Counts of observations in exponential buckets.

    Bucket i of `positive_counts` counts (base**(positive_offset+i), base**(positive_offset+i+1)],
    with base = 2**(2**-scale); the negative ones count absolute values alike.
    """

    count: int
    sum: float | None
    scale: int
    zero_count: int = 0
    positive_offset: int = 0
    positive_counts: Sequence[int] = ()
    negative_offset: int = 0
    negative_counts: Sequence[int] = ()
    zero_threshold: float = 0.0
    min: float | None = None
    max: float | None = None

    @property
    def kind(self) -> MetricKind:
        return MetricKind.EXPONENTIAL_HISTOGRAM

    @property
    def value(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True)
class Summary:
    """A count, a sum, and quantiles computed at the source: pairs (quantile, value)."""

    count: int
    sum: float
    quantiles: Sequence[tuple[float, float]] = ()

    @property
    def kind(self) -> MetricKind:
        return MetricKind.SUMMARY

    @property
    def value(self) -> int:
        return self.count


#: Any of the value types above.
MetricType: TypeAlias = Counter | UpDownCounter | Gauge | Histogram | ExponentialHistogram | Summary


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation behind a point, with the trace it belongs to."""

    value: float | int
    timestamp: int
    trace_id: bytes = b""
    span_id: bytes = b""
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation scope."""

    name: str = ""
    version: str = ""
    schema_url: str = ""
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One point, with its identity.

    `timestamp` None means now. `start_timestamp` None means unknown. `service` may be
    "namespace/name"; `resource` adds attributes beside the service's name.
    """

    service: str
    metric: str
    value: MetricType
    attributes: Attributes = field(default_factory=dict)
    timestamp: int | None = None
    unit: str = ""
    temporality: str = "cumulative"
    start_timestamp: int | None = None
    resource: Attributes = field(default_factory=dict)
    scope: Scope | None = None
    exemplars: Sequence[Exemplar] = ()
    description: str = ""


class Aggregation(enum.Enum):
    """What a query computes in each step; SEMANTICS in docs/queries.md."""

    RAW = "raw"
    LAST = "last"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    COUNT = "count"
    RATE = "rate"
    INCREASE = "increase"
    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"

    @property
    def quantile(self) -> float | None:
        """0.95 for P95, and so on; None when this is no quantile."""
        return int(self.value[1:]) / 100 if self.value[1:].isdigit() else None


Where: TypeAlias = Mapping[str, "AttributeValue | re.Pattern[str]"]


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """What to read.

    `where` maps attribute keys to a typed value, to None (absent) or to a compiled pattern that
    must match the whole text of the value. `by` groups: None keeps every stored series, () merges
    all into one. `step` is required but for RAW and LAST. `quantile` (0..1) replaces the
    aggregation when set.
    """

    metric: str
    service: str | None = None
    where: Where = field(default_factory=dict)
    start: Time = "-5m"
    end: Time | None = None
    step: Duration | None = None
    aggregation: Aggregation = Aggregation.RAW
    by: Sequence[str] | None = None
    limit: int | None = None
    quantile: float | None = None


Int64Array: TypeAlias = npt.NDArray[np.int64]
UInt64Array: TypeAlias = npt.NDArray[np.uint64]
Float64Array: TypeAlias = npt.NDArray[np.float64]
Int32Array: TypeAlias = npt.NDArray[np.int32]
BoolArray: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class HistogramColumns:
    """Explicit-bucket histograms of one series, all with the same `bounds`.

    count[n] uint64; sum, min, max float64[n], NaN where the point has none (`has_sum`, `has_min`,
    `has_max` tell a NaN that was sent from an absent value); bucket_counts uint64[n, k], or [n, 0];
    bounds float64[k-1].
    """

    count: UInt64Array
    sum: Float64Array
    min: Float64Array
    max: Float64Array
    bucket_counts: UInt64Array
    bounds: Float64Array
    has_sum: BoolArray
    has_min: BoolArray
    has_max: BoolArray


@dataclass(frozen=True, slots=True)
class ExponentialHistogramColumns:
    """Exponential histograms of one series: row i has its own scale and offsets.

    positive_counts uint64[n, k] is padded with zeros on the right to the widest row.
    """

    count: UInt64Array
    sum: Float64Array
    min: Float64Array
    max: Float64Array
    scale: Int32Array
    zero_count: UInt64Array
    zero_threshold: Float64Array
    positive_offset: Int32Array
    positive_counts: UInt64Array
    negative_offset: Int32Array
    negative_counts: UInt64Array
    has_sum: BoolArray
    has_min: BoolArray
    has_max: BoolArray


@dataclass(frozen=True, slots=True)
class SummaryColumns:
    """Summaries of one series, all with the same `quantiles` float64[q]; values float64[n, q]."""

    count: UInt64Array
    sum: Float64Array
    quantiles: Float64Array
    values: Float64Array


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """One series of an answer: its identity and its columns, all of the same length.

    `timestamps` and `start_timestamps` are int64 Unix nanoseconds, ascending (start 0: unknown).
    `values` is float64; a histogram's or summary's is its count. `int_values` and `is_int` are
    None if no point is an integer; else `int_values` holds the exact int64 where `is_int`.
    `stale` marks points that carry "no recorded value"; their value is NaN.
    After an aggregation or grouping, `attributes` holds the group's keys alone, and `service`,
    `resource` and `scope` are set only where all members agree. `overflowed`: integers that did
    not fit int64 became floats.
    """

    metric: str
    kind: MetricKind
    unit: str
    temporality: str | None
    service: str | None
    attributes: Attributes
    resource: Attributes
    scope: Scope | None
    timestamps: Int64Array
    start_timestamps: Int64Array
    values: Float64Array
    int_values: Int64Array | None = None
    is_int: BoolArray | None = None
    stale: BoolArray | None = None
    histogram: HistogramColumns | ExponentialHistogramColumns | None = None
    summary: SummaryColumns | None = None
    overflowed: bool = False

    def __len__(self) -> int:
        return len(self.timestamps)


class Drawing(Protocol):
    """Draws the answer to a query for a notebook."""

    def html_table(self, table: MetricTable) -> str: ...

    def plot_table(self, table: MetricTable, ax: Any, options: dict[str, Any]) -> Any: ...


class MetricTable:
    """The answer to a query: a sequence of `MetricSeries`, and an Arrow stream.

    Any reader of the Arrow PyCapsule interface (pandas, polars, duckdb, pyarrow) takes the table
    as it is. None of them is needed otherwise.
    """

    # It has all that a sequence of series has, but is no collections.abc.Sequence: polars would
    # take one for rows before it asks for the Arrow stream.
    __slots__ = ("_arrow", "_series")

    #: What draws every table; `urpo_store` sets it, so that this module imports nothing of ours.
    #: The Arrow writer is handed in with each table for the same reason.
    drawing: ClassVar[Drawing]

    def __init__(
        self,
        series: Sequence[MetricSeries],
        arrow: Callable[[Sequence[MetricSeries], object | None], object],
    ) -> None:
        self._series = tuple(series)
        self._arrow = arrow

    def __len__(self) -> int:
        return len(self._series)

    @overload
    def __getitem__(self, index: int) -> MetricSeries: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[MetricSeries, ...]: ...

    def __getitem__(self, index: int | slice) -> MetricSeries | tuple[MetricSeries, ...]:
        return self._series[index]

    def __iter__(self) -> Iterator[MetricSeries]:
        return iter(self._series)

    def __repr__(self) -> str:
        points = sum(len(series) for series in self._series)
        return f"<MetricTable: {len(self._series)} series, {points} points>"

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as an Arrow C stream (one row a point); see docs/queries.md for the columns."""
        return self._arrow(self._series, requested_schema)

    def _repr_html_(self) -> str:
        """A row for each of the first 50 series, with a small chart; Jupyter calls it."""
        return self.drawing.html_table(self)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw every series into matplotlib axes (new ones by default) and return the axes.

        `options` go to `Axes.plot`. Needs matplotlib.
        """
        return self.drawing.plot_table(self, ax, options)

    def to_pandas(self) -> Any:
        """The table as a `pandas.DataFrame`; needs pandas >= 2.2 and pyarrow."""
        import pyarrow

        return pyarrow.table(self).to_pandas()


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of a request: points accepted, points rejected, and why ("" if none was)."""

    accepted: int
    rejected: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """One reason for which points were refused, as often as it came in one request."""

    timestamp: int
    service: str
    metric: str
    reason: str
    points: int


@dataclass(frozen=True, slots=True)
class ServiceHealthMetrics:
    """The health of one service over a window. What is not known is None, never 0.

    `request_rate` is per second, `error_rate` 0..1, latencies in seconds, `last_seen` Unix
    nanoseconds of the latest point of any metric; `source` names the metrics it comes from.
    """

    service: str
    request_rate: float | None
    error_rate: float | None
    request_count: int | None
    error_count: int | None
    p50_latency: float | None
    p95_latency: float | None
    p99_latency: float | None
    source: str | None
    last_seen: int | None


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """One metric as it is known: streams that differ in kind, unit or temporality are apart."""

    name: str
    kind: MetricKind
    unit: str
    description: str
    temporality: str | None
    series_count: int


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """The identity of one stored series."""

    metric: str
    kind: MetricKind
    unit: str
    temporality: str | None
    service: str
    attributes: Attributes
    resource: Attributes
    scope: Scope


@dataclass(frozen=True, slots=True)
class SeriesExemplar:
    """An exemplar and the series that carried it."""

    series: SeriesInfo
    exemplar: Exemplar


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What the store holds and what it has done; bytes and counts.

    `compressed_bytes` is chunks, their headers and the timestamp columns; `index_bytes` strings,
    series and their tables; `memory_bytes` everything the engine allocated. The `*_points` counts
    of refusals and losses only ever grow: `evicted_points` were dropped for want of memory, or with a
    series that was idle when room was needed; `expired_points` grew older than the retention;
    `overflowed_points` stand in series whose attribute sets had no room, and `baseline_points` of them added
    nothing to a total: the first of a source, late or repeated ones, what is no number.
    """

    points: int
    series: int
    ring_points: int
    ring_capacity: int
    compressed_points: int
    compressed_bytes: int
    index_bytes: int
    memory_bytes: int
    memory_limit: int
    max_series: int
    accepted_points: int
    rejected_points: int
    duplicate_points: int
    replaced_points: int
    late_points: int
    stale_points: int
    evicted_points: int
    expired_points: int
    evicted_series: int
    overflowed_series: int
    overflowed_points: int
    baseline_points: int
    dropped_exemplars: int
    rejected_requests: int
    services: int
    metrics: int
    strings: int
    chunks: int
    drains: int
    last_arrival: int | None
    producers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReceiverStatus:
    """Where a receiver listens and what came.

    `grpc` and `http` are addresses such as "127.0.0.1:4317"; `started` and `last_arrival` are Unix
    nanoseconds. `requests` counts export requests by "transport signal" ("grpc metrics", "http
    traces"): metrics were stored, of traces and logs nothing is kept. `refused` counts requests
    that were answered with an error, by "transport status" ("http 415", "grpc INVALID_ARGUMENT").
    """

    started: int
    grpc: str = ""
    http: str = ""
    last_arrival: int | None = None
    last_refusal: str = ""
    requests: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AggregatedMetrics:
    """Count, sum, extremes, mean and quantiles of a set of points; NaN if the set is empty."""

    count: int
    sum: float
    min: float
    max: float
    avg: float
    p50: float
    p95: float
    p99: float
