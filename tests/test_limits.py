"""`memory_limit` is hard and `max_series` holds, whatever is sent; what was genuine stays right."""

import random

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import urpo_store
from urpo_store import Aggregation, MetricQuery

BASE = 1_700_000_000_000_000_000
SECOND = 10**9
LIMIT = 16 << 20


def gauges(services, sets, time=BASE, metric="attack", temporality=None, value=1.0):
    """A request of one point for each of `sets`, in each of `services`."""
    request = ExportMetricsServiceRequest()
    for service in services:
        block = request.resource_metrics.add()
        block.resource.attributes.add(key="service.name").value.string_value = service
        made = block.scope_metrics.add().metrics.add(name=metric)
        if temporality is None:
            points = made.gauge.data_points
        else:
            made.sum.aggregation_temporality = temporality
            made.sum.is_monotonic = True
            points = made.sum.data_points
        for each in sets:
            point = points.add(time_unix_nano=time, start_time_unix_nano=time - 1)
            point.as_double = value
            point.attributes.add(key="id").value.string_value = str(each)
    return request.SerializeToString()


def highest_memory(store, requests):
    highest = 0
    for request in requests:
        store.ingest(request)
        highest = max(highest, store.stats().memory_bytes)
    return highest


def test_a_flood_of_attribute_sets_stays_below_the_limit():
    """200,000 sets: deltas collapsed stay exact, and genuine series go on as before."""
    with urpo_store.open(retention=None, memory_limit=LIMIT) as store:
        store.ingest(gauges(["shop"], range(10), metric="genuine"))
        requests = (
            gauges(["shop"], range(i, i + 2_000), temporality=1, time=BASE + i * 1_000)
            for i in range(0, 200_000, 2_000)
        )
        assert highest_memory(store, requests) < LIMIT * 1.1
        result = store.ingest(gauges(["shop"], range(10), BASE + SECOND, "genuine", value=7.0))
        assert (result.accepted, result.message) == (10, "")
        stats = store.stats()
        assert stats.overflowed_series > 0
        assert stats.index_bytes < LIMIT * 0.65
        table = store.query_metrics(
            MetricQuery("genuine", start=BASE, end=BASE + SECOND, aggregation=Aggregation.LAST)
        )
        assert len(table) == 10
        assert {series.values[-1] for series in table} == {7.0}
        if not stats.evicted_points:
            (total,) = store.query_metrics(
                MetricQuery(
                    "attack",
                    start=BASE - SECOND,
                    end=BASE + SECOND,
                    step="2s",
                    aggregation=Aggregation.SUM,
                    by=(),
                )
            )
            assert total.values.sum() == 200_000


def test_a_flood_of_services_is_refused_by_name_and_counted():
    with urpo_store.open(retention=None, memory_limit=LIMIT) as store:
        names = [[f"made-up-{i + j}" for j in range(2_000)] for i in range(0, 60_000, 2_000)]
        assert highest_memory(store, (gauges(each, "a") for each in names)) < LIMIT * 1.1
        result = store.ingest(gauges(["one-more"], "a"))
        assert (result.accepted, result.rejected) == (0, 1)
        assert "no room for a new series; raise max_series or memory_limit" in result.message
        assert store.stats().rejected_points > 0


@pytest.mark.parametrize("metrics", [50_000])
def test_a_flood_of_names_stays_below_the_limit(metrics):
    with urpo_store.open(retention=None, memory_limit=LIMIT) as store:

        def request(first):
            message = ExportMetricsServiceRequest()
            scope = message.resource_metrics.add().scope_metrics.add()
            for name in range(first, first + 2_000):
                point = scope.metrics.add(name=f"name.{name}" * 5).gauge.data_points.add()
                point.time_unix_nano = BASE
                point.as_int = 1
            return message.SerializeToString()

        assert highest_memory(store, map(request, range(0, metrics, 2_000))) < LIMIT * 1.1


def test_open_chunks_are_given_up_too_oldest_first():
    """4,000 active series of random values: their open chunks alone would be beyond the limit."""
    chance = random.Random(1)
    limit = 8 << 20
    with urpo_store.open(retention=None, memory_limit=limit, ring_slots=4096) as store:
        sent = 0

        def requests():
            nonlocal sent
            for step in range(200):
                yield gauges(["busy"], range(4_000), BASE + step * SECOND, value=chance.random())
                sent += 4_000

        assert highest_memory(store, requests()) < limit * 1.25
        store.compress_cold()
        stats = store.stats()
        assert stats.evicted_points > 0
        assert stats.points + stats.evicted_points == sent
        newest = store.query_metrics(
            MetricQuery(
                "attack", start=0, end="now", aggregation=Aggregation.LAST, by=(), step=None
            )
        )
        assert newest[0].timestamps[-1] == BASE + 199 * SECOND
