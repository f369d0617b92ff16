"""The real SDK over gRPC and HTTP against `serve` in a process of its own: health right to the bucket.

What is recorded is known, so every figure of the answer is computed here by the rules, in exact
arithmetic, and compared.
"""

import math
from fractions import Fraction

import pytest
from helpers.served import serving
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpExporter,
)
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource

from urpo_store.api.client import HttpStorage

OLD_BOUNDS = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
NEW_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
MILLISECONDS = [3, 7, 12, 20, 30, 60, 80, 90, 120, 200, 300, 700, 12000]


@pytest.fixture(scope="module")
def served():
    with serving() as (_, url, grpc_port):
        yield url, grpc_port


def exporter(served, transport, **options):
    url, grpc_port = served
    if transport == "grpc":
        return GrpcExporter(endpoint=f"127.0.0.1:{grpc_port}", insecure=True, **options)
    compression = Compression.Gzip if transport == "gzip" else Compression.NoCompression
    return HttpExporter(f"{url}/v1/metrics", compression=compression, **options)


def meter_of(service, exporter, *views):
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
    provider = MeterProvider([reader], resource=Resource({"service.name": service}), views=views)
    return provider, provider.get_meter("end.to.end")


def explicit_quantile(q, values, bounds, greatest):
    """The quantile by the rules: linear inside a bucket; in the last bucket the greatest value."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[sum(value > bound for bound in bounds)] += 1
    rank = Fraction(q).limit_denominator(1000) * len(values)
    below = 0
    for index, count in enumerate(counts):
        if below + count >= rank and count:
            if index == len(bounds):
                return greatest
            low = bounds[index - 1] if index else 0
            return float(low + (bounds[index] - low) * (rank - below) / count)
        below += count
    raise AssertionError("no bucket holds the rank")


@pytest.mark.parametrize("transport", ["grpc", "http", "gzip"])
def test_old_names(served, transport):
    """http.server.duration in ms; errors are status codes of 500 and above."""
    service = f"old-{transport}"
    provider, meter = meter_of(service, exporter(served, transport))
    duration = meter.create_histogram("http.server.duration", "ms")
    attributes = {"http.method": "GET", "http.status_code": 200}
    duration.record(1, attributes)
    duration.record(1, attributes | {"http.status_code": 503})
    provider.force_flush()
    for index, value in enumerate(MILLISECONDS):
        duration.record(value, attributes | {"http.status_code": 503 if index == 4 else 200})
    provider.force_flush()
    provider.shutdown()
    health = HttpStorage(served[0]).get_service_health(service, "5m")
    # The first export counts as well: it started inside the window.
    values = [1, 1, *MILLISECONDS]
    assert health.source == "http.server.duration"
    assert (health.request_count, health.error_count) == (len(values), 2)
    assert health.error_rate == 2 / len(values)
    for q, found in ((0.5, health.p50_latency), (0.95, health.p95_latency)):
        expected = explicit_quantile(q, values, OLD_BOUNDS, max(values)) / 1000
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_new_names(served, transport):
    """http.server.request.duration in s; errors carry error.type; a 404 is none."""
    service = f"new-{transport}"
    view = View(
        instrument_name="http.server.request.duration",
        aggregation=ExplicitBucketHistogramAggregation(NEW_BOUNDS),
    )
    delta = {Histogram: AggregationTemporality.DELTA}
    sender = exporter(served, transport, preferred_temporality=delta)
    provider, meter = meter_of(service, sender, view)
    duration = meter.create_histogram("http.server.request.duration", "s")
    values = [value / 1000 for value in MILLISECONDS]
    attributes = {"http.request.method": "GET", "http.route": "/x"}
    for index, value in enumerate(values):
        extra = {"http.response.status_code": 200}
        if index == 3:
            extra = {"http.response.status_code": 500, "error.type": "500"}
        elif index == 5:
            extra = {"http.response.status_code": 404}
        duration.record(value, attributes | extra)
    provider.force_flush()
    provider.shutdown()
    health = HttpStorage(served[0]).get_service_health(service, "1m")
    assert health.source == "http.server.request.duration"
    assert (health.request_count, health.error_count) == (len(values), 1)
    assert health.error_rate == 1 / len(values)
    for q, found in (
        (0.5, health.p50_latency),
        (0.95, health.p95_latency),
        (0.99, health.p99_latency),
    ):
        expected = explicit_quantile(q, values, NEW_BOUNDS, max(values))
        assert found == pytest.approx(expected, rel=1e-9)


def test_delta_exponential_histograms(served):
    service = "delta-exponential"
    sender = exporter(
        served,
        "http",
        preferred_temporality={Histogram: AggregationTemporality.DELTA},
        preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()},
    )
    provider, meter = meter_of(service, sender)
    duration = meter.create_histogram("http.server.request.duration", "s")
    values = sorted(1.003**number / 10 for number in range(1000))
    for half in (values[::2], values[1::2]):
        for value in half:
            duration.record(value, {"http.request.method": "GET"})
        provider.force_flush()
    provider.shutdown()
    health = HttpStorage(served[0]).get_service_health(service, "1m")
    assert (health.request_count, health.error_count) == (1000, 0)
    # 160 buckets over a factor of 20: scale 5, whose buckets are 2.2 % wide.
    for q, found in (
        (0.5, health.p50_latency),
        (0.95, health.p95_latency),
        (0.99, health.p99_latency),
    ):
        assert found == pytest.approx(values[int(q * 1000)], rel=2 ** (2**-5) - 1)
