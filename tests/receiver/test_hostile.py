"""Hostile requests over real sockets, against a `serve` in a process of its own.

Each gets the status that it deserves, costs a bounded amount of memory (the peak of the process, as
Linux counts it), stores nothing that is wrong, and the next good request works within a second.
"""

import contextlib
import gzip
import http.client
import itertools
import os
import socket
import struct
import time
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from helpers.otlp import varint
from test_cli import serving

from urpo_store.client import HttpStorage

MIB = 1 << 20
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
NOW = time.time_ns()
TIME = b"\x19" + struct.pack("<Q", NOW)
VALUE = b"\x21" + bytes(8)
NANOSECONDS = itertools.count()


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def request(point: bytes, name: bytes = b"hostile", data: int = 5, copies: int = 1) -> bytes:
    """A request of one metric; 5: gauge, 9: histogram, 10: exponential histogram."""
    temporality = b"\x10\x02" if data != 5 else b""
    metric = field(1, name) + field(data, field(1, point) * copies + temporality)
    return field(1, field(2, field(2, metric)))


def gauge_request() -> bytes:
    """A good one, with a time of its own."""
    return request(b"\x19" + struct.pack("<Q", NOW + next(NANOSECONDS)) + VALUE, name=b"good")


def attribute(value: bytes, key: bytes = b"k") -> bytes:
    return field(7, field(1, key) + field(2, value))


def nested(levels: int, lists: bool = True) -> bytes:
    """AnyValue in AnyValue: the heads from the inside out, which takes linear time."""
    heads, size = [], 0
    for _ in range(levels):
        for number in (1, 5) if lists else (2, 1, 6):
            head = varint(number << 3 | 2) + varint(size)
            heads.append(head)
            size += len(head)
    return b"".join(reversed(heads))


def gzip_of_zeros(size: int) -> bytes:
    """A gzip bomb, made in pieces."""
    deflate = zlib.compressobj(9, wbits=31)
    piece = bytes(MIB)
    return b"".join(deflate.compress(piece) for _ in range(size // MIB)) + deflate.flush()


def doubles(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def counts(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def histogram(bucket_counts: bytes, bounds: bytes, count: int) -> bytes:
    return TIME + b"\x21" + counts(count) + field(6, bucket_counts) + field(7, bounds)


class Served:
    """A running `serve`, and what a test wants to know of it."""

    def __init__(self, pid: int, url: str, grpc_port: int) -> None:
        self.pid = pid
        self.storage = HttpStorage(url)
        self.address = urlsplit(url).netloc
        self.port = int(self.address.rpartition(":")[2])
        self.grpc_address = f"127.0.0.1:{grpc_port}"

    def post(self, body: bytes, headers: dict[str, str] = PROTOBUF, method: str = "POST"):
        """(status, headers, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            # Refused while it is being sent: the answer is there all the same.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, "/v1/metrics", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def memory(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split(name + ":")[1].split()[0]) * 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def works(self) -> None:
        """The next good request, by both receivers, is answered within a second and stored."""
        begin = time.monotonic()
        before = self.storage.stats().accepted_points
        assert self.post(gauge_request())[0] == 200
        with grpc.insecure_channel(self.grpc_address) as channel:
            assert channel.unary_unary(EXPORT)(gauge_request(), timeout=10) == b""
        assert self.storage.stats().accepted_points == before + 2
        assert time.monotonic() - begin < 1


@pytest.fixture(scope="module")
def served():
    with serving() as (process, url, grpc_port):
        server = Served(process.pid, url, grpc_port)
        server.works()
        yield server


LONG = varint(2**31)
MALFORMED = {
    "a cut varint": b"\x0a\xff",
    "a length beyond the end": b"\x0a\x7f\x00",
    "2^31 bytes announced": b"\x0a" + LONG,
    "2^63 bytes announced": b"\x0a" + varint(2**63),
    "2^64-1 bytes announced": b"\x0a" + varint(2**64 - 1),
    "2^31 bytes announced in a packed field": request(TIME + b"\x32" + LONG, data=9),
    "2M nested lists": request(TIME + VALUE + attribute(nested(1_000_000))),
    "2M nested maps": request(TIME + VALUE + attribute(nested(1_000_000, lists=False))),
    "1M groups opened": b"\x0b" * MIB,
    "a name that is not UTF-8": request(TIME + VALUE, name=b"\xff\xfe"),
    "a value that is not UTF-8": request(TIME + VALUE + attribute(field(1, b"\xc3"))),
    "no protobuf at all": b"GET / HTTP/1.1\r\n\r\n",
    "zeros": bytes(MIB),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_whole(served, name):
    body = MALFORMED[name]
    before = served.storage.stats().accepted_points
    served.forget_peak()
    memory = served.memory("VmRSS")
    status, headers, answer = served.post(gauge_request() + body)
    assert status == 400 and headers["Content-Type"] == "application/x-protobuf" and answer
    with grpc.insecure_channel(served.grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary(EXPORT)(gauge_request() + body, timeout=10)
        assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert served.storage.stats().accepted_points == before
    assert served.memory("VmHWM") < memory + 8 * len(body) + 16 * MIB
    served.works()


EMPTY = {
    "2^20 empty resources": field(1, b"") * MIB,
    "2^20 empty scopes": field(1, field(2, b"") * MIB),
    "2^20 empty metrics": field(1, field(2, field(2, b"") * MIB)),
    "2^20 metrics without data": field(1, field(2, field(2, field(1, b"m")) * MIB)),
    "2^20 unknown fields": (varint(100 << 3) + b"\x01") * MIB,
    "nothing": b"",
}


@pytest.mark.parametrize("name", EMPTY)
def test_what_is_empty_costs_nothing(served, name):
    before = served.storage.stats()
    served.forget_peak()
    memory = served.memory("VmRSS")
    assert served.post(EMPTY[name])[::2] == (200, b"")
    after = served.storage.stats()
    assert (after.accepted_points, after.series) == (before.accepted_points, before.series)
    assert served.memory("VmHWM") < memory + 4 * len(EMPTY[name]) + 16 * MIB
    served.works()


INFINITY = float("inf")
REJECTED = {
    "no time": request(VALUE),
    "a time in 1970": request(b"\x19" + struct.pack("<Q", 10**9) + VALUE),
    "a time of 2^64-1": request(b"\x19" + b"\xff" * 8 + VALUE),
    "no value": request(TIME),
    "2^18 points of nothing": request(b"", copies=1 << 18),
    "200,000 attributes": request(
        TIME + VALUE + b"".join(attribute(field(1, b"v"), b"%d" % i) for i in range(200_000))
    ),
    "a string of 10 MB": request(TIME + VALUE + attribute(field(1, b"v" * 10_000_000))),
    "bounds that fall": request(histogram(counts(1, 1, 1), doubles(2, 1), 3), data=9),
    "bounds that are no numbers": request(
        histogram(counts(1, 1), doubles(float("nan")), 2), data=9
    ),
    "infinite bounds twice": request(
        histogram(counts(1, 1, 1), doubles(INFINITY, INFINITY), 3), data=9
    ),
    "counts and bounds that disagree": request(histogram(counts(1, 1), doubles(1, 2), 2), data=9),
    "counts that do not add up": request(histogram(counts(1, 1), doubles(1), 5), data=9),
    "a million buckets": request(
        histogram(counts(*[1] * MIB), doubles(*range(MIB - 1)), MIB), data=9
    ),
    "a scale of 2^31-1": request(
        TIME + b"\x21" + counts(0) + b"\x30" + varint(2 * (2**31 - 1)), data=10
    ),
    "an offset of 2^31-1": request(
        TIME + b"\x21" + counts(1) + field(8, b"\x08" + varint(2 * (2**31 - 1)) + b"\x12\x01\x01"),
        data=10,
    ),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_wrong_is_rejected_alone_and_named(served, name):
    """200 with a partial success; the good point in the same request is stored."""
    body = REJECTED[name]
    before = served.storage.stats()
    served.forget_peak()
    memory = served.memory("VmRSS")
    status, _, answer = served.post(gauge_request() + body)
    assert status == 200
    assert answer, "no partial success"
    after = served.storage.stats()
    assert after.accepted_points == before.accepted_points + 1
    rejected = after.rejected_points - before.rejected_points
    assert rejected == (1 << 18 if "2^18" in name else 1)
    assert served.memory("VmHWM") < memory + 8 * len(body) + 32 * MIB
    served.works()


@pytest.mark.parametrize("size", [65 * MIB, 1024 * MIB])
def test_gzip_bombs_are_413(served, size):
    bomb = gzip_of_zeros(size)
    assert len(bomb) < 2 * MIB
    served.forget_peak()
    memory = served.memory("VmRSS")
    assert served.post(bomb, PROTOBUF | {"Content-Encoding": "gzip"})[0] == 413
    # Inflated up to the limit of 64 MiB, in pieces that are joined.
    assert served.memory("VmHWM") < memory + 160 * MIB
    served.works()


def test_a_gzip_bomb_over_grpc(served):
    """gRPC's own library inflates; it stops at the limit as well."""
    served.forget_peak()
    memory = served.memory("VmRSS")
    channel = grpc.insecure_channel(
        served.grpc_address,
        options=[("grpc.max_send_message_length", -1)],
        compression=grpc.Compression.Gzip,
    )
    with channel, pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(EXPORT)(bytes(200 * MIB), timeout=60)
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert served.memory("VmHWM") < memory + 160 * MIB
    served.works()


GZIP = PROTOBUF | {"Content-Encoding": "gzip"}
ENCODED = {
    "no gzip": (b"plain", GZIP, 400),
    "gzip of nothing": (gzip.compress(b""), GZIP, 200),
    "gzip without bytes": (b"", GZIP, 400),
    "gzip in two members": (
        gzip.compress(gauge_request()) + gzip.compress(gauge_request()),
        GZIP,
        200,
    ),
    "gzip that is cut": (gzip.compress(gauge_request())[:-9], GZIP, 400),
    "garbage behind gzip": (gzip.compress(gauge_request()) + b"garbage", GZIP, 400),
    "an unknown encoding": (gauge_request(), PROTOBUF | {"Content-Encoding": "br"}, 415),
    "no content type": (gauge_request(), {}, 415),
    "a wrong content type": (gauge_request(), {"Content-Type": "text/plain"}, 415),
    "empty JSON": (b"", {"Content-Type": "application/json"}, 400),
    "JSON 100,000 deep": (b"[" * 100_000, {"Content-Type": "application/json"}, 400),
}


@pytest.mark.parametrize("name", ENCODED)
def test_bodies_that_are_not_what_they_say(served, name):
    body, headers, expected = ENCODED[name]
    status, _, answer = served.post(body, headers)
    assert status == expected, answer
    served.works()


def test_a_point_of_the_next_century_is_stored(served):
    before = served.storage.stats().accepted_points
    future = request(b"\x19" + struct.pack("<Q", NOW + 100 * 365 * 86400 * 10**9) + VALUE)
    assert served.post(future)[::2] == (200, b"")
    assert served.storage.stats().accepted_points == before + 1
    served.works()


def test_65_mib_without_compression(served):
    served.forget_peak()
    memory = served.memory("VmRSS")
    assert served.post(bytes(65 * MIB))[0] == 413
    assert served.memory("VmHWM") < memory + 32 * MIB
    served.works()


def test_get_is_405_with_allow(served):
    status, headers, _ = served.post(b"", {}, "GET")
    assert (status, headers["Allow"]) == (405, "POST")
    served.works()


def test_1000_connections(served):
    """Silent ones, beyond the limit too; then they go, and everything works again."""
    served.forget_peak()
    memory = served.memory("VmRSS")
    clients = [socket.create_connection(("127.0.0.1", served.port), 10) for _ in range(1000)]
    try:
        # Those up to the limit are served; this one is beyond it, and told to come back.
        status, headers, _ = served.post(gauge_request())
        assert (status, headers["Retry-After"] is not None) == (503, True)
        assert served.memory("VmHWM") < memory + 64 * MIB
    finally:
        for client in clients:
            client.close()
    deadline = time.monotonic() + 10
    while served.post(gauge_request())[0] == 503:
        assert time.monotonic() < deadline, "connections that are gone are still counted"
    served.works()


def test_slow_clients_hold_nothing_up(served):
    """Heads and bodies that never end: others are answered meanwhile."""
    head = b"POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    slow = []
    for index in range(200):
        client = socket.create_connection(("127.0.0.1", served.port), 10)
        client.sendall(head if index % 2 else head + b"\r\nhalf")
        slow.append(client)
    try:
        served.works()
    finally:
        for client in slow:
            client.close()
    served.works()


@pytest.mark.parametrize("frames", ["rapid reset", "settings", "pings", "continuation", "window 0"])
def test_floods_of_http2_frames(served, frames):
    """What the gRPC library must hold off; its own limits are what is tested here."""

    def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
        head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
        return head + stream.to_bytes(4, "big") + payload

    # POST, http, the path: indexed and literal headers of HPACK.
    headers = b"\x83\x86\x04" + bytes([len(EXPORT)]) + EXPORT.encode()
    grpc_headers = b"\x0f\x10\x10application/grpc" + b"\x00\x02te\x08trailers"
    flood = {
        "rapid reset": b"".join(
            frame(1, 4, stream, headers) + frame(3, 0, stream, b"\0\0\0\x08")
            for stream in range(1, 40_001, 2)
        ),
        "settings": frame(4, 0, 0) * 20_000,
        "pings": frame(6, 0, 0, bytes(8)) * 20_000,
        # Answers that may not be sent: the client takes no byte of them.
        "window 0": frame(4, 0, 0, b"\0\x04\0\0\0\0")
        + b"".join(
            frame(1, 4, stream, headers + grpc_headers) + frame(0, 1, stream, bytes(5))
            for stream in range(1, 2_001, 2)
        ),
        "continuation": frame(1, 0, 1, headers) + frame(9, 0, 1, b"\x00\x01a\x01b") * 100_000,
    }[frames]
    served.forget_peak()
    memory = served.memory("VmRSS")
    host, _, port = served.grpc_address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.settimeout(10)
        # It hangs up on us, or stops to read: both are right.
        with contextlib.suppress(OSError):
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + flood)
        served.works()
    assert served.memory("VmHWM") < memory + 64 * MIB


def test_nothing_was_lost_and_the_process_is_small(served):
    """Last: what all of the above has left behind."""
    stats = served.storage.stats()
    assert stats.points == stats.accepted_points
    assert stats.memory_bytes < 64 * MIB
    reasons = " ".join(item.reason for item in served.storage.rejections())
    assert "time" in reasons
    assert os.path.exists(f"/proc/{served.pid}")
