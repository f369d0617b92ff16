"""Windows, and what is filed in the slots of their time."""

from __future__ import annotations

import pytest
from helpers.health import KIND_GAUGE, Health, at, in_bucket


@pytest.mark.parametrize("temporality", ["delta", "cumulative"])
@pytest.mark.parametrize(("window", "count"), [("1m", 6), ("5m", 30), ("15m", 90), ("1h", 360)])
def test_windows_end_now_and_hold_the_increments_of_their_time(
    temporality: str, window: str, count: int
) -> None:
    health = Health()
    series = health.series(temporality=temporality)
    for i in range(400):
        time = -4000 + 10 * (i + 1)
        if temporality == "delta":
            series.histogram(time, in_bucket(1, 3), start=time - 10)
        else:
            series.histogram(time, in_bucket(i + 1, 3), start=-4000)
    got = health.report(window)
    assert got.request_count == count
    assert got.request_rate == pytest.approx(0.1)
    assert 0.025 < (got.p50_latency or 0) <= 0.05


def test_a_window_may_end_at_a_moment_in_the_past() -> None:
    health = Health()
    series = health.series(temporality="delta")
    for time in range(-250, 1, 10):
        series.histogram(time, in_bucket(-time or 1, 3), start=time - 10)
    got = health.report("1m", end=-100)
    assert got.request_count == 100 + 110 + 120 + 130 + 140 + 150
    assert got.request_rate == pytest.approx(750 / 60)


def test_a_window_beyond_the_slots_says_so() -> None:
    health = Health()
    health.series(temporality="delta").histogram(0, in_bucket(1, 3), start=-10)
    assert health.book.report(300 * 10**9, at(-3000), at(0)) is not None
    assert health.book.report(300 * 10**9, at(-4000), at(0)) is None
    # For a service that was last heard of long ago "now" is never beyond.
    assert health.book.report(300 * 10**9, None, at(90_000)) is not None


def test_points_of_the_past_are_filed_at_their_own_time() -> None:
    """Late points and replays count where they belong while that is inside the slots."""
    health = Health()
    series = health.series(temporality="delta")
    series.histogram(0, in_bucket(1, 3), start=-10)
    series.histogram(-30, in_bucket(2, 3), start=-40)
    series.histogram(-600, in_bucket(4, 3), start=-610)
    series.histogram(-3000, in_bucket(8, 3), start=-3010)
    series.histogram(-9000, in_bucket(16, 3), start=-9010)
    counts = [health.report(window).request_count for window in ("1m", "5m", "15m", "1h")]
    assert counts == [3, 3, 7, 15]


def test_slots_fold_and_go_without_losing_what_is_in_reach() -> None:
    """A point a second for two hours: by the second, and by ten seconds to the hour."""
    health = Health(now=at(0))
    series = health.series(temporality="delta")
    for time in range(-7200, 1):
        series.histogram(time, in_bucket(1, 3), start=time - 1)
    assert [health.report(w).request_count for w in ("1m", "5m", "15m", "1h")] == [
        60,
        300,
        900,
        3600,
    ]
    assert [health.report(w).request_rate for w in ("1m", "5m", "15m", "1h")] == [1.0] * 4
    assert health.book.dropped == 0
    assert health.book.memory < 300_000


def test_folded_slots_keep_the_time_they_cover() -> None:
    health = Health()
    fast, slow = health.series(temporality="delta"), health.series(temporality="delta")
    fast.histogram(-895, in_bucket(1, 3), start=-896)
    slow.histogram(-893, in_bucket(1, 3), start=-953)
    for time in range(-570, 1):
        fast.histogram(time, in_bucket(1, 3), start=time - 1)
    got = health.report("15m")
    assert got.request_count == 2 + 571
    assert got.request_rate == pytest.approx(573 / (60 + 571))


def test_future_points_do_not_move_health() -> None:
    """A point later than now + 5 m moves neither counts nor last_seen; one up to there does."""
    health = Health()
    series = health.series(temporality="delta")
    series.histogram(301, in_bucket(100, 3), start=291)
    assert health.report("5m").request_count is None
    assert health.report("5m").last_seen is None
    series.histogram(299, in_bucket(3, 3), start=289)
    assert health.report("5m").request_count == 3
    assert health.report("5m").last_seen == at(299)


def test_last_seen_moves_with_any_point_of_any_metric() -> None:
    health = Health()
    gauge = health.series("queue.depth", "1", KIND_GAUGE)
    assert not gauge.feeds
    gauge.number(-20, 3.0)
    gauge.number(-25, 3.0)
    got = health.report()
    assert got.last_seen == at(-20)
    assert (got.request_rate, got.error_rate, got.request_count, got.source) == (None,) * 4


def test_stale_points_are_seen_but_count_nothing() -> None:
    health = Health()
    series = health.series(temporality="delta")
    series.histogram(-5, [], [], start=-15, count=0, stale=True)
    assert health.report().request_count is None
    assert health.report().last_seen == at(-5)
