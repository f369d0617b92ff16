"""The built-in MetricAggregator."""

from __future__ import annotations

import math

import pytest

from urpo_store.interfaces import MetricAggregator
from urpo_store.model import Gauge, Histogram, MetricPoint
from urpo_store.query.aggregator import Aggregator


def test_it_is_a_metric_aggregator() -> None:
    assert isinstance(Aggregator(), MetricAggregator)


def test_points_and_plain_numbers_are_aggregated() -> None:
    numbers = [4.0, 1.0, 3.0, 2.0]
    points = [MetricPoint("s", "m", Gauge(value)) for value in numbers]
    for found in (Aggregator().aggregate(points), Aggregator().aggregate(numbers)):
        assert (found.count, found.sum, found.min, found.max, found.avg) == (4, 10.0, 1.0, 4.0, 2.5)
        assert found.p50 == 2.5
        assert found.p95 == pytest.approx(3.85)
        assert found.p99 == pytest.approx(3.97)


def test_a_histograms_value_is_its_count() -> None:
    found = Aggregator().aggregate(iter([MetricPoint("s", "m", Histogram(7, 1.0))]))
    assert (found.count, found.sum, found.p99) == (1, 7.0, 7.0)


def test_nothing_is_nan_and_not_0() -> None:
    found = Aggregator().aggregate([])
    assert found.count == 0
    for value in (found.sum, found.min, found.max, found.avg, found.p50, found.p95, found.p99):
        assert math.isnan(value)


def test_nan_is_no_extreme() -> None:
    found = Aggregator().aggregate([math.nan, 1.0])
    assert found.count == 2 and math.isnan(found.sum) and math.isnan(found.avg)
    assert (found.min, found.max, found.p50) == (1.0, 1.0, 1.0)
    assert math.isnan(Aggregator().aggregate([math.inf, -math.inf]).sum)
