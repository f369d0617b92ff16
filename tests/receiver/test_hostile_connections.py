"""Hostile connections, over real sockets, to a server in a process of its own.

Too many, or too slow. Each is answered or ended, and costs a bounded amount of memory; the next good
request works within a second.
"""

import contextlib
import http.client
import select
import socket
import time

import grpc
import pytest
from google.rpc.status_pb2 import Status
from helpers.http2 import (
    AGREED,
    DATA,
    END_HEADERS,
    EXPORT_HEADERS,
    GOAWAY,
    HEADERS,
    HELLO,
    RST_STREAM,
    SETTINGS,
    SETTINGS_TIMEOUT,
    HalfCall,
    export,
    frame,
    frames,
)
from helpers.served import EXPORT, MIB, PROTOBUF, Served, gauge_request, serving, status_of

INVALID_ARGUMENT, DEADLINE_EXCEEDED, UNAVAILABLE = 3, 4, 14


# --- too many ------------------------------------------------------------------------------------


@contextlib.contextmanager
def crowd(address, count):
    """So many connections that say nothing."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(address, 10)) for _ in range(count)]


def test_1000_connections_over_http(served):
    """Those up to the limit are served; the others are told to come back, and then can."""
    inside = http.client.HTTPConnection(*served.http, timeout=10)
    inside.connect()
    with served.unharmed(64 * MIB):
        with crowd(served.http, 1000):
            answer = served.post(gauge_request())
            assert (answer[0], answer[1]["Retry-After"]) == (503, "1")
            status = status_of(answer)
            assert (status.code, "connections" in status.message) == (UNAVAILABLE, True)
            for _ in range(3):
                inside.request("POST", "/v1/metrics", gauge_request(), PROTOBUF)
                answer = inside.getresponse()
                assert (answer.status, answer.read()) == (200, b"")
        inside.close()
        deadline = time.monotonic() + 10
        while served.post(gauge_request())[0] == 503:
            assert time.monotonic() < deadline, "connections that are gone are still counted"


def test_1000_connections_over_grpc(served):
    """Those up to the limit are greeted and served; the others are closed."""
    with served.unharmed(64 * MIB), served.channel() as inside:
        export = inside.unary_unary(EXPORT)
        assert export(gauge_request(), timeout=10) == b""
        with crowd(served.grpc, 1000) as clients:
            greeted = 0
            for client in clients:
                with contextlib.suppress(ConnectionError):
                    greeted += client.recv(100) != b""
            assert 500 <= greeted < 512
            assert export(gauge_request(), timeout=10) == b""
            code, _ = served.call(gauge_request(), fresh=True)
            assert code is grpc.StatusCode.UNAVAILABLE
        deadline = time.monotonic() + 10
        while served.call(gauge_request(), fresh=True)[0] is grpc.StatusCode.UNAVAILABLE:
            assert time.monotonic() < deadline, "connections that are gone are still counted"


# --- too slow ------------------------------------------------------------------------------------

PROGRAM = """
import threading, urpo_store
from urpo_store.receiver import Limits, Server
limits = Limits({})
with urpo_store.open() as store, Server(store, grpc_port=0, http_port=0, limits=limits) as server:
    print(server.grpc_address, "(gRPC) and", server.http_address, "(HTTP)", flush=True)
    threading.Event().wait()
"""


@pytest.fixture(scope="module")
def impatient():
    """A server like that of `serve`, with limits that a test can wait for."""
    limits = "header_seconds=0.5, body_seconds=0.5, answer_seconds=0.5"
    with serving(program=("-c", PROGRAM.format(limits))) as (process, url, grpc_port):
        yield Served(process, url, grpc_port)


def outlast(address, begin, drop, done=lambda received: False, count=100):
    """What each of `count` clients gets, until it is hung up on, that goes on `drop` by `drop`."""
    with crowd(address, count) as clients:
        received = dict.fromkeys(clients, b"")
        for client in clients:
            client.sendall(begin)
        waiting = set(clients)
        deadline = time.monotonic() + 10
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} of {count} are still there"
            for client in select.select(waiting, [], [], 0.05)[0]:
                try:
                    piece = client.recv(65536)
                except ConnectionError:
                    piece = b""
                received[client] += piece
                if not piece or done(received[client]):
                    waiting.remove(client)
            for client in waiting:
                with contextlib.suppress(ConnectionError):
                    client.sendall(drop)
        return list(received.values())


POST = b"POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
SLOW_HEADS = {
    "silence": (b"", b""),
    "a request line": (b"POST", b"x"),
    "headers": (POST + b"X-A: ", b"a"),
    "a second head": (b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\nGET /", b"x"),
}


@pytest.mark.parametrize("name", SLOW_HEADS)
def test_heads_that_never_end_are_hung_up_on(impatient, name):
    with impatient.unharmed(32 * MIB):
        for received in outlast(impatient.http, *SLOW_HEADS[name]):
            assert received.count(b"HTTP/1.1 ") == ("second" in name)


SLOW_BODIES = {
    "that stops": (POST + b"Content-Length: 1000\r\n\r\nhalf", b""),
    "that trickles": (POST + b"Content-Length: 1000\r\n\r\nhalf", b"a"),
    "of small chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
}


@pytest.mark.parametrize("name", SLOW_BODIES)
def test_bodies_that_never_end_are_408(impatient, name):
    with impatient.unharmed(32 * MIB):
        for received in outlast(impatient.http, *SLOW_BODIES[name]):
            head, _, body = received.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408 ") and b"connection: close" in head.lower()
            assert Status.FromString(body).code == DEADLINE_EXCEEDED


SLOW_CALLS = {
    "no message": (AGREED + frame(HEADERS, END_HEADERS, 1, EXPORT_HEADERS), b""),
    "half a message": (AGREED + export(message=b"\0\0\0\0\x10half", flags=0), b""),
    "a message that trickles": (
        AGREED + export(message=b"\0\0\0\x10\0", flags=0),
        frame(DATA, 0, 1, b"a"),
    ),
    # The window of the client is 0: there is no room for the answer.
    "an answer that is not taken": (
        AGREED + frame(SETTINGS, payload=b"\0\4\0\0\0\0") + export(),
        b"",
    ),
}


@pytest.mark.parametrize("name", SLOW_CALLS)
def test_calls_that_never_end_are_cancelled(impatient, name):
    """More of them than there are threads that store; others are served meanwhile."""

    def reset(received: bytes) -> bool:
        return any(found.kind == RST_STREAM for found in frames(received))

    with impatient.unharmed(32 * MIB):
        for received in outlast(impatient.grpc, *SLOW_CALLS[name], done=reset):
            assert reset(received)
            assert not any(found.kind == DATA for found in frames(received))


def test_slow_calls_hold_nothing_up(served):
    """They wait for a minute, and no thread that others need waits with them."""
    begin = AGREED + b"".join(
        frame(HEADERS, END_HEADERS, stream, EXPORT_HEADERS) for stream in range(1, 201, 2)
    )
    with served.unharmed(32 * MIB), crowd(served.grpc, 3) as clients:
        for client in clients:
            client.sendall(begin)
        served.works()


def test_slow_requests_hold_nothing_up(served):
    with served.unharmed(32 * MIB), crowd(served.http, 200) as clients:
        for index, client in enumerate(clients):
            client.sendall(POST if index % 2 else POST + b"Content-Length: 1000\r\n\r\nhalf")
        served.works()


@pytest.mark.parametrize("begin", [b"", HELLO], ids=["silent", "without agreement"])
def test_clients_of_grpc_that_do_not_shake_hands_are_hung_up_on(impatient, begin):
    with impatient.unharmed(32 * MIB):
        for received in outlast(impatient.grpc, begin, b""):
            last = frames(received)[-1]
            assert last.kind == GOAWAY
            assert not begin or last.error == SETTINGS_TIMEOUT


# --- too large, together -------------------------------------------------------------------------

BODY, ROOM = 8 * MIB, 4  # bodies of this size, and so many of them at a time


@pytest.fixture(scope="module")
def cramped():
    limits = f"request_bytes={BODY}, bodies_bytes={ROOM * BODY}, slow_messages={ROOM}"
    with serving(program=("-c", PROGRAM.format(limits))) as (process, url, grpc_port):
        yield Served(process, url, grpc_port)


def test_bodies_that_stop_before_their_end_share_a_budget(cramped):
    """The largest go when it is full; those that stay keep no others out, but one more has to go."""
    sent = POST + b"Content-Length: %d\r\n\r\n" % BODY + bytes(BODY - 1)
    count, refused = 100, cramped.storage.receiver().refused.get("http 503", 0)
    with cramped.unharmed(3 * ROOM * BODY), crowd(cramped.http, count) as clients:
        unsent = {client: memoryview(sent) for client in clients}
        received = dict.fromkeys(clients, b"")
        waiting = set(clients)
        deadline = time.monotonic() + 20

        def go_on() -> None:
            assert time.monotonic() < deadline, f"{len(waiting)} of {count} are still there"
            writing = [client for client in waiting if unsent[client]]
            readable, writable, _ = select.select(waiting, writing, [], 0.05)
            for client in writable:
                client.setblocking(False)
                with contextlib.suppress(ConnectionError, BlockingIOError):
                    unsent[client] = unsent[client][client.send(unsent[client]) :]
            for client in readable:
                piece = b""
                with contextlib.suppress(ConnectionError):
                    piece = client.recv(65536)
                received[client] += piece
                if not piece:
                    waiting.remove(client)

        while len(waiting) > ROOM or any(unsent[client] for client in waiting):
            go_on()
        while len(waiting) == ROOM:
            cramped.works()  # until the room is full, when the rest has come to the server
            go_on()
        assert len(waiting) == ROOM - 1 and not any(received[client] for client in waiting)
        for client in set(clients) - waiting:
            head, _, body = received[client].partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert {b"retry-after: 1", b"connection: close"} <= set(head.lower().split(b"\r\n"))
            status = Status.FromString(body)
            assert (status.code, "bytes" in status.message) == (UNAVAILABLE, True)
        assert cramped.storage.receiver().refused["http 503"] == refused + count - len(waiting)


LINE = 64 * MIB  # bytes a second: how fast it is decides what comes before a call counts as slow


def test_messages_that_stop_before_their_end_are_few(cramped):
    """gRPC gives no answer to a call whose message is under way: those beyond the room are cancelled."""
    count, refused = 100, cramped.storage.receiver().refused.get("grpc CANCELLED", 0)
    with cramped.unharmed(3 * ROOM * BODY), crowd(cramped.grpc, count) as clients:
        calls = {client: HalfCall(client, BODY - 1) for client in clients}
        began, sent = time.monotonic(), 0
        while len(calls) > ROOM or any(call.left for call in calls.values()):
            elapsed = time.monotonic() - began
            assert elapsed < 20, f"{len(calls)} of {count} are still there"
            ahead = sent / LINE - elapsed
            writing = [] if ahead > 0 else calls
            readable, writable, _ = select.select(calls, writing, [], max(0.001, ahead))
            for client in {*readable, *writable}:
                sent += calls[client].go_on(client in writable)
            calls = {client: call for client, call in calls.items() if not call.over}
        cramped.works()
        assert len(calls) == ROOM
        counted = cramped.storage.receiver().refused
        assert counted["grpc CANCELLED"] == refused + count - ROOM
        assert "grpc INVALID_ARGUMENT" not in counted, "as if they had no message"
