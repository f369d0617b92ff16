"""The exporters of the OpenTelemetry SDK for Python against our receivers, over real sockets."""

import logging
from collections.abc import Iterator

import pytest
from helpers.fake_storage import FakeStorage
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common._internal.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExporter, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from urpo_store.model import IngestResult
from urpo_store.receiver import Server

try:
    from grpc import Compression as GrpcCompression
except ImportError:  # pragma: no cover
    pytest.skip("needs grpcio", allow_module_level=True)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[FakeStorage, Server]]:
    storage = FakeStorage()
    with Server(storage, grpc_port=0, http_port=0) as server:
        yield storage, server


@pytest.fixture
def storage(running: tuple[FakeStorage, Server]) -> FakeStorage:
    running[0].__init__()
    return running[0]


@pytest.fixture
def server(running: tuple[FakeStorage, Server]) -> Server:
    return running[1]


@pytest.fixture(scope="module")
def collected() -> MetricsData:
    """What an application has to say: every kind of instrument."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], Resource.create({"service.name": "shop"}))
    meter = provider.get_meter("test", "1.0")
    meter.create_counter("orders").add(3, {"ok": True, "code": 200, "text": "200"})
    meter.create_up_down_counter("carts").add(-1)
    meter.create_gauge("load").set(0.5)
    meter.create_histogram("latency", "s").record(0.25, {"http.route": "/pay"})
    data = reader.get_metrics_data()
    provider.shutdown()
    assert data is not None
    return data


def metric_exporters(server: Server) -> dict[str, MetricExporter]:
    endpoint = f"{server.url}/v1/metrics"
    return {
        "http": HttpMetrics(endpoint),
        "http gzip": HttpMetrics(endpoint, compression=Compression.Gzip),
        "http deflate": HttpMetrics(endpoint, compression=Compression.Deflate),
        "grpc": GrpcMetrics(server.grpc_address, insecure=True),
        "grpc gzip": GrpcMetrics(
            server.grpc_address, insecure=True, compression=GrpcCompression.Gzip
        ),
    }


@pytest.mark.parametrize("which", ["http", "http gzip", "http deflate", "grpc", "grpc gzip"])
def test_metrics_arrive_byte_for_byte(
    server: Server,
    storage: FakeStorage,
    collected: MetricsData,
    caplog: pytest.LogCaptureFixture,
    which: str,
) -> None:
    exporter = metric_exporters(server)[which]
    assert exporter.export(collected).name == "SUCCESS"
    exporter.shutdown()
    assert storage.messages == [encode_metrics(collected)]
    assert not caplog.records


@pytest.mark.parametrize("which", ["http", "grpc"])
def test_partial_success_is_no_error_to_the_sdk(
    server: Server,
    storage: FakeStorage,
    collected: MetricsData,
    caplog: pytest.LogCaptureFixture,
    which: str,
) -> None:
    storage.answers["ingest"] = IngestResult(3, 1, "1 point: no value")
    exporter = metric_exporters(server)[which]
    assert exporter.export(collected).name == "SUCCESS"
    exporter.shutdown()
    assert not caplog.records


def span_exporters(server: Server) -> dict[str, SpanExporter]:
    return {
        "http": HttpSpans(f"{server.url}/v1/traces"),
        "http gzip": HttpSpans(f"{server.url}/v1/traces", compression=Compression.Gzip),
        "grpc": GrpcSpans(server.grpc_address, insecure=True),
    }


@pytest.mark.parametrize("which", ["http", "http gzip", "grpc"])
def test_traces_cause_no_error_in_the_sdks_log(
    server: Server, storage: FakeStorage, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    before = server.status().requests
    transport = which.split()[0]
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(span_exporters(server)[which]))
    with caplog.at_level(logging.INFO):
        with provider.get_tracer("test").start_as_current_span("work"):
            assert trace.get_current_span().is_recording()
        provider.shutdown()
    assert not caplog.records
    name = f"{transport} traces"
    assert server.status().requests[name] == before.get(name, 0) + 1
    assert not storage.requests


@pytest.mark.parametrize("which", ["http", "grpc"])
def test_logs_cause_no_error_in_the_sdks_log(
    server: Server, storage: FakeStorage, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    before = server.status().requests
    exporter = (
        HttpLogs(f"{server.url}/v1/logs")
        if which == "http"
        else GrpcLogs(server.grpc_address, insecure=True)
    )
    with caplog.at_level(logging.INFO):
        assert exporter.export([]).name == "SUCCESS"
        exporter.shutdown()
    assert not caplog.records
    name = f"{which} logs"
    assert server.status().requests[name] == before.get(name, 0) + 1


@pytest.mark.parametrize("which", ["http", "grpc"])
def test_a_token_in_the_sdks_headers(collected: MetricsData, which: str) -> None:
    storage = FakeStorage()
    with Server(storage, grpc_port=0, http_port=0, token="geheim") as server:
        headers = {"authorization": "Bearer geheim"}
        exporter: MetricExporter
        if which == "http":
            exporter = HttpMetrics(f"{server.url}/v1/metrics", headers=headers)
        else:
            exporter = GrpcMetrics(server.grpc_address, insecure=True, headers=headers)
        assert exporter.export(collected).name == "SUCCESS"
        exporter.shutdown()
    assert len(storage.requests) == 1
