"""Who exports once a minute is not idle, whatever else comes; who has come once goes.

The engine tells idleness by the monotonic clock, so these tests run where that can be moved.
"""

from pathlib import Path

import pytest
from helpers.floods import BASE, SECOND, fast_sums
from helpers.moved_clock import in_moved_time, move_clock
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import urpo_store
from urpo_store import Aggregation, MetricQuery, MetricStorage

MINUTES = 15
MINUTE = 60 * SECOND
END = BASE + MINUTES * MINUTE
DURATION = "http.server.request.duration"


def genuine(minute: int, temporality: int, service: str = "shop") -> bytes:
    """20 routes of an honest service: a histogram, a counter and a gauge of each."""
    request = ExportMetricsServiceRequest()
    block = request.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = service
    scope = block.scope_metrics.add()
    durations = scope.metrics.add(name=DURATION, unit="s").histogram
    orders = scope.metrics.add(name="orders").sum
    load = scope.metrics.add(name="load").gauge
    durations.aggregation_temporality = orders.aggregation_temporality = temporality
    orders.is_monotonic = True
    time = BASE + minute * MINUTE
    times = {
        "time_unix_nano": time,
        "start_time_unix_nano": BASE - MINUTE if temporality == 2 else time - MINUTE,
    }
    # Of a minute, or of all so far.
    times_over = minute + 1 if temporality == 2 else 1
    for route in range(20):
        counts = [times_over * (route + 1), times_over, 0]
        made = [
            durations.data_points.add(
                explicit_bounds=[0.1, 1.0], bucket_counts=counts, count=sum(counts), **times
            ),
            orders.data_points.add(as_int=times_over * route, **times),
            load.data_points.add(as_double=minute / 10 + route, time_unix_nano=time),
        ]
        for point in made:
            point.attributes.add(key="http.route").value.string_value = f"/{route}"
    return request.SerializeToString()


def what_is_seen(store: MetricStorage) -> list[object]:
    """Everything that is stored of the honest service, and what is computed from it."""
    seen: list[object] = [
        store.get_service_health("shop", window, at=END) for window in ("1m", "5m", "15m")
    ]
    steps = {"step": "60s", "by": ("http.route",)}
    for query in (
        *(MetricQuery(name, "shop", start=BASE, end=END) for name in (DURATION, "orders", "load")),
        MetricQuery(DURATION, "shop", start=BASE, end=END, aggregation=Aggregation.P95, **steps),
        MetricQuery(
            "orders", "shop", start=BASE, end=END, aggregation=Aggregation.INCREASE, **steps
        ),
    ):
        table = store.query_metrics(query)
        assert len(table) == 20
        seen += [(each.attributes, each.timestamps.tolist(), str(each.values)) for each in table]
        seen += [each.histogram.bucket_counts.tolist() for each in table if each.histogram]
    return seen


def fifteen_minutes_of_attack(temporality: int) -> dict[str, int]:
    """6,000 new sets a minute where there is room for 2,000; then the counts of the store."""
    options = {"retention": None, "max_series": 2_000}
    with urpo_store.open(**options) as store, urpo_store.open(**options) as alone:
        store.ingest(genuine(0, temporality, "once"))
        for minute in range(MINUTES):
            for each in (store, alone):
                assert each.ingest(genuine(minute, temporality)).message == ""
            for part in range(6):
                first = (minute * 6 + part) * 1_000
                time = BASE + minute * MINUTE + part * 10 * SECOND
                store.ingest(fast_sums(first, 1_000, temporality, time))
                move_clock(10)
        assert what_is_seen(store) == what_is_seen(alone)
        stats = store.stats()
        return {
            "attacks": len(store.series(MetricQuery("attack"))),
            "once": len(store.series(MetricQuery("load", "once"))),
            "evicted": stats.evicted_series,
            "overflowed": stats.overflowed_points,
        }


@pytest.mark.parametrize("temporality", [1, 2], ids=["delta", "cumulative"])
def test_an_attack_of_fifteen_minutes_evicts_only_what_is_idle(
    temporality: int, tmp_path: Path
) -> None:
    code = f"import test_idle; answer = test_idle.fifteen_minutes_of_attack({temporality})"
    counts = in_moved_time(code, tmp_path)
    # First there was no room, then that of whoever had come once: the first sets, and 60 honest series.
    assert counts["overflowed"] > 50_000
    assert counts["once"] == 0
    assert counts["evicted"] == 2_000 - 60
