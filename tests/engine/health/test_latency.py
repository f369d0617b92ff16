"""Latencies: quantiles of buckets that can be added, and of mixtures."""

from __future__ import annotations

import pytest
from helpers.health import B0, B1, KIND_EXPONENTIAL, Health, in_bucket


def test_a_quantile_in_the_last_bucket_is_the_last_bound_or_the_maximum() -> None:
    for maximum, p99 in ((None, 10.0), (42.0, 42.0)):
        health = Health()
        series = health.series(temporality="delta")
        series.histogram(-10, in_bucket(5, 14), start=-20, maximum=maximum)
        assert health.report("1m").p99_latency == p99


def test_buckets_of_different_bounds_are_merged_at_the_bounds_they_share() -> None:
    """Two versions of one service: bucket by bucket their counts must not be added."""
    health = Health()
    health.series(temporality="delta").histogram(-10, [0, 10, 0, 0], [1.0, 2.0, 4.0], start=-20)
    health.series(temporality="delta").histogram(-10, [0, 10, 0], [2.0, 4.0], start=-20)
    got = health.report("1m")
    # Shared: 2 and 4. 10 in (0, 2], 10 in (2, 4]; at 1 the first had nothing below, which is lost.
    assert got.request_count == 20
    assert got.p50_latency == pytest.approx(2.0)
    assert got.p95_latency == pytest.approx(2 + 2 * 0.9)


def test_bounds_that_share_nothing_are_read_as_a_mixture() -> None:
    health = Health()
    health.series(temporality="delta").histogram(-10, [0, 10, 0], [1.0, 3.0], start=-20)
    health.series(temporality="delta").histogram(-10, [0, 10, 0], [5.0, 9.0], start=-20)
    got = health.report("1m")
    assert got.p50_latency == pytest.approx(3.0)
    assert got.p95_latency == pytest.approx(5 + 4 * 0.9)


def test_equal_bounds_in_different_units_are_the_same_bounds() -> None:
    health = Health()
    health.series("http.server.request.duration", "s", temporality="delta").histogram(
        -10, in_bucket(10, 3), B1, start=-20
    )
    health.series("http.server.request.duration", "ms", temporality="delta").histogram(
        -10, in_bucket(10, 4), [b * 1000 for b in B1], start=-20
    )
    got = health.report("1m")
    assert got.p50_latency == pytest.approx(0.05)
    assert got.p95_latency == pytest.approx(0.05 + 0.025 * 0.9)


def test_protocols_with_different_bounds_are_read_as_a_mixture() -> None:
    """The coarse buckets of one protocol do not spoil the fine ones of another."""
    health = Health()
    health.series(temporality="delta").histogram(-10, in_bucket(99, 3), B1, start=-20)
    health.series("flower.task.runtime.seconds", "seconds", temporality="delta").histogram(
        -10, in_bucket(1, 2, 16), B0, start=-20
    )
    got = health.report("1m")
    assert got.p50_latency == pytest.approx(0.025 + 0.025 * 50 / 99)
    assert got.p99_latency == pytest.approx(0.05)


def test_explicit_and_exponential_histograms_are_read_as_a_mixture() -> None:
    health = Health()
    health.series(temporality="delta").histogram(-10, [0, 10, 0], [1.0, 2.0], start=-20)
    health.series(kind=KIND_EXPONENTIAL, temporality="delta").exponential(
        -10, 0, 2, [10], start=-20
    )
    got = health.report("1m")
    assert got.request_count == 20
    assert got.p50_latency == pytest.approx(2.0)
    # Rank 19 of 20: 9 of the 10 in (4, 8], geometric.
    assert got.p95_latency == pytest.approx(4 * 2**0.9)


def test_a_histogram_without_buckets_counts_but_has_no_latency() -> None:
    health = Health()
    health.series(temporality="delta").histogram(-10, [], [], start=-20, count=9)
    got = health.report("1m")
    assert (got.request_count, got.p50_latency) == (9, None)


def test_bounds_that_change_inside_a_cumulative_series_keep_the_count() -> None:
    """How many came is known; where they fell is not, so the latency leaves them out."""
    health = Health()
    series = health.series()
    series.histogram(-30, in_bucket(10, 3), B1, start=-9000)
    series.histogram(-20, [0, 14, 0], [1.0, 2.0], start=-9000)
    assert health.report("1m").request_count == 4
    assert health.report("1m").p50_latency is None
    series.histogram(-10, [0, 16, 0], [1.0, 2.0], start=-9000)
    assert health.report("1m").request_count == 6
    assert health.report("1m").p50_latency == pytest.approx(1.5)
