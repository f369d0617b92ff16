"""Chosen as they are stored, in columns: RAW, and LAST of single series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..model import (
    BoolArray,
    ExponentialHistogramColumns,
    Float64Array,
    HistogramColumns,
    Int64Array,
    MetricKind,
    MetricSeries,
    SummaryColumns,
    UInt64Array,
)
from .layouts import distinct_layouts
from .source import FLAG_INT, FLAG_MAX, FLAG_MIN, FLAG_STALE, FLAG_SUM, RowLayout, Scanned

# Chosen of a scan: a run of neighbours, or picked ones. Runs stay views of the scan's columns.
Chosen = slice | Int64Array

_HISTOGRAM_HEAD = 3
_EXPONENTIAL_HEAD = 5


class StoredColumns:
    """The columns of a scan in the form of `MetricSeries`, converted once for all series."""

    def __init__(self, scanned: Scanned, kind: MetricKind) -> None:
        self._scanned = scanned
        self._kind = kind
        flags = scanned.flags
        self._stale: BoolArray = (flags & FLAG_STALE) != 0
        self._is_int: BoolArray = np.zeros(len(flags), np.bool_)
        self._ints: Int64Array = np.asarray(scanned.values).view(np.int64)
        if kind in (MetricKind.COUNTER, MetricKind.UP_DOWN_COUNTER, MetricKind.GAUGE):
            self._is_int = ((flags & FLAG_INT) != 0) & ~self._stale
            self._values: Float64Array = np.where(
                self._is_int, self._ints.astype(np.float64), scanned.values.view(np.float64)
            )
        else:
            self._values = scanned.values.astype(np.float64)
        self._values[self._stale] = np.nan
        self._any_stale = bool(self._stale.any())
        self._any_int = bool(self._is_int.any())
        self._layout, self._layouts = distinct_layouts(scanned)

    def series(self, points: Chosen, identity: MetricSeries) -> Iterator[MetricSeries]:
        """`identity` with the columns of these points: one series for each run of equal bounds."""
        if self._kind in (MetricKind.HISTOGRAM, MetricKind.SUMMARY):
            for run in self._runs(points):
                yield self._one(run, identity)
        else:
            yield self._one(points, identity)

    def _runs(self, points: Chosen) -> Iterator[Chosen]:
        layout = self._layout[points]
        # A stale mark has no bounds of its own; it stays in the run before it.
        stale = self._stale[points]
        last = np.maximum.accumulate(np.where(stale, -1, np.arange(len(layout))))
        layout = layout[np.where(last < 0, _first(~stale), last)]
        edges = [0, *(np.flatnonzero(np.diff(layout)) + 1).tolist(), len(layout)]
        for begin, end in pairwise(edges):
            if begin == end:
                continue
            if isinstance(points, slice):
                yield slice(points.start + begin, points.start + end)
            else:
                yield points[begin:end]

    def _one(self, points: Chosen, identity: MetricSeries) -> MetricSeries:
        scanned = self._scanned
        stale = self._stale[points] if self._any_stale else None
        if stale is not None and not stale.any():
            stale = None
        is_int = self._is_int[points] if self._any_int else None
        if is_int is not None and not is_int.any():
            is_int = None
        ints = None
        if is_int is not None:
            ints = self._ints[points]
            if not is_int.all():
                ints = np.where(is_int, ints, 0)
        histogram: HistogramColumns | ExponentialHistogramColumns | None = None
        summary = None
        if self._kind is MetricKind.HISTOGRAM:
            histogram = self._histogram(points)
        elif self._kind is MetricKind.EXPONENTIAL_HISTOGRAM:
            histogram = self._exponential(points)
        elif self._kind is MetricKind.SUMMARY:
            summary = self._summary(points)
        return replace(
            identity,
            timestamps=scanned.times[points],
            start_timestamps=scanned.starts[points],
            values=self._values[points],
            int_values=ints,
            is_int=is_int,
            stale=stale,
            histogram=histogram,
            summary=summary,
        )

    def _layout_of_run(self, points: Chosen) -> RowLayout | None:
        real = np.flatnonzero(~self._stale[points])
        return self._layouts[int(self._layout[points][real[0]])] if len(real) else None

    def _words(self, points: Chosen, begin: int, count: int) -> UInt64Array:
        """uint64[n, count]: words begin..begin + count of each point's row; 0 for stale marks."""
        scanned = self._scanned
        stale = self._stale[points]
        out = np.zeros((len(stale), count), np.uint64)
        if count and scanned.row is not None and scanned.words is not None and not stale.all():
            rows = scanned.row[points][~stale].astype(np.int64)
            out[~stale] = scanned.words[rows[:, None] + np.arange(begin, begin + count)]
        return out

    def _heads(
        self, points: Chosen, count: int
    ) -> tuple[list[Float64Array], tuple[BoolArray, BoolArray, BoolArray]]:
        """Sum, min and max (NaN if absent), the further words as float64; which are present."""
        words = self._words(points, 0, count)
        flags = self._scanned.flags[points]
        has = tuple((flags & flag) != 0 for flag in (FLAG_SUM, FLAG_MIN, FLAG_MAX))
        columns = [np.ascontiguousarray(words[:, i]).view(np.float64) for i in range(count)]
        for column, present in zip(columns, has, strict=False):
            column[~present] = np.nan
        return columns, (has[0], has[1], has[2])

    def _histogram(self, points: Chosen) -> HistogramColumns:
        layout = self._layout_of_run(points)
        size = 0 if layout is None else layout.row_words - _HISTOGRAM_HEAD
        (sums, least, greatest), has = self._heads(points, _HISTOGRAM_HEAD)
        bounds = np.zeros(0) if layout is None else np.asarray(layout.words).view(np.float64)
        return HistogramColumns(
            count=self._scanned.values[points],
            sum=sums,
            min=least,
            max=greatest,
            bucket_counts=self._words(points, _HISTOGRAM_HEAD, size),
            bounds=bounds,
            has_sum=has[0],
            has_min=has[1],
            has_max=has[2],
        )

    def _exponential(self, points: Chosen) -> ExponentialHistogramColumns:
        scanned = self._scanned
        columns, has = self._heads(points, _EXPONENTIAL_HEAD)
        stale = self._stale[points]
        n = len(stale)
        scale, positive_offset, negative_offset = (np.zeros(n, np.int32) for _ in range(3))
        positive: list[UInt64Array] = [np.zeros(0, np.uint64)] * n
        negative = list(positive)
        layouts = self._layout[points]
        rows = (
            np.zeros(n, np.int64) if scanned.row is None else scanned.row[points].astype(np.int64)
        )
        # Neighbours mostly share a layout: their counts are gathered a run at a time.
        edges = [0, *(np.flatnonzero(np.diff(layouts) | np.diff(stale)) + 1).tolist(), n]
        for begin, end in pairwise(edges):
            if begin == end or stale[begin] or scanned.words is None:
                continue
            layout = self._layouts[int(layouts[begin])]
            first, second = (np.asarray(layout.words[i : i + 1]).view(np.int32) for i in (0, 1))
            split = _EXPONENTIAL_HEAD + int(first[1])
            scale[begin:end] = first[0]
            positive_offset[begin:end], negative_offset[begin:end] = second
            for j in range(begin, end):
                positive[j] = scanned.words[rows[j] + _EXPONENTIAL_HEAD : rows[j] + split]
                negative[j] = scanned.words[rows[j] + split : rows[j] + layout.row_words]
        return ExponentialHistogramColumns(
            count=scanned.values[points],
            sum=columns[0],
            min=columns[1],
            max=columns[2],
            scale=scale,
            zero_count=columns[3].view(np.uint64),
            zero_threshold=columns[4],
            positive_offset=positive_offset,
            positive_counts=padded(positive),
            negative_offset=negative_offset,
            negative_counts=padded(negative),
            has_sum=has[0],
            has_min=has[1],
            has_max=has[2],
        )

    def _summary(self, points: Chosen) -> SummaryColumns:
        layout = self._layout_of_run(points)
        size = 0 if layout is None else layout.row_words - 1
        words = self._words(points, 0, size + 1).view(np.float64)
        words[self._stale[points]] = np.nan
        return SummaryColumns(
            count=self._scanned.values[points],
            sum=words[:, 0].copy(),
            quantiles=np.zeros(0) if layout is None else np.asarray(layout.words).view(np.float64),
            values=words[:, 1:],
        )


def padded(rows: Sequence[UInt64Array]) -> UInt64Array:
    """uint64[n, widest]: the rows, with zeros on the right."""
    lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
    out = np.zeros((len(rows), int(lengths.max(initial=0))), np.uint64)
    if out.size:
        out[np.arange(out.shape[1]) < lengths[:, None]] = np.concatenate(rows)
    return out


def _first(mask: npt.NDArray[np.bool_]) -> int:
    """The index of the first True; 0 if there is none."""
    return int(mask.argmax()) if len(mask) else 0
