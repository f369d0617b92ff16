"""Exponential buckets: merged, downscaled, subtracted."""

from __future__ import annotations

import pytest
from helpers.health import KIND_EXPONENTIAL, Health


def test_exponential_histograms_are_merged_at_the_smallest_scale() -> None:
    health = Health()
    one = health.series(kind=KIND_EXPONENTIAL, temporality="delta")
    two = health.series(kind=KIND_EXPONENTIAL, temporality="delta")
    one.exponential(-20, 2, 4, [10], start=-30)  # (2, 2.378]
    two.exponential(-10, 0, 2, [10], start=-20)  # (4, 8]
    got = health.report("1m")
    assert got.p50_latency == pytest.approx(4.0)
    assert got.p95_latency == pytest.approx(4 * 2**0.9)


def test_a_cumulative_exponential_histogram_that_loses_scale_is_no_reset() -> None:
    health = Health()
    series = health.series(kind=KIND_EXPONENTIAL)
    series.exponential(-20, 2, 4, [10, 0, 3], start=-9000)
    series.exponential(-10, 0, 1, [14, 2], start=-9000)
    got = health.report("1m")
    assert got.request_count == 3
    assert got.p50_latency == pytest.approx(4 * 2**0.25)


def test_zeros_at_the_ends_of_exponential_counts_are_no_counts() -> None:
    health = Health()
    series = health.series(kind=KIND_EXPONENTIAL)
    series.exponential(-30, 0, -5, [0, 0, 0], start=-9000)
    series.exponential(-20, 0, 0, [], start=-9000)
    series.exponential(-15, 0, 0, [0, 0, 10, 0, 0], start=-9000)
    series.exponential(-10, 0, 2, [14], start=-9000)
    assert health.report("1m").request_count == 14
    assert health.report("1m").p50_latency == pytest.approx(4 * 2**0.5)


def test_wide_exponential_histograms_are_downscaled_to_160_buckets() -> None:
    health = Health()
    series = health.series(kind=KIND_EXPONENTIAL, temporality="delta")
    series.exponential(-20, 5, 0, [1] * 1000, start=-30)
    got = health.report("1m")
    assert got.request_count == 1000
    # Exact is 2**(500/32); at scale 2 a bucket is 19 % wide.
    assert got.p50_latency == pytest.approx(2 ** (500 / 32), rel=0.1)
    assert health.book.memory < 20_000


def test_the_zero_bucket_counts_as_its_threshold() -> None:
    health = Health()
    series = health.series(kind=KIND_EXPONENTIAL, temporality="delta")
    series.exponential(-10, 0, 0, [10], start=-20, zero=10, zero_threshold=0.5)
    assert health.report("1m").p50_latency == pytest.approx(0.5)
