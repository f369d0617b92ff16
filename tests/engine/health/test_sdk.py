"""Health of what the OpenTelemetry SDK produces: old names, new names, delta exponential."""

from __future__ import annotations

import random
from typing import Any

import pytest
from drivers.health_book import FilingBook
from helpers.health import (
    FLAG_MAX,
    KIND_EXPONENTIAL,
    KIND_HISTOGRAM,
    MINUTE,
    TEMPORALITY,
    bits,
)
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource

from urpo_store.model import ServiceHealthMetrics

REQUESTS = 2000

CASES = {
    # What a default Python app sends: milliseconds, the SDK's default bounds, http.status_code.
    "old": ("http.server.duration", "ms", "cumulative", "http.status_code", None),
    "new": ("http.server.request.duration", "s", "cumulative", "http.response.status_code", [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ]),
    "exponential": (
        "http.server.request.duration", "s", "delta", "http.response.status_code", "exponential",
    ),
}  # fmt: skip


class Feed:
    """Hands each collection of an SDK reader to a FilingBook, as ingest would."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self.reader = reader
        self.book = FilingBook("shop")
        self.handles: dict[Any, int] = {}
        self.newest = 0

    def collect(self) -> None:
        data = self.reader.get_metrics_data()
        assert data is not None
        for resource in data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        self.observe(metric, point, dict(resource.resource.attributes))

    def observe(self, metric: Any, point: Any, resource: dict[str, Any]) -> None:
        temporality = metric.data.aggregation_temporality.name.lower()
        exponential = hasattr(point, "scale")
        key = (metric.name, tuple(sorted(point.attributes.items())))
        if key not in self.handles:
            self.handles[key] = self.book.bind(
                metric.name,
                metric.unit,
                KIND_EXPONENTIAL if exponential else KIND_HISTOGRAM,
                TEMPORALITY[temporality],
                False,
                resource | dict(point.attributes),
            )
        if exponential:
            counts = list(point.positive.bucket_counts)
            layout = [(point.scale & 0xFFFFFFFF) | len(counts) << 32]
            layout.append(point.positive.offset & 0xFFFFFFFF)
            row = [0, 0, bits(point.max), point.zero_count, 0, *counts]
        else:
            layout = [bits(bound) for bound in point.explicit_bounds]
            row = [0, 0, bits(point.max), *point.bucket_counts]
        self.newest = point.time_unix_nano
        self.book.observe(
            self.handles[key],
            point.time_unix_nano,
            point.start_time_unix_nano,
            point.count,
            layout,
            row,
            FLAG_MAX,
        )

    def report(self) -> ServiceHealthMetrics:
        row = self.book.report(5 * MINUTE, None, self.newest)
        assert row is not None
        return ServiceHealthMetrics(*row)


@pytest.mark.parametrize("case", CASES)
def test_health_of_an_sdk_application_is_right_to_the_bucket(case: str) -> None:
    name, unit, temporality, status, shape = CASES[case]
    aggregation: Any = ExplicitBucketHistogramAggregation()
    if shape == "exponential":
        aggregation = ExponentialBucketHistogramAggregation()
    elif isinstance(shape, list):
        aggregation = ExplicitBucketHistogramAggregation(boundaries=shape)
    reader = InMemoryMetricReader(
        preferred_temporality={Histogram: getattr(AggregationTemporality, temporality.upper())}
    )
    provider = MeterProvider(
        metric_readers=[reader],
        resource=Resource.create({"service.name": "shop"}),
        views=[View(instrument_name="*", aggregation=aggregation)],
    )
    histogram = provider.get_meter("test").create_histogram(name, unit=unit)
    feed = Feed(reader)
    numbers = random.Random(5)
    seconds: list[float] = []
    for i in range(REQUESTS):
        took = numbers.lognormvariate(-3, 1)
        seconds.append(took)
        code = 500 if i % 20 == 0 else 404 if i % 20 == 1 else 200
        histogram.record(took * (1000 if unit == "ms" else 1), {status: code, "n": i % 3})
        if i % 500 == 499:
            feed.collect()
    provider.shutdown()
    got = feed.report()
    assert (got.request_count, got.error_count) == (REQUESTS, REQUESTS // 20)
    assert got.error_rate == pytest.approx(0.05)
    assert got.source == name
    seconds.sort()
    quantiles = ((0.5, got.p50_latency), (0.95, got.p95_latency), (0.99, got.p99_latency))
    for q, value in quantiles:
        exact = seconds[int(q * REQUESTS) - 1]
        assert value is not None
        if shape == "exponential":
            assert value == pytest.approx(exact, rel=0.1)
            continue
        bounds = shape or [b / 1000 for b in [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000]]
        assert isinstance(bounds, list)
        above = next(b for b in bounds if b >= exact)
        below = max((b for b in bounds if b < exact), default=0)
        assert below <= value <= above
