"""Health of a whole store: how services and series are found and bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from urpo_store.model import Counter, Gauge, Histogram, MetricPoint

pytest.importorskip("urpo_store.engine.core", reason="the store is not built")

import urpo_store
from urpo_store.interfaces import MetricStorage

SECOND = 1_000_000_000
BOUNDS = (0.1, 0.2, 0.4)


@pytest.fixture
def store() -> Iterator[MetricStorage]:
    with urpo_store.open() as opened:
        yield opened


@pytest.fixture
def now() -> int:
    return time.time_ns()


def request(service: str, timestamp: int, count: int, **options: object) -> MetricPoint:
    """`count` requests in (0.1, 0.2] seconds, in the ten seconds before `timestamp`."""
    fields: dict[str, object] = {
        "service": service,
        "metric": "http.server.request.duration",
        "value": Histogram(count, None, (0, count, 0, 0), BOUNDS),
        "unit": "s",
        "temporality": "delta",
        "timestamp": timestamp,
        "start_timestamp": timestamp - 10 * SECOND,
    }
    return MetricPoint(**(fields | options))


def test_an_unknown_service_is_none(store: MetricStorage, now: int) -> None:
    assert store.get_service_health("nobody") is None
    store.store_metric(request("shop", now - SECOND, 4))
    assert store.get_service_health("nobody") is None
    assert store.get_service_health("shop", "1m") is not None


def test_health_comes_with_the_fields_of_the_model(store: MetricStorage, now: int) -> None:
    store.store_metric(request("shop", now - SECOND, 4))
    store.store_metric(
        request("shop", now - SECOND, 1, attributes={"http.response.status_code": 503})
    )
    got = store.get_service_health("shop", "1m")
    assert got is not None
    assert (got.service, got.request_count, got.error_count) == ("shop", 5, 1)
    assert got.request_rate == pytest.approx(0.5)
    assert got.error_rate == pytest.approx(0.2)
    assert got.p50_latency == pytest.approx(0.15)
    assert got.source == "http.server.request.duration"
    assert got.last_seen == now - SECOND


def test_services_are_apart_by_namespace_and_name(store: MetricStorage, now: int) -> None:
    for i, service in enumerate(["shop", "eu/shop", "us/shop"]):
        store.store_metric(request(service, now - SECOND, i + 1))
    counts = {}
    for service in store.services():
        health = store.get_service_health(service, "1m")
        assert health is not None
        counts[service] = health.request_count
    assert counts == {"shop": 1, "eu/shop": 2, "us/shop": 3}


def test_instances_are_folded(store: MetricStorage, now: int) -> None:
    for instance in ("a", "b"):
        point = request("shop", now - SECOND, 3, resource={"service.instance.id": instance})
        store.store_metric(point)
    got = store.get_service_health("shop", "1m")
    assert got is not None and got.request_count == 6


def test_attributes_of_the_resource_decide_too(store: MetricStorage, now: int) -> None:
    """Of point, scope and resource the first that has the key decides."""
    calls = MetricPoint(
        service="shop",
        metric="calls",
        value=Counter(4),
        temporality="delta",
        timestamp=now - SECOND,
        start_timestamp=now - 11 * SECOND,
        resource={"span.kind": "SPAN_KIND_SERVER"},
    )
    store.store_metric(calls)
    got = store.get_service_health("shop", "1m")
    assert got is not None and (got.request_count, got.source) == (4, "spans:calls")


def test_a_service_without_request_metric_is_known(store: MetricStorage, now: int) -> None:
    store.store_metric(MetricPoint("mailer", "queue.depth", Gauge(3), timestamp=now - SECOND))
    got = store.get_service_health("mailer")
    assert got is not None
    assert got.last_seen == now - SECOND
    assert (got.request_rate, got.request_count, got.p95_latency, got.source) == (None,) * 4


def test_many_services_are_found(store: MetricStorage, now: int) -> None:
    for i in range(300):
        store.store_metric(request(f"service-{i}", now - SECOND, i + 1))
    for i in range(300):
        got = store.get_service_health(f"service-{i}", "1m")
        assert got is not None and got.request_count == i + 1


@pytest.mark.parametrize("hours", [0, 3])
def test_a_window_in_the_past_has_the_same_answer(hours: int, now: int) -> None:
    """Three hours later the slots have gone: the stored points answer."""
    with urpo_store.open(retention=None) as store:
        then = now - 4 * 3600 * SECOND
        for i in range(30):
            store.store_metric(request("shop", then - 10 * i * SECOND, 2))
        store.store_metric(request("shop", then + hours * 3600 * SECOND, 100))
        got = store.get_service_health("shop", "1m", at=then - SECOND)
        assert got is not None
        assert got.request_count == 12
        assert got.request_rate == pytest.approx(0.2)
        assert got.p50_latency == pytest.approx(0.15)


def large_request(points: int, start: int, timestamp: int) -> bytes:
    """A delta histogram of one request each, (0.2, 0.4] s, and as many gauges of unknown start."""
    message = ExportMetricsServiceRequest()
    block = message.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = block.scope_metrics.add()
    histogram = scope.metrics.add(name="http.server.request.duration", unit="s").histogram
    histogram.aggregation_temporality = 1
    gauge = scope.metrics.add(name="depth").gauge
    for i in range(points):
        point = histogram.data_points.add(
            start_time_unix_nano=start + i // (points // 3),
            time_unix_nano=timestamp,
            count=1,
            explicit_bounds=BOUNDS,
            bucket_counts=(0, 0, 1, 0),
        )
        point.attributes.add(key="i").value.int_value = i
        point = gauge.data_points.add(time_unix_nano=timestamp, as_int=i)
        point.attributes.add(key="i").value.int_value = i
    return message.SerializeToString()


@pytest.mark.parametrize("points", [30, 9_000])
def test_a_request_that_is_published_in_parts_is_filed_as_it_was_sent(
    store: MetricStorage, now: int, points: int
) -> None:
    """Larger than a quarter of the ring, it is cut where the ring wants it cut."""
    store.ingest(large_request(points, now - 20 * SECOND, now - 10 * SECOND))
    got = store.get_service_health("shop", "1m")
    assert got is not None and got.request_count == points
    assert got.p50_latency == pytest.approx(0.3)
    assert got.request_rate == pytest.approx(points / 10)
    # Nothing of it is older than it said: this total began before the store saw the service.
    old = request(
        "shop", now - SECOND, 50, temporality="cumulative", start_timestamp=now - 3600 * SECOND
    )
    store.store_metric(old)
    got = store.get_service_health("shop", "1m")
    assert got is not None and got.request_count == points


def test_points_of_many_threads_are_all_counted(store: MetricStorage, now: int) -> None:
    reports: list[int] = []

    def send(thread: int) -> None:
        for i in range(200):
            route = {"http.route": f"/{i % 7}", "thread": thread}
            store.store_metric(request("shop", now - SECOND - i, 1, attributes=route))
            if i % 20 == 0:
                got = store.get_service_health("shop", "5m")
                assert got is not None and got.request_count is not None
                reports.append(got.request_count)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = store.get_service_health("shop", "5m")
    assert got is not None and got.request_count == 800
    assert len(reports) == 40 and max(reports) <= 800
