"""Connections to the HTTP port: slow ones, too many, and what is not HTTP."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import grpc
import pytest
from helpers.fake_storage import FakeStorage
from helpers.raw_http import http, post
from helpers.requests import GAUGE_JSON, gauge_request

from urpo_store.receiver import Limits, Server


def test_a_chunked_json_body_as_the_javascript_sdk_sends_it() -> None:
    storage = FakeStorage()
    body = json.dumps(GAUGE_JSON).encode()
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(body[at : at + 50]), body[at : at + 50])
        for at in range(0, len(body), 50)
    )
    with Server(storage, grpc_port=None, http_port=0) as server:
        answer = http(
            server.http_port or 0,
            post(
                chunks + b"0\r\n\r\n",
                "Transfer-Encoding: chunked",
                "Content-Type: application/json",
            ),
        )
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n{}")
    assert storage.metric_names == ["queue.depth"]


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 3", "Content-Length: 4"),
        ("Content-Length: 3", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, gzip",),
        ("Content-Length: +3",),
    ],
)
def test_ambiguous_lengths_are_refused(headers: tuple[str, ...]) -> None:
    """Two readers could take them for different requests (smuggling)."""
    storage = FakeStorage()
    kind = "Content-Type: application/x-protobuf"
    with Server(storage, grpc_port=None, http_port=0) as server:
        answer = http(server.http_port or 0, post(b"0\r\n\r\n", kind, *headers))
        status = int(answer.split()[1])
    assert status in (400, 501) and not storage.requests


METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
FAST = Limits(header_seconds=0.2, body_seconds=0.2, answer_seconds=0.2, request_bytes=100_000)


@pytest.fixture(scope="module")
def impatient() -> Iterator[tuple[FakeStorage, int]]:
    storage = FakeStorage()
    with Server(storage, grpc_port=None, http_port=0, limits=FAST) as server:
        yield storage, server.http_port or 0


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"POST /v1/met",
        b"POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nX-A: ",
        b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\nGET /-/heal",
    ],
)
def test_slow_heads_are_cut_off(impatient: tuple[FakeStorage, int], start: bytes) -> None:
    """A drop of the head now and then keeps nothing open."""
    with socket.create_connection(("127.0.0.1", impatient[1]), timeout=10) as connection:
        connection.sendall(start)
        connection.settimeout(0.05)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                if start:
                    connection.sendall(b"x")
                if connection.recv(65536) == b"":
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
    pytest.fail("the connection was not closed")


def test_slow_bodies_are_408(impatient: tuple[FakeStorage, int]) -> None:
    kind = "Content-Type: application/x-protobuf"
    answer = http(impatient[1], post(b"half", kind, "Content-Length: 1000"))
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_is_refused_early_does_not_hold_the_connection(
    impatient: tuple[FakeStorage, int],
) -> None:
    head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", impatient[1]), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 404 ")
        connection.settimeout(0.05)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                connection.sendall(b"x")
                if connection.recv(65536) == b"":
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
    pytest.fail("the connection was not closed")


def test_a_client_that_does_not_read_is_cut_off(impatient: tuple[FakeStorage, int]) -> None:
    storage, port = impatient
    storage.answers["services"] = ["x" * 1000] * 20_000
    request = b"GET /api/urpo/v1/services HTTP/1.1\r\nHost: localhost\r\n\r\n"
    try:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(10)
            connection.connect(("127.0.0.1", port))
            connection.sendall(request)
            connection.recv(1)
            # The server gives up although we never close; then the rest breaks off.
            time.sleep(0.5)
            received = 1
            with pytest.raises(ConnectionError):
                while piece := connection.recv(1 << 20):
                    received += len(piece)
                raise ConnectionError("closed")
            assert received < 20_000_000
    finally:
        del storage.answers["services"]


def test_too_large_a_body_is_answered_while_it_is_sent(impatient: tuple[FakeStorage, int]) -> None:
    kind = "Content-Type: application/x-protobuf"
    answer = http(impatient[1], post(bytes(200_000), kind, "Content-Length: 200000"))
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_too_large_a_body_is_answered_before_it_is_sent(
    impatient: tuple[FakeStorage, int],
) -> None:
    kind = "Content-Type: application/x-protobuf"
    answer = http(impatient[1], post(b"", kind, "Content-Length: 200000"))
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_more_connections_than_allowed_are_told_to_come_back() -> None:
    limits = Limits(connections=3)
    with Server(FakeStorage(), grpc_port=None, http_port=0, limits=limits) as server:
        port = server.http_port or 0
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            kind = "Content-Type: application/x-protobuf"
            request = post(gauge_request(), kind, f"Content-Length: {len(gauge_request())}")
            answer = http(port, request)
            assert answer.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1\r\n" in answer.lower()
            for _ in range(3):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            assert http(port, b"") == b"", "far beyond the limit a connection is closed unheard"
        while not http(port, request).startswith(b"HTTP/1.1 200 "):
            time.sleep(0.01)


def test_a_grpc_client_on_the_http_port_is_noticed() -> None:
    with Server(FakeStorage(), grpc_port=None, http_port=0) as server:
        with grpc.insecure_channel(server.http_address) as channel, pytest.raises(grpc.RpcError):
            channel.unary_unary(METRICS)(gauge_request(), timeout=5)
        assert server.status().refused["http HTTP/2"] >= 1
        assert "gRPC has a port of its own" in server.status().last_refusal
