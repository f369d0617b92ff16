"""RAW, and LAST of single series: "start <= time <= end, the points as stored"."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from helpers.memory_reader import STALE, MemoryReader

from urpo_store import model
from urpo_store.model import (
    Aggregation,
    Counter,
    ExponentialHistogram,
    ExponentialHistogramColumns,
    Gauge,
    Histogram,
    HistogramColumns,
    MetricQuery,
    Summary,
)


def raw(reader: MemoryReader, **options: Any) -> list[model.MetricSeries]:
    return list(reader.query(MetricQuery("m", **({"start": 100, "end": 200} | options))))


def test_raw_is_from_start_to_end_both_included() -> None:
    reader = MemoryReader()
    reader.add([(t, 7, Gauge(float(t))) for t in (99, 100, 150, 200, 201)])
    (series,) = raw(reader)
    assert series.timestamps.tolist() == [100, 150, 200]
    assert series.start_timestamps.tolist() == [7, 7, 7]
    assert series.values.tolist() == [100.0, 150.0, 200.0]
    assert series.int_values is None and series.is_int is None and series.stale is None


def test_raw_keeps_int64_beside_doubles() -> None:
    reader = MemoryReader()
    reader.add([(100, Gauge(2**60 + 1)), (110, Gauge(0.5))])
    (series,) = raw(reader)
    assert series.values.tolist() == [2.0**60, 0.5]
    assert series.int_values is not None and series.int_values.tolist() == [2**60 + 1, 0]
    assert series.is_int is not None and series.is_int.tolist() == [True, False]


def test_raw_shows_stale_marks_as_nan_with_a_mask() -> None:
    """The stale mark is the flag, never a NaN pattern: every NaN payload is data."""
    payload = np.array([0x7FF0000000000002], np.uint64).view(np.float64)[0]
    reader = MemoryReader()
    reader.add([(100, Gauge(5)), (110, STALE), (120, Gauge(float(payload)))])
    reader.add([(100, Gauge(5.0))], attributes={"i": 1})
    first, second = raw(reader)
    assert first.values[0] == 5 and np.isnan(first.values[1:]).all()
    assert first.stale is not None and first.stale.tolist() == [False, True, False]
    assert second.stale is None and second.is_int is None


def test_raw_of_a_group_is_its_points_by_time() -> None:
    reader = MemoryReader()
    reader.add([(100, Gauge(1)), (120, Gauge(2)), (150, Gauge(3))], attributes={"i": 1})
    reader.add([(110, Gauge(4)), (120, Gauge(5))], attributes={"i": 2})
    (series,) = raw(reader, by=())
    assert series.timestamps.tolist() == [100, 110, 120, 120, 150]
    assert series.values.tolist() == [1, 4, 2, 5, 3]


def test_raw_is_one_series_per_run_of_equal_bounds() -> None:
    reader = MemoryReader()
    reader.add(
        [
            (100, STALE),
            (110, Histogram(3, 1.5, [1, 2], [1.0], min=0.5)),
            (120, STALE),
            (130, Histogram(4, None, [1, 3], [1.0])),
            (140, Histogram(4, 2.0, [1, 1, 2], [1.0, 2.0])),
            (150, Histogram(6, 0.0)),
            (160, Histogram(7, 3.0, [3, 4], [1.0])),
        ]
    )
    first, second, third, fourth = raw(reader)
    assert first.timestamps.tolist() == [100, 110, 120, 130]
    columns = first.histogram
    assert isinstance(columns, HistogramColumns)
    assert columns.bounds.tolist() == [1.0]
    assert columns.bucket_counts.tolist() == [[0, 0], [1, 2], [0, 0], [1, 3]]
    assert columns.count.tolist() == [0, 3, 0, 4]
    assert columns.has_sum.tolist() == [False, True, False, False]
    assert columns.sum[1] == 1.5 and np.isnan(columns.sum[[0, 2, 3]]).all()
    assert columns.has_min.tolist() == [False, True, False, False]
    assert columns.min[1] == 0.5 and not columns.has_max.any()
    assert first.stale is not None and first.stale.tolist() == [True, False, True, False]
    assert math.isnan(first.values[0]) and first.values[1] == 3
    for series, bounds, counts in (
        (second, [1.0, 2.0], [[1, 1, 2]]),
        (third, [], [[]]),
        (fourth, [1.0], [[3, 4]]),
    ):
        assert isinstance(series.histogram, HistogramColumns)
        assert series.histogram.bounds.tolist() == bounds
        assert series.histogram.bucket_counts.tolist() == counts


def test_raw_exponential_histograms_have_scale_and_offsets_by_row() -> None:
    reader = MemoryReader()
    reader.add(
        [
            (100, ExponentialHistogram(6, 1.0, 3, 1, -5, [1, 2], 7, [1, 0, 1], 0.25, max=9.0)),
            (110, STALE),
            (120, ExponentialHistogram(4, None, -2, 0, 4, [1, 1, 2])),
            (130, ExponentialHistogram(5, 2.0, -2, 1, 4, [1, 1, 2])),
        ]
    )
    (series,) = raw(reader)
    columns = series.histogram
    assert isinstance(columns, ExponentialHistogramColumns)
    assert columns.scale.tolist() == [3, 0, -2, -2]
    assert columns.positive_offset.tolist() == [-5, 0, 4, 4]
    assert columns.negative_offset.tolist() == [7, 0, 0, 0]
    assert columns.positive_counts.tolist() == [[1, 2, 0], [0, 0, 0], [1, 1, 2], [1, 1, 2]]
    assert columns.negative_counts.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert columns.zero_count.tolist() == [1, 0, 0, 1]
    assert columns.zero_threshold.tolist() == [0.25, 0.0, 0.0, 0.0]
    assert columns.has_sum.tolist() == [True, False, False, True]
    assert columns.max[0] == 9.0 and columns.has_max.tolist() == [True, False, False, False]


def test_raw_is_one_series_per_run_of_equal_quantiles() -> None:
    reader = MemoryReader()
    reader.add(
        [
            (100, Summary(2, 3.0, [(0.5, 1.0), (0.9, 2.0)])),
            (110, Summary(4, 6.0, [(0.5, 1.5), (0.9, 2.5)])),
            (120, Summary(5, 7.0)),
        ]
    )
    first, second = raw(reader)
    assert first.summary is not None and second.summary is not None
    assert first.summary.quantiles.tolist() == [0.5, 0.9]
    assert first.summary.values.tolist() == [[1.0, 2.0], [1.5, 2.5]]
    assert first.summary.count.tolist() == [2, 4] and first.summary.sum.tolist() == [3.0, 6.0]
    assert second.summary.values.shape == (1, 0)


def test_last_of_a_series_has_everything_its_point_has() -> None:
    reader = MemoryReader()
    reader.add([(110, Histogram(3, 1.5, [1, 2], [1.0])), (120, Histogram(4, 2.5, [2, 2], [1.0]))])
    (series,) = raw(reader, aggregation=Aggregation.LAST)
    assert series.timestamps.tolist() == [120]
    assert isinstance(series.histogram, HistogramColumns)
    assert series.histogram.bucket_counts.tolist() == [[2, 2]]


def test_the_answer_does_not_change_with_the_order_of_arrival() -> None:
    points = [(t, 1, Counter(t)) for t in range(100, 200, 7)]
    answers = []
    for order in (points, points[::-1]):
        reader = MemoryReader()
        reader.add(order)
        answers.append(raw(reader)[0].values.tolist())
    assert answers[0] == answers[1]
