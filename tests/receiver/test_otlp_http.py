"""OTLP over HTTP, request by request, without sockets."""

import gzip
import json
import logging
import zlib
from collections.abc import Iterator

import pytest
from google.rpc.status_pb2 import Status
from helpers.fake_storage import FakeStorage
from helpers.requests import GAUGE_JSON, gauge_request
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from starlette.testclient import TestClient

from urpo_store.errors import ConfigError, DecodeError, StoreClosedError
from urpo_store.model import IngestResult
from urpo_store.receiver import Arrivals, Limits, asgi_app

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


@pytest.fixture
def client(storage: FakeStorage) -> TestClient:
    return client_of(storage)


def client_of(storage: FakeStorage, **options: object) -> TestClient:
    app = asgi_app(storage, **options)
    return TestClient(app, base_url="http://127.0.0.1:4318", raise_server_exceptions=True)


def test_protobuf_full_success_is_an_empty_body(client: TestClient, storage: FakeStorage) -> None:
    answer = client.post("/v1/metrics", content=gauge_request(), headers=PROTOBUF)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert storage.requests == [gauge_request()]


def test_json_full_success_is_an_empty_object(client: TestClient, storage: FakeStorage) -> None:
    answer = client.post("/v1/metrics", json=GAUGE_JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"] == "application/json"
    assert storage.metric_names == ["queue.depth"]


def test_an_empty_request_succeeds(client: TestClient, storage: FakeStorage) -> None:
    assert client.post("/v1/metrics", content=b"", headers=PROTOBUF).status_code == 200
    assert client.post("/v1/metrics", json={}).status_code == 200
    assert storage.requests == [b"", b""]
    assert client.post("/v1/metrics", content=b"", headers=JSON).status_code == 400


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON ;x=y"])
def test_the_media_type_is_parsed(client: TestClient, kind: str) -> None:
    body = json.dumps(GAUGE_JSON)
    answer = client.post("/v1/metrics", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_partial_success(client: TestClient, storage: FakeStorage) -> None:
    storage.answers["ingest"] = IngestResult(1, 2, "2 points have no value.")
    answer = client.post("/v1/metrics", content=gauge_request(), headers=PROTOBUF)
    assert answer.status_code == 200
    parsed = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert (parsed.rejected_data_points, parsed.error_message) == (2, "2 points have no value.")
    answer = client.post("/v1/metrics", json=GAUGE_JSON)
    assert answer.json()["partialSuccess"]["rejectedDataPoints"] == "2"


def chunks(body: bytes, size: int = 7) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("headers", [PROTOBUF, JSON])
def test_chunked_bodies(client: TestClient, storage: FakeStorage, headers: dict[str, str]) -> None:
    body = gauge_request() if headers is PROTOBUF else json.dumps(GAUGE_JSON).encode()
    answer = client.post("/v1/metrics", content=chunks(body), headers=headers)
    assert answer.status_code == 200 and storage.metric_names == ["queue.depth"]


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
    ],
)
def test_compressed_bodies(
    client: TestClient, storage: FakeStorage, encoding: str, compress: object
) -> None:
    body = compress(gauge_request())
    headers = {**PROTOBUF, "content-encoding": encoding}
    answer = client.post("/v1/metrics", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert storage.requests == [gauge_request()]


GZIPPED = gzip.compress(gauge_request())


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gauge_request()),
        ("gzip", GZIPPED[:-1]),
        ("gzip", GZIPPED[:12]),
        ("gzip", GZIPPED + b"garbage"),
        ("gzip", GZIPPED + b"\x00"),
        ("gzip", b""),
        ("deflate", zlib.compress(gauge_request()) + b"x"),
        ("deflate", zlib.compress(gauge_request())[:-2]),
        ("deflate", b"\xff\xff\xff"),
    ],
)
def test_broken_compression_is_400(
    client: TestClient, storage: FakeStorage, encoding: str, body: bytes
) -> None:
    headers = {**PROTOBUF, "content-encoding": encoding}
    answer = client.post("/v1/metrics", content=body, headers=headers)
    assert answer.status_code == 400
    assert Status.FromString(answer.content).code == 3 and not storage.requests


def test_unknown_encodings_and_types_are_415(client: TestClient, storage: FakeStorage) -> None:
    for encoding in ("zstd", "gzip, gzip", "snappy"):
        headers = {**PROTOBUF, "content-encoding": encoding}
        answer = client.post("/v1/metrics", content=b"x", headers=headers)
        assert answer.status_code == 415
        assert encoding in Status.FromString(answer.content).message
    for kind in ("text/plain", "", "application/grpc"):
        answer = client.post("/v1/metrics", content=b"x", headers={"content-type": kind})
        assert answer.status_code == 415 and "application/x-protobuf" in answer.json()["message"]
    assert not storage.requests


def test_get_is_405_with_allow(client: TestClient) -> None:
    answer = client.get("/v1/metrics")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"
    assert "GET" in answer.json()["message"]


def test_unknown_paths_are_404(client: TestClient) -> None:
    answer = client.post("/v1/profiles", content=b"", headers=PROTOBUF)
    assert answer.status_code == 404 and Status.FromString(answer.content).code == 5


LIMIT = Limits(request_bytes=10_000)


def test_too_large_is_413_before_decompression(storage: FakeStorage) -> None:
    client = client_of(storage, limits=LIMIT)
    body = gauge_request(filler=10_000)
    answer = client.post("/v1/metrics", content=body, headers=PROTOBUF)
    assert answer.status_code == 413 and Status.FromString(answer.content).code == 8
    answer = client.post("/v1/metrics", content=chunks(body, 1000), headers=PROTOBUF)
    assert answer.status_code == 413 and not storage.requests


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip), ("deflate", zlib)])
def test_too_large_is_413_after_decompression(
    storage: FakeStorage, encoding: str, compress: object
) -> None:
    client = client_of(storage, limits=LIMIT)
    headers = {**PROTOBUF, "content-encoding": encoding}
    small = compress.compress(gauge_request(filler=9_000))
    assert client.post("/v1/metrics", content=small, headers=headers).status_code == 200
    bomb = compress.compress(bytes(5_000_000))
    assert len(bomb) < LIMIT.request_bytes
    answer = client.post("/v1/metrics", content=bomb, headers=headers)
    assert (
        answer.status_code == 413 and "decompression" in Status.FromString(answer.content).message
    )
    assert len(storage.requests) == 1


def test_undecodable_requests_are_400_in_the_senders_form(client: TestClient) -> None:
    answer = client.post("/v1/metrics", content=b"\xff\xff", headers=PROTOBUF)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert Status.FromString(answer.content).message == "the bytes are not OTLP"
    answer = client.post("/v1/metrics", content=b'{"resourceMetrics":[1]}', headers=JSON)
    assert answer.status_code == 400
    assert answer.json() == {"code": 3, "message": "resourceMetrics[0]: 1 is not an object."}


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (DecodeError("bad"), 400, False),
        (StoreClosedError("closed"), 503, True),
        (MemoryError(), 503, True),
        (ConfigError("odd"), 500, False),
        (ZeroDivisionError("secret"), 500, False),
    ],
)
def test_errors_of_the_storage(
    client: TestClient,
    storage: FakeStorage,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    retry: bool,
) -> None:
    storage.errors["ingest"] = error
    with caplog.at_level(logging.CRITICAL):
        answer = client.post("/v1/metrics", content=gauge_request(), headers=PROTOBUF)
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) == retry
    parsed = Status.FromString(answer.content)
    assert parsed.message and "secret" not in parsed.message
    assert len(parsed.details) == int(retry)


def test_small_bodies_are_stored_inline_and_large_ones_in_a_thread(storage: FakeStorage) -> None:
    with client_of(storage) as client:
        client.post("/v1/metrics", content=gauge_request(), headers=PROTOBUF)
        (inline,) = storage.threads
        storage.threads.clear()
        body = gauge_request(filler=400_000)
        client.post("/v1/metrics", content=body, headers=PROTOBUF)
        client.post("/v1/metrics", json=GAUGE_JSON)
        noise = gzip.compress(gauge_request(filler=50_000), 0)
        client.post("/v1/metrics", content=noise, headers={**PROTOBUF, "content-encoding": "gzip"})
        assert len(storage.requests) == 4 and inline not in storage.threads


def test_other_signals_are_accepted_and_dropped(storage: FakeStorage) -> None:
    arrivals = Arrivals()
    client = client_of(storage, other_signals=True, arrivals=arrivals)
    for signal in ("traces", "logs"):
        answer = client.post(f"/v1/{signal}", content=b"anything", headers=PROTOBUF)
        assert (answer.status_code, answer.content) == (200, b"")
        answer = client.post(f"/v1/{signal}", json={})
        assert (answer.status_code, answer.json()) == (200, {})
    assert arrivals.status().requests == {"http traces": 2, "http logs": 2}
    assert not storage.requests


def test_other_signals_are_left_to_the_host_app_by_default(client: TestClient) -> None:
    assert client.post("/v1/traces", content=b"", headers=PROTOBUF).status_code == 404


def test_arrivals_count_what_came_and_what_was_refused(storage: FakeStorage) -> None:
    arrivals = Arrivals()
    client = client_of(storage, arrivals=arrivals)
    assert arrivals.status().last_arrival is None
    client.post("/v1/metrics", content=gauge_request(), headers=PROTOBUF)
    client.post("/v1/metrics", content=b"\xff", headers=PROTOBUF)
    status = arrivals.status()
    assert status.requests == {"http metrics": 1} and status.refused == {"http 400": 1}
    assert status.last_arrival is not None and status.last_arrival >= status.started
    assert status.last_refusal == "the bytes are not OTLP"
