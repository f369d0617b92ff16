"""From points to increments: cumulative series, delta series."""

from __future__ import annotations

import pytest
from helpers.health import KIND_GAUGE, KIND_SUM, Health, in_bucket

SERVER_SPAN = {"span.kind": "server", "span.name": "GET /"}


def test_a_first_point_counts_if_its_start_lies_inside_the_window() -> None:
    health = Health()
    health.series().histogram(-10, in_bucket(30, 3), start=-130)
    assert health.report("1m").request_count is None
    got = health.report("5m")
    assert got.request_count == 30
    assert got.request_rate == pytest.approx(30 / 120)
    assert got.p50_latency is not None


def test_a_first_point_counts_if_its_start_is_after_the_store_first_saw_the_service() -> None:
    health = Health()
    health.series("queue.depth", "1", KIND_GAUGE).number(-200, 3.0)
    health.series().histogram(-10, in_bucket(30, 3), start=-130)
    got = health.report("1m")
    assert got.request_count == 30
    assert got.request_rate == pytest.approx(30 / 120)


def test_a_first_point_is_else_a_baseline() -> None:
    """Started before the window and before the store saw the service, or at an unknown time."""
    for start in (-5000, None, -10):
        health = Health()
        health.series("queue.depth", "1", KIND_GAUGE).number(-200, 3.0)
        series = health.series()
        series.histogram(-10, in_bucket(30, 3), start=start)
        assert health.report("1h" if start != -5000 else "15m").request_count is None
        series.histogram(0, in_bucket(34, 3), start=start)
        got = health.report("1m")
        assert got.request_count == 4
        assert got.request_rate == pytest.approx(0.4)


def test_a_new_series_of_a_known_source_covers_the_time_since_the_last_export() -> None:
    """The first failure after an hour does not stretch the time that the counts are divided by."""
    health = Health()
    good = health.series()
    for i, time in enumerate(range(-4000, 1, 10)):
        good.histogram(time, in_bucket(10 * i, 3), start=-4010)
    bad = health.series(attributes={"error.type": "boom"})
    bad.histogram(0, in_bucket(1, 3), start=-3990)
    got = health.report("1m")
    assert (got.request_count, got.error_count) == (61, 1)
    assert got.request_rate == pytest.approx(61 / 60)


def test_a_new_series_covers_the_time_since_its_source_was_heard_of_before_this_moment() -> None:
    health = Health()
    health.series("queue.depth", "1", KIND_GAUGE).number(-200, 3.0)
    health.series().histogram(-40, in_bucket(9, 3))
    health.series().histogram(-10, in_bucket(9, 3))
    health.series().histogram(-10, in_bucket(6, 3), start=-100)
    got = health.report("1m")
    assert got.request_count == 6
    assert got.request_rate == pytest.approx(6 / 30)


def test_a_new_series_that_comes_behind_two_later_points_covers_the_time_since_its_start() -> None:
    health = Health()
    health.series(attributes={"route": "c"}).histogram(-12, in_bucket(0, 3))
    first = health.series(attributes={"route": "a"})
    for second in (-11, -10):
        first.histogram(second, in_bucket(0, 3))
    late = health.series(attributes={"route": "b"})
    late.histogram(-11, in_bucket(4, 3), start=-12)
    # From -12 to -10, not only from -11.
    assert health.report().request_rate == 2


def test_a_point_at_the_edge_belongs_to_the_window_that_ends_there() -> None:
    health = Health()
    series = health.series(temporality="delta")
    series.histogram(-59.5, in_bucket(2, 3), start=-69.5)
    assert health.report("1m", end=0.5, now=1).request_count is None
    assert health.report("1m", end=-59.5).request_count == 2


def test_a_cumulative_point_not_later_than_the_last_is_ignored() -> None:
    health = Health()
    series = health.series()
    series.histogram(-30, in_bucket(10, 3), start=-1000)
    series.histogram(-20, in_bucket(15, 3), start=-1000)
    series.histogram(-20, in_bucket(16, 3), start=-1000)
    series.histogram(-25, in_bucket(12, 3), start=-1000)
    assert health.report("1m").request_count == 5
    series.histogram(-10, in_bucket(18, 3), start=-1000)
    assert health.report("1m").request_count == 8


def test_a_newer_start_is_a_reset() -> None:
    """The count grew, and is nevertheless counted from 0: the start time says so."""
    health = Health()
    series = health.series()
    series.histogram(-30, in_bucket(10, 3), start=-1000)
    series.histogram(-20, in_bucket(12, 3), start=-25)
    got = health.report("1m")
    assert got.request_count == 12
    assert got.request_rate == pytest.approx(12 / 5)
    assert got.p50_latency == pytest.approx(0.0375)


def test_a_fallen_count_is_a_reset() -> None:
    health = Health()
    series = health.series()
    series.histogram(-30, in_bucket(10, 3), start=-1000)
    series.histogram(-20, in_bucket(4, 3), start=-1000)
    series.histogram(-10, in_bucket(5, 3), start=-1000)
    assert health.report("1m").request_count == 5


def test_a_fallen_bucket_is_a_reset() -> None:
    health = Health()
    series = health.series()
    series.histogram(-30, in_bucket(10, 3), start=-1000)
    series.histogram(-20, in_bucket(11, 4), start=-1000)
    got = health.report("1m")
    assert got.request_count == 11
    assert got.p50_latency == pytest.approx(0.0625)


@pytest.mark.parametrize("values", [(3, 5, 9), (3.0, 5.0, 9.0), (3, 5.0, 9)])
def test_counters_reset_alike(values: tuple[float, ...]) -> None:
    health = Health()
    calls = health.series("traces.span.metrics.calls", "", KIND_SUM, attributes=SERVER_SPAN)
    for i, value in enumerate(values):
        calls.number(-30 + i, value, start=-1000)
    assert health.report("1m").request_count == 6
    calls.number(-20, 4, start=-1000)
    assert health.report("1m").request_count == 10
    calls.number(-10, 7, start=-15)
    assert health.report("1m").request_count == 17
    assert health.report("1m").p50_latency is None


def test_integer_totals_beyond_2_to_53_are_exact() -> None:
    health = Health()
    calls = health.series("calls", "", KIND_SUM, attributes=SERVER_SPAN)
    calls.number(-20, 2**60 + 1, start=-1000)
    calls.number(-10, 2**60 + 4, start=-1000)
    assert health.report("1m").request_count == 3


@pytest.mark.parametrize("value", [float("nan"), -1.0, -5])
def test_a_total_that_is_no_count_is_left_out(value: float) -> None:
    health = Health()
    calls = health.series("calls", "", KIND_SUM, attributes=SERVER_SPAN)
    calls.number(-20, 10, start=-1000)
    calls.number(-15, value, start=-1000)
    calls.number(-10, 12, start=-1000)
    assert health.report("1m").request_count == 2


def test_resets_are_known_per_series_before_summing() -> None:
    """One instance restarts while another goes on: the sum never falls."""
    health = Health()
    one, two = health.series(), health.series()
    one.histogram(-30, in_bucket(10, 3), start=-1000)
    two.histogram(-30, in_bucket(10, 3), start=-1000)
    one.histogram(-20, in_bucket(3, 3), start=-28)
    two.histogram(-20, in_bucket(30, 3), start=-1000)
    assert health.report("1m").request_count == 23


def test_deltas_add_up() -> None:
    health = Health()
    series = health.series(temporality="delta")
    for time in (-30, -20, -10):
        series.histogram(time, in_bucket(5, 3), start=time - 10)
    assert health.report("1m").request_count == 15
    assert health.report("1m").request_rate == pytest.approx(0.5)


def test_a_resent_delta_is_not_counted_twice() -> None:
    health = Health()
    series = health.series(temporality="delta")
    for time in (-30, -20, -20, -30, -20):
        series.histogram(time, in_bucket(5, 3), start=time - 10)
    assert health.report("1m").request_count == 10


def test_deltas_of_one_time_with_different_starts_are_different() -> None:
    health = Health()
    series = health.series(temporality="delta")
    series.histogram(-20, in_bucket(5, 3), start=-30)
    series.histogram(-20, in_bucket(5, 3), start=-25)
    assert health.report("1m").request_count == 10


def test_collapsed_series_stand_for_many_sources_so_equal_points_all_count() -> None:
    health = Health()
    delta = health.series(temporality="delta", collapsed=True)
    delta.histogram(-20, in_bucket(5, 3), start=-30)
    delta.histogram(-20, in_bucket(5, 3), start=-30)
    assert health.report("1m").request_count == 10
    health = Health()
    total = health.series(collapsed=True)
    for value in (5, 10, 12):
        total.histogram(-20, in_bucket(value, 3), start=-1000)
    assert health.report("1m").request_count == 7


def test_deltas_without_start_times_count_but_have_no_rate_until_a_second_one_comes() -> None:
    health = Health()
    series = health.series(temporality="delta")
    series.histogram(-20, in_bucket(5, 3))
    assert health.report("1m").request_count == 5
    assert health.report("1m").request_rate is None
    series.histogram(-10, in_bucket(5, 3))
    assert health.report("1m").request_rate == pytest.approx(1.0)
