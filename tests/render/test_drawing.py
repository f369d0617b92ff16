"""From answers to drawings: resets, gaps, units, buckets over time."""

import math

import numpy as np
import pytest

import urpo_store
from urpo_store import (
    Aggregation,
    Counter,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricPoint,
    MetricQuery,
)
from urpo_store.model import MetricKind
from urpo_store.render.drawing import bucket_counts, gap_of, interval_of, line_of, shown_unit

BASE = 1_700_000_000_000_000_000
SECOND = 10**9


def stored(values, **options):
    """The series of one metric whose points are ten seconds apart."""
    with urpo_store.open(retention=None) as store:
        for index, value in enumerate(values):
            point = MetricPoint("s", "m", value, timestamp=BASE + index * 10 * SECOND, unit="s")
            assert store.store_metric(point).accepted == 1
        query = MetricQuery("m", start=BASE, end=BASE + 1000 * SECOND, **options)
        return list(store.query_metrics(query))


def test_a_reset_is_no_fall():
    (series,) = stored([Counter(1), Counter(5), Counter(2), Counter(3)])
    line = line_of(series)
    assert [value for value in line.values if math.isfinite(value)] == [1, 5, 2, 3]
    assert math.isnan(line.values[2]) and line.times[2] == line.times[3]


def test_a_gauge_may_fall():
    (series,) = stored([Gauge(5.0), Gauge(1.0)])
    assert list(line_of(series).values) == [5.0, 1.0]


def test_gaps():
    (series,) = stored([Gauge(1.0)] * 5)
    assert gap_of([series], None) == pytest.approx(30)
    assert gap_of([series], 10.0) == 15
    assert gap_of([], None) == math.inf


@pytest.mark.parametrize(
    ("kind", "aggregation", "unit"),
    [
        (MetricKind.GAUGE, Aggregation.AVG, "s"),
        (MetricKind.COUNTER, Aggregation.RATE, "s/s"),
        (MetricKind.HISTOGRAM, Aggregation.RATE, "/s"),
        (MetricKind.HISTOGRAM, Aggregation.P95, "s"),
        (MetricKind.HISTOGRAM, Aggregation.INCREASE, ""),
        (MetricKind.GAUGE, Aggregation.COUNT, ""),
    ],
)
def test_units(kind, aggregation, unit):
    assert shown_unit(kind, "s", aggregation) == unit


WINDOWS = {"step": "10s", "aggregation": Aggregation.INCREASE, "by": ()}


def test_buckets_of_explicit_histograms():
    (series,) = stored([Histogram(2 * n, 1.0, [n, 0, n], [0.1, 1.0]) for n in (1, 3, 4)], **WINDOWS)
    times = [BASE + seconds * SECOND for seconds in (10, 20, 30)]
    columns, labels = bucket_counts(series, times)
    assert labels == ["<= 100 ms", "<= 1.0 s", "more"]
    # Before the first point nothing is known; a window without a point is a gap.
    assert columns == [[2, 0, 2], [1, 0, 1], []]


def test_buckets_of_exponential_histograms():
    values = [
        ExponentialHistogram(3 * n, 9.0, 0, zero_count=n, positive_offset=0, positive_counts=[n, n])
        for n in (1, 2)
    ]
    (series,) = stored(values, **WINDOWS)
    columns, labels = bucket_counts(series, [BASE + 10 * SECOND])
    assert labels == ["<= 0 s", "<= 2.0 s", "<= 4.0 s"]
    assert columns == [[1, 1, 1]]


def test_many_exponential_buckets_are_put_together():
    wide = ExponentialHistogram(160, 9.0, 5, positive_offset=-80, positive_counts=[1] * 160)
    twice = ExponentialHistogram(320, 18.0, 5, positive_offset=-80, positive_counts=[2] * 160)
    (series,) = stored([wide, twice], **WINDOWS)
    columns, labels = bucket_counts(series, [BASE + 10 * SECOND])
    assert len(labels) <= 41 and sum(columns[0]) == 160
    assert np.count_nonzero(columns[0]) == len(labels) - 1


@pytest.mark.parametrize(
    ("step", "interval"),
    [
        ("2s", 10),  # an export falls into every fifth window
        ("5s", 10),
        ("10s", 0),
        ("30s", 0),
        ("7s", 21),  # an export falls into most windows, and some stay empty
    ],
)
def test_windows_are_as_long_as_exports_are_apart(step, interval):
    values = [Counter(index) for index in range(60)]
    found = stored(values, step=step, aggregation=Aggregation.RATE)
    assert interval_of(found, int(step[:-1])) == interval


def test_one_outage_is_no_long_interval():
    values = [Gauge(1.0) for _ in range(30)]
    (series,) = stored(values, step="10s", aggregation=Aggregation.LAST)
    series.timestamps[15:] += 300 * SECOND
    assert interval_of([series], 10) == 0
    assert interval_of([], 10) == 0
