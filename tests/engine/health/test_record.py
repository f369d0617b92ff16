"""A record outlives its series, and is bounded in memory."""

from __future__ import annotations

from helpers.health import KIND_EXPONENTIAL, KIND_GAUGE, Health, in_bucket

SERVER_SPAN = {"span.kind": "server", "span.name": "GET /"}


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
