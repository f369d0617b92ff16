"""Which of several sources answers for a protocol."""

from __future__ import annotations

import pytest
from helpers.health import KIND_HISTOGRAM, KIND_SUM, Health, in_bucket

SERVER_SPAN = {"span.kind": "server", "span.name": "GET /"}


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
