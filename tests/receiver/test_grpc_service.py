"""The OTLP services over gRPC, spoken to in raw bytes over a real socket."""

import gzip
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from helpers.fake_storage import FakeStorage
from helpers.requests import gauge_request
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from urpo_store.errors import ConfigError, DecodeError, StoreClosedError
from urpo_store.model import IngestResult
from urpo_store.receiver import Arrivals, Limits, Server, add_metrics_service

METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[FakeStorage, Server, grpc.Channel]]:
    storage = FakeStorage()
    limits = Limits(request_bytes=100_000)
    with (
        Server(storage, grpc_port=0, http_port=None, limits=limits) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        yield storage, server, channel


@pytest.fixture
def storage(running: tuple[FakeStorage, Server, grpc.Channel]) -> FakeStorage:
    running[0].__init__()
    return running[0]


@pytest.fixture
def channel(running: tuple[FakeStorage, Server, grpc.Channel]) -> grpc.Channel:
    return running[2]


def export(
    channel: grpc.Channel, request: bytes, method: str = METRICS, **options: object
) -> bytes:
    answer: bytes = channel.unary_unary(method)(request, timeout=10, **options)
    return answer


def refusal(channel: grpc.Channel, request: bytes, **options: object) -> grpc.Call:
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, request, **options)
    return caught.value


def test_bytes_reach_the_storage_as_they_came(channel: grpc.Channel, storage: FakeStorage) -> None:
    assert export(channel, gauge_request()) == b"", "full success is the empty message"
    assert storage.requests == [gauge_request()]
    assert export(channel, b"") == b""


def test_gzip(channel: grpc.Channel, storage: FakeStorage) -> None:
    export(channel, gauge_request(filler=5000), compression=grpc.Compression.Gzip)
    assert storage.requests == [gauge_request(filler=5000)]


def test_partial_success(channel: grpc.Channel, storage: FakeStorage) -> None:
    storage.answers["ingest"] = IngestResult(0, 1, "no value")
    answer = ExportMetricsServiceResponse.FromString(export(channel, gauge_request()))
    assert answer.partial_success.rejected_data_points == 1
    assert answer.partial_success.error_message == "no value"


def test_undecodable_bytes_are_an_invalid_argument(
    channel: grpc.Channel, storage: FakeStorage
) -> None:
    """grpcio itself would say INTERNAL, had it been given a deserializer."""
    error = refusal(channel, b"\xff\xff")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "the bytes are not OTLP"


@pytest.mark.parametrize(
    ("error", "code", "retry"),
    [
        (DecodeError("bad"), grpc.StatusCode.INVALID_ARGUMENT, False),
        (StoreClosedError("closed"), grpc.StatusCode.UNAVAILABLE, True),
        (MemoryError(), grpc.StatusCode.UNAVAILABLE, True),
        (ConfigError("odd"), grpc.StatusCode.INTERNAL, False),
        (ZeroDivisionError("secret"), grpc.StatusCode.INTERNAL, False),
    ],
)
def test_errors_of_the_storage(
    channel: grpc.Channel,
    storage: FakeStorage,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: grpc.StatusCode,
    retry: bool,
) -> None:
    storage.errors["ingest"] = error
    with caplog.at_level(logging.CRITICAL):
        caught = refusal(channel, gauge_request())
    assert caught.code() is code and "secret" not in (caught.details() or "")
    trailers = dict(caught.trailing_metadata())
    status = Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == code.value[0] and status.message == caught.details()
    assert len(status.details) == int(retry)
    if retry:  # where the Python exporter looks for it
        info = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
        assert info.retry_delay.seconds == 1
    else:
        assert "google.rpc.retryinfo-bin" not in trailers


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_too_large_is_resource_exhausted_for_good(
    running: tuple[FakeStorage, Server, grpc.Channel],
    channel: grpc.Channel,
    storage: FakeStorage,
    compression: grpc.Compression,
) -> None:
    request = gauge_request(filler=100_000)
    assert len(gzip.compress(request)) < 100_000
    error = refusal(channel, request, compression=compression)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and not storage.requests
    assert "google.rpc.retryinfo-bin" not in dict(error.trailing_metadata())
    # gRPC refuses it while it arrives; it is never whole in memory, where we would refuse it.
    assert "grpc RESOURCE_EXHAUSTED" not in running[1].status().refused


def test_other_signals_are_accepted_and_dropped(
    running: tuple[FakeStorage, Server, grpc.Channel], channel: grpc.Channel, storage: FakeStorage
) -> None:
    before = running[1].status().requests
    assert export(channel, b"anything", TRACES) == b"" and export(channel, b"", LOGS) == b""
    after = running[1].status().requests
    assert after["grpc traces"] == before.get("grpc traces", 0) + 1
    assert after["grpc logs"] == before.get("grpc logs", 0) + 1
    assert not storage.requests


def own_server(storage: FakeStorage, **options: object) -> tuple[grpc.Server, int]:
    server = grpc.server(ThreadPoolExecutor(3), options=[("grpc.max_receive_message_length", -1)])
    add_metrics_service(server, storage, **options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def test_messages_that_have_no_room_beside_those_being_stored_are_unavailable() -> None:
    storage, entered, finish = FakeStorage(), threading.Semaphore(0), threading.Event()

    def hold(name: str) -> None:
        entered.release()
        assert finish.wait(10)

    storage.before = hold
    limits = Limits(request_bytes=100_000, bodies_bytes=1)  # room for two of the largest
    arrivals = Arrivals()
    server, port = own_server(storage, limits=limits, arrivals=arrivals)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, ThreadPoolExecutor(2) as pool:
        held = [pool.submit(export, channel, gauge_request(filler=90_000)) for _ in range(2)]
        for _ in held:
            assert entered.acquire(timeout=10)
        error = refusal(channel, gauge_request(filler=30_000))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "google.rpc.retryinfo-bin" in dict(error.trailing_metadata() or ())
        assert arrivals.status().refused == {"grpc UNAVAILABLE": 1}
        finish.set()
        assert [each.result(10) for each in held] == [b"", b""]
        assert export(channel, gauge_request(filler=90_000)) == b""
    server.stop(None).wait()


def test_on_anyones_server() -> None:
    storage = FakeStorage()
    arrivals = Arrivals()
    server, port = own_server(storage, limits=Limits(request_bytes=1000), arrivals=arrivals)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert export(channel, gauge_request()) == b""
        # The services of traces and logs are the host's.
        error = refusal(channel, b"", method=TRACES)
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        # Our limit holds where the server has none.
        error = refusal(channel, gauge_request(filler=1000))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "Send smaller batches" in (error.details() or "")
    server.stop(None).wait()
    assert arrivals.status().requests == {"grpc metrics": 1}
    assert arrivals.status().refused == {"grpc RESOURCE_EXHAUSTED": 1}


def test_the_token() -> None:
    """SEMANTICS, HTTP API: "The bearer token guards everything"."""
    storage = FakeStorage()
    server, port = own_server(storage, token="geheim", other_signals=True)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for metadata in ([], [("authorization", "Bearer wrong")], [("authorization", "geheim")]):
            for method in (METRICS, TRACES, LOGS):
                error = refusal(channel, gauge_request(), method=method, metadata=metadata)
                assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert not storage.requests
        metadata = [("authorization", "Bearer geheim")]
        assert export(channel, gauge_request(), metadata=metadata) == b""
    server.stop(None).wait()
    assert len(storage.requests) == 1
