"""Where a request ends: two lengths, pipelines, and what is not HTTP."""

import contextlib
import socket

import pytest
from helpers.served import MIB, gauge_request, status_of

INVALID_ARGUMENT, DEADLINE_EXCEEDED, UNAVAILABLE = 3, 4, 14
POST = b"POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"


def good(*more: bytes) -> bytes:
    body = gauge_request()
    headers = b"".join(header + b"\r\n" for header in (b"Content-Length: %d" % len(body), *more))
    return POST + headers + b"\r\n" + body


def answers(served, sent: bytes) -> tuple[list[tuple[int, dict[str, str], bytes]], int]:
    """Everything that is answered until the server hangs up, and how many points were stored."""
    before = served.storage.stats().accepted_points
    with socket.create_connection(served.http, timeout=10) as connection:
        received = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
            while piece := connection.recv(65536):
                received += piece
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        headers = {
            name.title(): value for name, _, value in (each.partition(": ") for each in lines)
        }
        size = int(headers["Content-Length"])
        found.append((int(line.split()[1]), headers, rest[:size]))
        received = rest[size:]
    return found, served.storage.stats().accepted_points - before


AMBIGUOUS = {
    "two lengths": b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "chunks twice": b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunks in gzip": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunks by another name": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a length with a sign": b"Content-Length: +3\r\n\r\nabc",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a chunk of no size": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two hosts": b"Host: localhost\r\nContent-Length: 0\r\n\r\n",
    "a head of 1 MB": b"X: " + bytes([97]) * 1_000_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_requests_that_could_be_read_in_two_ways_are_refused(served, name):
    """The connection is closed, so that nothing behind them is taken for a request."""
    with served.unharmed(16 * MIB):
        (answer,), stored = answers(served, POST + AMBIGUOUS[name] + good())
        assert (answer[0], answer[1]["Connection"], stored) == (400, "close", 0)
        status = status_of(answer)
        assert (status.code, status.message != "") == (INVALID_ARGUMENT, True)


def test_the_same_length_twice_is_one_length(served):
    body = gauge_request()
    same = POST + b"Content-Length: %d\r\n" % len(body) * 2 + b"Connection: close\r\n\r\n" + body
    with served.unharmed(16 * MIB):
        (answer,), stored = answers(served, same)
        assert (answer[0], stored) == (200, 1)


def test_pipelined_requests_are_answered_one_after_the_other(served):
    """That is legal (RFC 9112, 9.3.2); they wait in the socket, not in memory."""
    with served.unharmed(16 * MIB):
        found, stored = answers(
            served, b"".join(good() for _ in range(500)) + good(b"Connection: close") + good()
        )
        assert [answer[0] for answer in found] == [200] * 501
        assert stored == 501


def test_nothing_is_served_behind_a_pipelined_request_that_is_refused(served):
    both = AMBIGUOUS["a length and chunks"]
    with served.unharmed(16 * MIB):
        found, stored = answers(served, good() + POST + both + good())
        assert [answer[0] for answer in found] == [200, 400]
        assert stored == 1


def test_what_is_no_http_is_refused_and_counted(served):
    before = served.storage.receiver().refused.get("http 400", 0)
    with served.unharmed(16 * MIB):
        (answer,), _ = answers(served, b"\x16\x03\x01\x02\x00 a client of TLS\r\n\r\n")
        assert (answer[0], status_of(answer).code) == (400, INVALID_ARGUMENT)
        assert served.storage.receiver().refused["http 400"] == before + 1
