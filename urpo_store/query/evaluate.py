"""A `MetricQuery` in, a `MetricTable` out.

select -> scan -> bases (which points count, and of histograms what each is measured against) -> a kernel
(numbers, quantiles, histograms) that sums groups up by window -> columns. What each aggregation means
is in docs/queries.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import QueryError
from ..model import (
    Aggregation,
    BoolArray,
    ExponentialHistogramColumns,
    Float64Array,
    HistogramColumns,
    Int64Array,
    MetricKind,
    MetricQuery,
    MetricSeries,
    MetricTable,
)
from . import contributions, numbers, quantiles
from .arrow import arrow_stream
from .explicit import Explicit
from .exponential import Exponential
from .histograms import totals
from .rules import check_query, check_stream, has_buckets
from .scan import scan_increases
from .select import Groups, group, select
from .source import Reader, Scanned, Stream, UInt32Array
from .stored import StoredColumns, padded
from .times import Windows, parse_range, parse_windows

_Array = npt.NDArray[Any]
_NO_TIMES = np.zeros(0, np.int64)
_NO_VALUES = np.zeros(0)
# Series read at once at first, and points that a batch of them should have: about a megabyte.
_FIRST_BATCH = 32
_BATCH_POINTS = 32_768


def evaluate(reader: Reader, query: MetricQuery, now: int) -> MetricTable:
    """Answer `query`; `now` is the wall clock in Unix nanoseconds.

    Raises `QueryError` if the query cannot be answered as asked, `MemoryError` if there is no room.
    """
    quantile = check_query(query)
    start, end = parse_range(query, now)
    windows = parse_windows(query, start, end)
    aggregation = query.aggregation
    streams = select(reader, query)
    for stream in streams:
        check_stream(stream, aggregation, quantile)
    answer: list[MetricSeries] = []
    for stream in streams:
        asked = _Question(reader, stream, aggregation, quantile, start, end, windows)
        answer += asked.answer(group(reader, stream.ids, query.by))
    if query.limit is not None and len(answer) > query.limit:
        answer = _largest(answer, query.limit)
    return MetricTable(answer, arrow_stream)


def _largest(series: list[MetricSeries], limit: int) -> list[MetricSeries]:
    """Those with the largest last value, in the order they had; a NaN comes after every number."""
    last = [_last_value(one) for one in series]
    ranked = sorted(range(len(series)), key=last.__getitem__, reverse=True)
    return [series[index] for index in sorted(ranked[:limit])]


def _last_value(series: MetricSeries) -> float | int:
    if series.is_int is not None and series.int_values is not None and series.is_int[-1]:
        return int(series.int_values[-1])
    value = float(series.values[-1])
    return -math.inf if math.isnan(value) else value


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a kernel gives: group g has rows[g]..rows[g + 1]."""

    rows: Int64Array
    window: Int64Array
    newest: Int64Array
    values: Float64Array
    ints: Int64Array | None = None
    is_int: BoolArray | None = None
    overflowed: BoolArray | None = None

    def where(self, keep: BoolArray) -> _Rows:
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


_Columns = HistogramColumns | ExponentialHistogramColumns
#: The histogram columns of group g.
_ColumnsOf = Callable[[int], _Columns]


@dataclass(frozen=True)
class _Question:
    """One query of one stream."""

    reader: Reader
    stream: Stream
    aggregation: Aggregation
    quantile: float | None
    start: int
    end: int
    windows: Windows | None
    _whole: Windows = field(init=False)

    def __post_init__(self) -> None:
        # LAST without a step: one window, all of the range.
        length = max(self.end - max(self.start, 1) + 1, 1)
        object.__setattr__(self, "_whole", self.windows or Windows(self.end, length, 1))

    def answer(self, groups: Groups | None) -> list[MetricSeries]:
        if self.quantile is None:
            if self.aggregation is Aggregation.RAW:
                return self._stored(groups, None)
            if self.aggregation is Aggregation.LAST and (
                (groups is None and self.windows is None) or self.stream.kind is MetricKind.SUMMARY
            ):
                return self._stored(self._single(groups), self._newest_points)
        elif self.stream.kind is MetricKind.SUMMARY:
            return self._stored_quantile(self._single(groups), self.quantile)
        members = groups if groups is not None else self._each()
        columns_of: _ColumnsOf | None = None
        if has_buckets(self.stream):
            rows, columns_of = self._histograms(members)
        else:
            rows = self._numbers(members)
        return list(self._series(rows, members, groups is None, columns_of))

    # ---- points as they are stored

    def _stored(
        self, groups: Groups | None, pick: Callable[[Scanned], Int64Array] | None
    ) -> list[MetricSeries]:
        """The points of the range; or those of the windows that `pick` picks, at the instants."""
        if self.windows is None or pick is None:
            scanned = self.reader.scan(self.stream.ids, self.start, self.end)
        else:
            scanned = self._scan()
        columns = StoredColumns(scanned, self.stream.kind)
        picked = None if pick is None else pick(scanned)
        begins, ends = scanned.first, scanned.offsets[1:]
        if picked is not None:
            begins, ends = np.searchsorted(picked, begins), np.searchsorted(picked, ends)
        answer: list[MetricSeries] = []
        for g, identity in self._identities(groups):
            members = [g] if groups is None else _members(groups, g).tolist()
            parts = [(int(begins[m]), int(ends[m])) for m in members if begins[m] < ends[m]]
            if not parts:
                continue
            if len(parts) == 1 and picked is None:
                answer += columns.series(slice(*parts[0]), identity())
                continue
            points = np.concatenate([np.arange(begin, end) for begin, end in parts])
            if picked is not None:
                points = picked[points]
            if len(parts) > 1:
                points = points[np.argsort(scanned.times[points], kind="stable")]
            found = columns.series(points, identity())
            if picked is not None and self.windows is not None:
                found = (self._at_instants(one) for one in found)
            answer += found
        return answer

    def _newest_points(self, scanned: Scanned) -> Int64Array:
        bases = contributions.newest(scanned, self._whole.first, self._whole.step)
        picked: Int64Array = np.flatnonzero(bases != contributions.SKIP)
        return picked

    def _at_instants(self, series: MetricSeries) -> MetricSeries:
        """Points that stand for their windows, at the instants of these."""
        window = -((self._whole.first - series.timestamps) // self._whole.step)
        return replace(series, timestamps=self._whole.first + window * self._whole.step)

    def _single(self, groups: Groups | None) -> Groups | None:
        """The groups of a summary, each of which must be one series."""
        if groups is None or self.stream.kind is not MetricKind.SUMMARY:
            return groups
        sizes = np.diff(groups.offsets)
        if (sizes > 1).any():
            large = int(sizes.argmax())
            raise QueryError(
                f"{self.stream.metric!r} is a summary, and quantiles of several series cannot be "
                f"merged; the group {groups.attributes[large]!r} has {sizes[large]}. Leave out "
                "`by`, or group by what tells the series apart."
            )
        return groups

    def _stored_quantile(self, groups: Groups | None, quantile: float) -> list[MetricSeries]:
        answer = []
        known: set[float] = set()
        found = False
        for series in self._stored(groups, self._newest_points):
            if series.summary is None:
                continue
            known |= set(series.summary.quantiles.tolist())
            at = np.flatnonzero(series.summary.quantiles == quantile)
            if len(at):
                found = True
                values = series.summary.values[:, at[0]].copy()
                answer.append(replace(series, values=values, summary=None))
        if known and not found:
            stored = ", ".join(f"{q:g}" for q in sorted(known))
            raise QueryError(
                f"{self.stream.metric!r} is a summary whose source computed the quantiles "
                f"{stored}; {quantile:g} cannot be told from them. Ask for one of these with "
                "quantile=."
            )
        return answer

    # ---- windows

    def _scan(self, increases: bool = False, ids: UInt32Array | None = None) -> Scanned:
        """The points that the windows need, of all series or of these."""
        ids = self.stream.ids if ids is None else ids
        begin = max(self._whole.first - self._whole.step + 1, 0)
        if increases:
            return scan_increases(self.reader, ids, begin, self._whole.last)
        return self.reader.scan(ids, begin, self._whole.last)

    def _each(self) -> Groups:
        count = len(self.stream.ids)
        return Groups(np.arange(count), np.arange(count + 1), ())

    @property
    def _step_seconds(self) -> float:
        return self._whole.step / 1e9

    def _numbers(self, groups: Groups) -> _Rows:
        kind, windows = self.stream.kind, self._whole
        delta = self.stream.temporality == "delta"
        counter = kind is MetricKind.COUNTER
        ask = self.aggregation
        if self.quantile is not None:
            scanned = self._scan()
            bases = contributions.every(scanned)
            return _Rows(*quantiles.quantiles(scanned, bases, groups, windows, self.quantile))
        added_up = ask is Aggregation.SUM and (counter or delta)
        if added_up or ask in (Aggregation.INCREASE, Aggregation.RATE):
            if delta:
                rows = self._reduced(groups, "sum", contributions.every)
            else:
                rows = self._reduced(groups, "sum", None, monotonic=counter)
            if ask is Aggregation.RATE:
                rates = rows.values / self._step_seconds
                return _Rows(rows.rows, rows.window, rows.newest, rates)
            return rows
        if ask in (Aggregation.LAST, Aggregation.SUM):
            choose = partial(contributions.newest, first_instant=windows.first, step=windows.step)
            operation = "sum" if counter or ask is Aggregation.SUM else "newest"
            return self._reduced(groups, operation, choose)
        return self._reduced(groups, ask.value, contributions.every)

    def _reduced(
        self,
        groups: Groups,
        operation: str,
        choose: Callable[[Scanned], Int64Array] | None,
        monotonic: bool = False,
    ) -> _Rows:
        """The rows of the groups, from batches of series: what is in hand stays in the caches, and
        a query of everything does not take the memory of everything.

        `choose` says which points count; without it, how much each series rose is summed up.
        """
        ids = self.stream.ids[groups.order]
        ends = np.zeros(len(ids), np.uint8)
        ends[groups.offsets[1:] - 1] = 1
        reduction = numbers.Reduction(self._whole, operation)

        def add(part: slice) -> tuple[int, tuple[_Array, ...]]:
            # The columns are given up on return, so that the next scan can have their memory.
            scanned = self._scan(choose is None, ids[part])
            if choose is None:
                rows = reduction.add_increases(scanned, monotonic, ends[part])
            else:
                rows = reduction.add(scanned, choose(scanned), ends[part])
            return len(scanned.times), rows

        parts = []
        begin, size = 0, _FIRST_BATCH
        while begin < len(ids):
            points, rows = add(slice(begin, begin + size))
            parts.append(rows)
            begin += size
            # Series of few points are taken more at a time.
            size = max(_FIRST_BATCH, min(4 * size, size * _BATCH_POINTS // max(points, 1)))
        counts, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
        return _Rows(np.concatenate([[0], np.cumsum(counts)]), *columns)

    def _histograms(self, groups: Groups) -> tuple[_Rows, _ColumnsOf | None]:
        ask, windows, quantile = self.aggregation, self._whole, self.quantile
        whole = quantile is None and ask in (Aggregation.LAST, Aggregation.MIN, Aggregation.MAX)
        delta = self.stream.temporality == "delta"
        scanned = self._scan(increases=not (whole or delta))
        points: Explicit | Exponential
        points = (
            Explicit(scanned, windows)
            if self.stream.kind is MetricKind.HISTOGRAM
            else Exponential(scanned, windows)
        )
        if quantile is None and ask is Aggregation.LAST:
            bases = contributions.newest(scanned, windows.first, windows.step)
        elif whole or delta:
            bases = contributions.every(scanned)
        else:
            bases = points.increases()
        row, window, newest, columns = totals(scanned, bases, groups, windows)
        count = columns["count_float"]
        if quantile is not None:
            if isinstance(points, Explicit):
                known = np.where(columns["max_known"], columns["max"], np.nan)
                values = points.quantiles(bases, groups, quantile, known)
            else:
                values = points.quantiles(bases, groups, quantile, len(window))
            return _Rows(row, window, newest, values), None
        match ask:
            case Aggregation.SUM:
                return _Rows(row, window, newest, columns["sum"]), None
            case Aggregation.AVG:
                mean = np.full(len(count), np.nan)
                np.divide(columns["sum"], count, out=mean, where=count > 0)
                return _Rows(row, window, newest, mean), None
            case Aggregation.RATE:
                return _Rows(row, window, newest, count / self._step_seconds), None
            case Aggregation.MIN | Aggregation.MAX:
                name = ask.value
                rows = _Rows(row, window, newest, columns[name])
                return rows.where(columns[f"has_{name}"]), None
        fits = columns["count_fits"]
        ints = np.where(fits, columns["count"], 0).astype(np.int64)
        over = np.array([not fits[a:b].all() for a, b in pairwise(row.tolist())], np.bool_)
        rows = _Rows(row, window, newest, count, ints, fits, over)
        if ask is Aggregation.COUNT:
            return rows, None
        shared = {
            name: columns[name]
            for name in ("count", "sum", "min", "max", "has_sum", "has_min", "has_max")
        }
        if isinstance(points, Explicit):
            return rows, _explicit_columns(row, shared, points.columns(bases, groups, row))
        return rows, _exponential_columns(row, shared, points.columns(bases, groups))

    def _series(
        self, rows: _Rows, groups: Groups, single: bool, columns_of: _ColumnsOf | None
    ) -> Iterator[MetricSeries]:
        if self.windows is None:
            timestamps = rows.newest
            starts = np.zeros(len(timestamps), np.int64)
        else:
            timestamps = self.windows.first + rows.window * self.windows.step
            starts = np.maximum(timestamps - self.windows.step, 0)
        edges = rows.rows.tolist()
        for g, identity in self._identities(None if single else groups):
            begin, end = edges[g], edges[g + 1]
            if begin == end:
                continue
            ints = is_int = None
            if rows.is_int is not None and rows.ints is not None:
                is_int = rows.is_int[begin:end]
                ints = rows.ints[begin:end] if is_int.any() else None
                is_int = None if ints is None else is_int
            yield replace(
                identity(),
                timestamps=timestamps[begin:end],
                start_timestamps=starts[begin:end],
                values=rows.values[begin:end],
                int_values=ints,
                is_int=is_int,
                histogram=None if columns_of is None else columns_of(g),
                overflowed=rows.overflowed is not None and bool(rows.overflowed[g]),
            )

    # ---- who a series is

    def _identities(
        self, groups: Groups | None
    ) -> Iterator[tuple[int, Callable[[], MetricSeries]]]:
        """(index, its identity without columns) of each group, or of each series.

        Identities are made when asked for: a series without points needs none.
        """
        if groups is None:
            for index, series in enumerate(self.stream.ids.tolist()):
                yield index, partial(self._identity_of, series)
            return
        ids = self.stream.ids
        service, resource, scope = (
            _agreed(groups, column)
            for column in (
                self.reader.service_column(ids),
                self.reader.resource_column(ids),
                self.reader.scope_column(ids),
            )
        )
        for g in range(len(groups)):

            def identity(g: int = g) -> MetricSeries:
                one = self._identity_of(int(ids[groups.order[groups.offsets[g]]]))
                return replace(
                    one,
                    attributes=groups.attributes[g],
                    service=one.service if service[g] else None,
                    resource=one.resource if resource[g] else {},
                    scope=one.scope if scope[g] else None,
                )

            yield g, identity

    def _identity_of(self, series_id: int) -> MetricSeries:
        info = self.reader.identity(series_id)
        return MetricSeries(
            metric=info.metric,
            kind=info.kind,
            unit=info.unit,
            temporality=info.temporality,
            service=info.service,
            attributes=info.attributes,
            resource=info.resource,
            scope=info.scope,
            timestamps=_NO_TIMES,
            start_timestamps=_NO_TIMES,
            values=_NO_VALUES,
        )


def _members(groups: Groups, g: int) -> Int64Array:
    return groups.order[groups.offsets[g] : groups.offsets[g + 1]]


def _agreed(groups: Groups, column: _Array) -> Sequence[bool]:
    """For each group, whether all members have the same number in the column."""
    ordered = column[groups.order]
    begins = groups.offsets[:-1]
    agreed: list[bool] = (
        np.minimum.reduceat(ordered, begins) == np.maximum.reduceat(ordered, begins)
    ).tolist()
    return agreed


def _explicit_columns(
    rows: Int64Array,
    shared: dict[str, _Array],
    buckets: Sequence[tuple[Float64Array, _Array]],
) -> _ColumnsOf:
    def columns_of(g: int) -> _Columns:
        bounds, counts = buckets[g]
        part = slice(rows[g], rows[g + 1])
        return HistogramColumns(
            bounds=bounds,
            bucket_counts=counts,
            **{name: column[part] for name, column in shared.items()},
        )

    return columns_of


def _exponential_columns(
    rows: Int64Array,
    shared: dict[str, _Array],
    buckets: Sequence[tuple[int, int, float, int, _Array, int, _Array]],
) -> _ColumnsOf:
    def columns_of(g: int) -> _Columns:
        part = slice(rows[g], rows[g + 1])
        scale, zeros, threshold, positive, positives, negative, negatives = zip(
            *buckets[part], strict=True
        )
        return ExponentialHistogramColumns(
            scale=np.array(scale, np.int32),
            zero_count=np.array(zeros, np.uint64),
            zero_threshold=np.array(threshold, np.float64),
            positive_offset=np.array(positive, np.int32),
            positive_counts=padded(positives),
            negative_offset=np.array(negative, np.int32),
            negative_counts=padded(negatives),
            **{name: column[part] for name, column in shared.items()},
        )

    return columns_of
