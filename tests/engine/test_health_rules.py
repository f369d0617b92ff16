"""The rules of service health, one test a rule."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.health import (
    B0,
    B1,
    FLAG_INT,
    KIND_EXPONENTIAL,
    KIND_GAUGE,
    KIND_HISTOGRAM,
    KIND_SUM,
    Health,
    at,
    in_bucket,
)

from urpo_store.query.source import RowLayout, Scanned

SERVER_SPAN = {"span.kind": "server", "span.name": "GET /"}


# --- windows and what is filed in them ---


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


# --- increments of cumulative series ---


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


# --- delta series ---


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


# --- rates ---


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


# --- sources ---


def duplicated(health: Health, **counts: int) -> None:
    names = {
        "stable": ("http.server.request.duration", "s", {}),
        "old": ("http.server.duration", "ms", {}),
        "spans": ("traces.span.metrics.duration", "ms", {**SERVER_SPAN, "http.method": "GET"}),
        "unknown": ("traces.span.metrics.duration", "ms", SERVER_SPAN),
        "consumer": ("traces.span.metrics.duration", "ms", {"span.kind": "consumer"}),
        "messaging": ("messaging.process.duration", "s", {}),
        "celery": ("flower.task.runtime.seconds", "seconds", {}),
        "rpc": ("rpc.server.duration", "ms", {}),
    }
    for name, count in counts.items():
        metric, unit, attributes = names[name]
        series = health.series(metric, unit, KIND_HISTOGRAM, "delta", attributes)
        series.histogram(-10, in_bucket(count, 3), start=-20)


@pytest.mark.parametrize(
    ("counts", "total", "source"),
    [
        ({"stable": 10, "old": 10, "spans": 11}, 10, "http.server.request.duration"),
        ({"old": 10, "spans": 11}, 10, "http.server.duration"),
        ({"spans": 11}, 11, "spans:traces.span.metrics.duration"),
        ({"spans": 11, "unknown": 2}, 13, "spans:traces.span.metrics.duration"),
        ({"old": 10, "unknown": 12}, 10, "http.server.duration"),
        ({"unknown": 12}, 12, "spans:traces.span.metrics.duration"),
        ({"stable": 0, "old": 10}, 10, "http.server.duration"),
        ({"stable": 0, "old": 0}, 0, "http.server.request.duration"),
        (
            {"stable": 10, "consumer": 5},
            15,
            "http.server.request.duration, spans:traces.span.metrics.duration",
        ),
        ({"messaging": 4, "consumer": 5}, 4, "messaging.process.duration"),
        ({"celery": 4, "consumer": 5}, 4, "flower.task.runtime.seconds"),
        ({"stable": 10, "rpc": 5}, 15, "http.server.request.duration, rpc.server.duration"),
        (
            {"stable": 10, "rpc": 5, "messaging": 3, "celery": 2},
            20,
            "http.server.request.duration, rpc.server.duration, "
            "messaging.process.duration, flower.task.runtime.seconds",
        ),
    ],
)
def test_one_source_per_protocol_stable_before_old_before_spans_and_protocols_add_up(
    counts: dict[str, int], total: int, source: str
) -> None:
    for order in (counts, dict(reversed(counts.items()))):
        health = Health()
        duplicated(health, **order)
        got = health.report("1m")
        assert (got.request_count, got.source) == (total, source)
        assert got.request_rate == pytest.approx(total / 10)


def test_calls_are_not_added_to_the_durations_of_the_same_spans() -> None:
    health = Health()
    for metric, kind in (("calls", KIND_SUM), ("duration", KIND_HISTOGRAM)):
        series = health.series(metric, "ms", kind, "delta", SERVER_SPAN)
        if kind == KIND_SUM:
            series.number(-10, 5, start=-20)
        else:
            series.histogram(-10, in_bucket(5, 3), start=-20)
    got = health.report("1m")
    assert (got.request_count, got.source) == (5, "spans:duration")


def test_instances_are_folded() -> None:
    health = Health()
    for instance in ("a", "b", "c"):
        series = health.series(attributes={"service.instance.id": instance})
        series.histogram(-70, in_bucket(10, 3), start=-9000)
        series.histogram(-10, in_bucket(20, 3), start=-9000)
    got = health.report("1m")
    assert got.request_count == 30
    assert got.request_rate == pytest.approx(0.5)


def test_an_evicted_series_leaves_what_it_counted() -> None:
    health = Health()
    series = health.series(temporality="delta")
    series.histogram(-10, in_bucket(5, 3), start=-20)
    health.book.unbind(series.handle)
    assert health.report("1m").request_count == 5


def test_an_evicted_series_that_comes_back_does_not_count_its_total_again() -> None:
    health = Health()
    health.series("queue.depth", "1", KIND_GAUGE).number(-900, 3.0)
    series = health.series()
    series.histogram(-100, in_bucket(50, 3), start=-110)
    health.book.unbind(series.handle)
    series = health.series()
    series.histogram(-20, in_bucket(60, 3), start=-110)
    series.histogram(-10, in_bucket(63, 3), start=-110)
    assert health.report("5m").request_count == 53
    # What has started since is new.
    health.series().histogram(-10, in_bucket(4, 3), start=-30)
    assert health.report("5m").request_count == 57


# --- latencies ---


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


# --- bounds on memory ---


def test_first_points_kept_apart_are_bounded() -> None:
    """A thousand series, each with its own start: merged, and none is counted twice."""
    health = Health()
    for i in range(1000):
        health.series().histogram(-10, in_bucket(1, 3), start=-200 + i / 10)
    assert health.report("5m").request_count == 1000
    assert health.book.memory < 1000 * 400 + 128 * 600


def test_layouts_and_sources_are_bounded() -> None:
    health = Health()
    for i in range(100):
        series = health.series(temporality="delta")
        series.histogram(-10, [0, 1, 0], [1.0, 2.0 + i], start=-20)
        metric = f"n{i}.duration"
        health.series(metric, "s", temporality="delta", attributes=SERVER_SPAN).histogram(
            -10, [0, 1, 0], [1.0, 2.0], start=-20
        )
    assert health.report("1m").request_count == 100


def test_every_failed_allocation_leaves_a_sound_book() -> None:
    def fill(health: Health) -> None:
        explicit = health.series()
        exponential = health.series("rpc.server.call.duration", kind=KIND_EXPONENTIAL)
        for i in range(1, 25):
            explicit.histogram(-320 + 13 * i, in_bucket(i, 3), start=-330)
            exponential.exponential(-320 + 13 * i, 3, i, [i] * i, start=-330)

    whole = Health()
    fill(whole)
    expected = whole.report("5m").request_count
    assert expected is not None
    for n in range(1, whole.book.allocations):
        health = Health(fail_at=n + 2)
        try:
            fill(health)
            count = health.report("5m").request_count
        except MemoryError:
            continue
        assert count is None or count <= expected


# --- answering from stored points ---


def test_replaying_stored_points_gives_the_same_answer() -> None:
    """What lies beyond the slots is answered by the same rules from scanned points."""
    live = Health()
    first = live.series()
    second = live.series(attributes={"error.type": "x"})
    replayed = Health(first_seen=at(-500))
    handles = [replayed.series().handle, replayed.series(attributes={"error.type": "x"}).handle]
    rows: list[list[tuple[int, int, list[int]]]] = [[], []]
    for i, time in enumerate(range(-400, 1, 10)):
        for k, series in enumerate((first, second)):
            if k == 0 or time > -100:
                counts = in_bucket(i * (2 - k), 3 + k)
                series.histogram(time, counts, start=-410 if k == 0 else -105)
                rows[k].append((time, -410 if k == 0 else -105, counts))
    points = [point for part in rows for point in part]
    width = len(B1) + 4
    scanned = Scanned(
        offsets=np.array([0, len(rows[0]), len(points)], np.int64),
        first=np.array([0, len(rows[0])], np.int64),
        times=np.array([at(p[0]) for p in points], np.int64),
        starts=np.array([at(p[1]) for p in points], np.int64),
        values=np.array([sum(p[2]) for p in points], np.uint64),
        flags=np.zeros(len(points), np.uint32),
        layout=np.zeros(len(points), np.uint32),
        row=np.arange(len(points), dtype=np.uint64) * width,
        words=np.array([[0, 0, 0, *p[2]] for p in points], np.uint64).ravel(),
        layouts=[RowLayout(np.array(B1).view(np.uint64), width)],
    )
    replayed.book.replay(handles, scanned, at(0))
    for window in ("1m", "5m"):
        assert replayed.report(window, end=0, now=10**6) == live.report(window)
        assert live.report(window).error_count


def test_replaying_counters_needs_no_rows() -> None:
    health = Health()
    calls = health.series("calls", "", KIND_SUM, attributes=SERVER_SPAN)
    scanned = Scanned(
        offsets=np.array([0, 2], np.int64),
        first=np.array([0], np.int64),
        times=np.array([at(-20), at(-10)], np.int64),
        starts=np.array([at(-900), at(-900)], np.int64),
        values=np.array([5, 9], np.uint64),
        flags=np.full(2, FLAG_INT, np.uint32),
        layout=None,
        row=None,
        words=None,
        layouts=[],
    )
    health.book.replay([calls.handle], scanned, at(0))
    assert health.report("1m").request_count == 4
