"""Questions to a `MemoryReader`, and answers as lists: what tests of the aggregations share.

Times are seconds after T; a question covers the windows that end at 10, 20, ... 60 s.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from urpo_store import model
from urpo_store.model import (
    Aggregation,
    Counter,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricQuery,
)

from .memory_reader import STALE, MemoryReader

S = 10**9
T = 1_000 * S


def ask(reader: MemoryReader, aggregation: Aggregation, **options: Any) -> list[model.MetricSeries]:
    fields = {"start": T + 10 * S, "end": T + 60 * S, "step": "10s"} | options
    return list(reader.query(MetricQuery("m", aggregation=aggregation, **fields)))


def rows(series: model.MetricSeries) -> list[tuple[float, float]]:
    """(seconds after T, value), exact ints where there are."""
    values: list[Any] = series.values.tolist()
    if series.is_int is not None and series.int_values is not None:
        for index in np.flatnonzero(series.is_int):
            values[index] = int(series.int_values[index])
    return [((t - T) / S, v) for t, v in zip(series.timestamps.tolist(), values, strict=True)]


def only(answer: list[model.MetricSeries]) -> list[tuple[float, float]]:
    """The rows of the one series of an answer."""
    assert len(answer) == 1
    return rows(answer[0])


def only_floats(answer: list[model.MetricSeries]) -> list[tuple[float, float]]:
    """As `only`, with `values` as they are."""
    assert len(answer) == 1
    times = ((answer[0].timestamps - T) / S).tolist()
    return list(zip(times, answer[0].values.tolist(), strict=True))


def counter(*points: tuple[float, float | int | None], start: int = 0) -> list[Any]:
    return [(int(T + t * S), start, STALE if v is None else Counter(v)) for t, v in points]


def gauge(*points: tuple[float, float | int | None]) -> list[Any]:
    return [(int(T + t * S), 0, STALE if v is None else Gauge(v)) for t, v in points]


def explicit(
    counts: list[int], bounds: list[float], total: float | None = 0.0, **extremes: float
) -> Histogram:
    return Histogram(sum(counts), total, counts, bounds, **extremes)


def at(seconds: float, value: Any, start: int = T - 100 * S) -> tuple[int, int, Any]:
    return int(T + seconds * S), start, value


def quantile_of(value: Histogram | ExponentialHistogram, q: float) -> float:
    reader = MemoryReader()
    reader.add([at(5, value)], temporality="delta")
    ((_, found),) = only_floats(ask(reader, Aggregation.RAW, quantile=q))
    return found
