"""Turns the series of an answer into what `charts` draws; pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..model import (
    Aggregation,
    ExponentialHistogramColumns,
    HistogramColumns,
    MetricKind,
    MetricSeries,
)
from . import text
from .charts import Line

#: If more than this share of windows lacks its neighbour, the windows are too short.
_ALIASED = 0.05
#: The most rows of a heat map; exponential buckets are merged until they fit.
_BUCKETS = 40


def line_of(series: MetricSeries, aggregation: Aggregation = Aggregation.RAW) -> Line:
    """The values of a series over Unix seconds; the fall of a counter's reset is not drawn."""
    times = series.timestamps / 1e9
    values = series.values
    if (
        aggregation in (Aggregation.RAW, Aggregation.LAST)
        and series.kind is MetricKind.COUNTER
        and series.temporality == "cumulative"
    ):
        falls = np.flatnonzero(values[1:] < values[:-1]) + 1
        times = np.insert(times, falls, times[falls])
        values = np.insert(values, falls, math.nan)
    return Line(times.tolist(), values.tolist())


_HISTOGRAMS = (MetricKind.HISTOGRAM, MetricKind.EXPONENTIAL_HISTOGRAM)
_COUNTS = (Aggregation.RAW, Aggregation.LAST, Aggregation.INCREASE, Aggregation.RATE)


def shown_unit(kind: MetricKind, unit: str, aggregation: Aggregation) -> str:
    """The unit of an aggregation of values in `unit`; the value of a histogram is its count."""
    if aggregation is Aggregation.COUNT or (kind in _HISTOGRAMS and aggregation in _COUNTS):
        unit = ""
    return f"{unit}/s" if aggregation is Aggregation.RATE else unit


def gap_of(series: Sequence[MetricSeries], step_seconds: float | None) -> float:
    """How many seconds between two points are a gap.

    One and a half steps between windows; between raw points, three times their usual distance.
    """
    if step_seconds is not None:
        return 1.5 * step_seconds
    distances = [np.diff(each.timestamps) for each in series if len(each) > 1]
    if not distances:
        return math.inf
    return 3 * float(np.median(np.concatenate(distances))) / 1e9


def interval_of(series: Sequence[MetricSeries], step_seconds: int) -> int:
    """The least length of a window in seconds, judged by an answer in steps; 0: the step will do.

    If windows are shorter than the interval of the exports, a rate is too high where a window has an
    export, and absent elsewhere. If both are about equal, windows with two exports alternate with
    empty ones; windows three times as long even that out.
    """
    distances = [np.diff(each.timestamps) for each in series if len(each) > 1]
    if not distances:
        return 0
    seconds = np.concatenate(distances) / 1e9
    usual = round(float(np.median(seconds)))
    if usual >= 2 * step_seconds:
        return usual
    return 3 * step_seconds if np.mean(seconds == 2 * step_seconds) > _ALIASED else 0


def bucket_counts(
    series: MetricSeries, instants: Sequence[int]
) -> tuple[list[list[float]], list[str]]:
    """(a column of counts for each instant, [] where there is no point; a label for each bucket).

    For `charts.heat_map`; `series` is the answer to INCREASE of a histogram.
    """
    columns = series.histogram
    if isinstance(columns, HistogramColumns):
        counts: np.ndarray = columns.bucket_counts.astype(float)
        bounds = [*columns.bounds.tolist(), math.inf]
        labels = [
            f"<= {text.value(bound, series.unit)}" if math.isfinite(bound) else "more"
            for bound in bounds
        ]
    elif isinstance(columns, ExponentialHistogramColumns):
        counts, labels = _exponential(columns, series.unit)
    else:
        return [[] for _ in instants], []
    at = {time: index for index, time in enumerate(series.timestamps.tolist())}
    found = [counts[at[time]].tolist() if time in at else [] for time in instants]
    return found, labels


def _exponential(columns: ExponentialHistogramColumns, unit: str) -> tuple[np.ndarray, list[str]]:
    """Positive buckets at one scale; zeros and negative values are the lowest row."""
    rows = len(columns.scale)
    below = columns.zero_count.astype(float) + columns.negative_counts.sum(1)
    width = columns.positive_counts.shape[1]
    used = columns.positive_counts > 0
    if not rows or not used.any():
        return below.reshape(rows, 1), [f"<= {text.value(0.0, unit)}"]
    scale = int(columns.scale.min())
    index = columns.positive_offset[:, None] + np.arange(width)[None, :]
    index = index >> (columns.scale - scale)[:, None]
    low, high = int(index[used].min()), int(index[used].max())
    while high - low >= _BUCKETS:
        scale, index = scale - 1, index >> 1
        low, high = low >> 1, high >> 1
    counts = np.zeros((rows, high - low + 2))
    counts[:, 0] = below
    row = np.broadcast_to(np.arange(rows)[:, None], index.shape)
    np.add.at(counts, (row[used], index[used] - low + 1), columns.positive_counts[used])
    bounds = [2.0 ** min((i + 1) * 2.0**-scale, 1023.0) for i in range(low, high + 1)]
    return counts, [f"<= {text.value(bound, unit)}" for bound in (0.0, *bounds)]
