"""Rates over the time that increments cover."""

from __future__ import annotations

import pytest
from helpers.health import Health, at, in_bucket


def test_the_rate_is_over_the_time_that_the_increments_cover() -> None:
    """An app that exports once a minute has a rate in "1m"; so has one that exports every two."""
    for interval in (60, 120):
        health = Health()
        series = health.series()
        series.histogram(-5 - interval, in_bucket(100, 3), start=-9000)
        series.histogram(-5, in_bucket(220, 3), start=-9000)
        got = health.report("1m")
        assert got.request_count == 120
        assert got.request_rate == pytest.approx(120 / interval)


def test_time_covered_twice_counts_once_and_gaps_do_not_count() -> None:
    health = Health()
    one = health.series(temporality="delta")
    two = health.series(temporality="delta")
    one.histogram(-100, in_bucket(10, 3), start=-120)
    two.histogram(-90, in_bucket(10, 3), start=-110)
    one.histogram(-20, in_bucket(10, 3), start=-30)
    assert health.report("5m").request_rate == pytest.approx(30 / (30 + 10))


def test_an_idle_series_that_goes_on_exporting_has_rate_zero_and_no_latency() -> None:
    health = Health()
    series = health.series()
    for time in range(-50, 1, 10):
        series.histogram(time, in_bucket(7, 3), start=-9000)
    got = health.report("1m")
    assert (got.request_rate, got.request_count, got.error_count) == (0.0, 0, 0)
    assert (got.error_rate, got.p50_latency, got.p99_latency) == (None, None, None)
    assert got.source == "http.server.request.duration"


def test_no_data_is_none_and_never_zero() -> None:
    health = Health()
    health.series().histogram(-400, in_bucket(7, 3), start=-410)
    got = health.report("5m")
    assert got.last_seen == at(-400)
    assert (
        got.request_rate,
        got.error_rate,
        got.request_count,
        got.error_count,
        got.p50_latency,
        got.p95_latency,
        got.p99_latency,
        got.source,
    ) == (None,) * 8


def test_errors_are_divided_by_requests_of_the_same_families() -> None:
    """Celery's metric can carry no error: its requests do not dilute the ratio of the others."""
    health = Health()
    health.series(temporality="delta").histogram(-10, in_bucket(6, 3), start=-20)
    health.series(temporality="delta", attributes={"error.type": "x"}).histogram(
        -10, in_bucket(2, 3), start=-20
    )
    health.series("flower.task.runtime.seconds", "seconds", temporality="delta").histogram(
        -10, in_bucket(92, 3), start=-20
    )
    got = health.report("1m")
    assert (got.request_count, got.error_count, got.error_rate) == (100, 2, 0.25)
