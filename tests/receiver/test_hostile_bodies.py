"""Hostile bodies over real sockets, against a `serve` in a process of its own.

Each gets the status that it deserves, costs a bounded amount of memory (the peak of the process, as
Linux counts it), stores nothing that is wrong, and the next good request works within a second.
"""

import gzip
import struct
import zlib

import grpc
import pytest
from helpers.floods import SECOND, fast_sums, field
from helpers.otlp import varint
from helpers.served import (
    JSON,
    MIB,
    NOW,
    PROTOBUF,
    TIME,
    VALUE,
    Served,
    gauge_request,
    request,
    run,
    serving,
    status_of,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from urpo_store import Aggregation, MetricQuery

# The canonical codes of a google.rpc.Status.
INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED = 3, 8, 12


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


def zip_bomb(size: int, wbits: int = 31) -> bytes:
    """The begin of a stream of zeros, 31: gzip, 15: deflate; all pieces but the first are the same."""
    deflate = zlib.compressobj(9, wbits=wbits)
    zeros = bytes(MIB)
    first, piece = (deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + piece * (size // MIB - 1)


def doubles(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def counts(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def histogram(bucket_counts: bytes, bounds: bytes, count: int) -> bytes:
    point = TIME + b"\x21" + counts(count) + field(6, bucket_counts) + field(7, bounds)
    return request(point, data=9)


HUGE = varint(2 * (2**31 - 1))  # 2^31-1 in zigzag


def exponential(shape: bytes, count: int) -> bytes:
    return request(TIME + b"\x21" + counts(count) + shape, data=10)


@pytest.fixture(scope="module")
def served():
    with serving() as (process, url, grpc_port):
        yield Served(process, url, grpc_port)


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
    body = gauge_request() + MALFORMED[name]
    before = served.storage.stats()
    with served.unharmed(8 * len(body) + 16 * MIB):
        answer = served.post(body)
        assert (answer[0], answer[1]["Content-Type"]) == (400, "application/x-protobuf")
        status = status_of(answer)
        assert (status.code, "not OTLP" in status.message) == (INVALID_ARGUMENT, True)
        assert served.call(body) == (grpc.StatusCode.INVALID_ARGUMENT, status.message)
        after = served.storage.stats()
        assert after.accepted_points == before.accepted_points
        assert after.rejected_requests == before.rejected_requests + 2


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
    with served.unharmed(8 * len(EMPTY[name]) + 16 * MIB):
        assert served.post(EMPTY[name])[::2] == (200, b"")
        assert served.call(EMPTY[name]) == (grpc.StatusCode.OK, b"")
        after = served.storage.stats()
        assert (after.accepted_points, after.series) == (before.accepted_points, before.series)


INFINITY = float("inf")
REJECTED = {
    "no time": ("time", request(VALUE)),
    "a time in 1970": ("retention", request(b"\x19" + struct.pack("<Q", 10**9) + VALUE)),
    "a time of 2^64-1": ("time", request(b"\x19" + b"\xff" * 8 + VALUE)),
    "no value": ("value", request(TIME)),
    "2^18 points of nothing": ("time", request(b"", copies=1 << 18)),
    "200,000 attributes": (
        "attributes",
        request(
            TIME + VALUE + b"".join(attribute(field(1, b"v"), b"%d" % i) for i in range(200_000))
        ),
    ),
    "a string of 10 MB": ("string", request(TIME + VALUE + attribute(field(1, b"v" * 10_000_000)))),
    "a key of 10 MB": ("string", request(TIME + VALUE + attribute(b"", b"k" * 10_000_000))),
    "bounds that fall": ("increas", histogram(counts(1, 1, 1), doubles(2, 1), 3)),
    "bounds that are no numbers": ("increas", histogram(counts(1, 1), doubles(float("nan")), 2)),
    "infinite bounds twice": (
        "increas",
        histogram(counts(1, 1, 1), doubles(INFINITY, INFINITY), 3),
    ),
    "counts and bounds that disagree": ("bounds", histogram(counts(1, 1), doubles(1, 2), 2)),
    "counts that do not add up": ("count", histogram(counts(1, 1), doubles(1), 5)),
    "a million buckets": ("buckets", histogram(counts(*[1] * MIB), doubles(*range(MIB - 1)), MIB)),
    "a scale of 2^31-1": ("scale", exponential(b"\x30" + HUGE, 0)),
    "an offset of 2^31-1": ("index", exponential(field(8, b"\x08" + HUGE + b"\x12\x01\x01"), 1)),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_wrong_is_rejected_alone_and_named(served, name):
    """200 or OK with a partial success; the good point in the same request is stored."""
    reason, body = REJECTED[name]
    wrong = 1 << 18 if "2^18" in name else 1
    with served.unharmed(8 * len(body) + 32 * MIB):
        for send, success in ((served.post, 200), (served.call, grpc.StatusCode.OK)):
            before = served.storage.stats()
            answer = send(gauge_request() + body)
            assert answer[0] == success
            partial = ExportMetricsServiceResponse.FromString(answer[-1]).partial_success
            assert (partial.rejected_data_points, reason in partial.error_message) == (wrong, True)
            after = served.storage.stats()
            assert after.accepted_points == before.accepted_points + 1
            assert after.rejected_points == before.rejected_points + wrong
            assert reason in served.storage.rejections()[0].reason


ENCODINGS = {"gzip": 31, "deflate": 15}
KINDS = {"protobuf": PROTOBUF, "JSON": JSON}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("size", [65 * MIB, 1024 * MIB])
def test_bombs_are_413(served, size, encoding, kind):
    bomb = zip_bomb(size, ENCODINGS[encoding])
    assert len(bomb) < 2 * MIB
    # Inflated up to the limit of 64 MiB, in pieces that are joined.
    with served.unharmed(160 * MIB):
        answer = served.post(bomb, kind | {"Content-Encoding": encoding})
        assert (answer[0], answer[1]["Content-Type"]) == (413, kind["Content-Type"])
        status = status_of(answer)
        assert (status.code, "decompression" in status.message) == (RESOURCE_EXHAUSTED, True)


def test_a_gzip_bomb_over_grpc(served):
    """gRPC's own library inflates; it stops at the limit as well."""
    with served.unharmed(160 * MIB):
        code, message = served.call(bytes(200 * MIB), compression=grpc.Compression.Gzip)
        assert (code, "larger than max" in message) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_65_mib_without_compression(served, kind):
    with served.unharmed(32 * MIB):
        answer = served.post(bytes(65 * MIB), kind)
        assert (answer[0], answer[1]["Content-Type"]) == (413, kind["Content-Type"])
        status = status_of(answer)
        assert (status.code, "67108864 bytes" in status.message) == (RESOURCE_EXHAUSTED, True)
        code, message = served.call(bytes(65 * MIB))
        assert (code, "larger than max" in message) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)


GZIP = PROTOBUF | {"Content-Encoding": "gzip"}
GOOD = gzip.compress(gauge_request())
REFUSED = {
    "no gzip": (b"plain", GZIP, 400, "not gzip"),
    "gzip without bytes": (b"", GZIP, 400, "breaks off"),
    "gzip that is cut": (GOOD[:-9], GZIP, 400, "breaks off"),
    "a second member that is cut": (GOOD + GOOD[:-9], GZIP, 400, "breaks off"),
    "garbage behind gzip": (GOOD + b"garbage", GZIP, 400, "not gzip"),
    "20,000 members": (gzip.compress(b"") * 20_000, GZIP, 400, "members"),
    "an unknown encoding": (GOOD, PROTOBUF | {"Content-Encoding": "br"}, 415, "'br'"),
    "no content type": (gauge_request(), {}, 415, "Content-Type ''"),
    "a wrong content type": (gauge_request(), {"Content-Type": "text/plain"}, 415, "'text/plain'"),
    "empty JSON": (b"", JSON, 400, "JSON"),
    "JSON 100,000 deep": (b"[" * 100_000, JSON, 400, "deep"),
    "JSON that is not UTF-8": (b'{"\xff":1}', JSON, 400, "UTF-8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bodies_that_are_not_what_they_say(served, name):
    body, headers, expected, reason = REFUSED[name]
    before = served.storage.stats().accepted_points
    with served.unharmed(16 * MIB):
        answer = served.post(body, headers)
        status = status_of(answer)
        assert (answer[0], status.code) == (expected, INVALID_ARGUMENT)
        assert reason in status.message
        # Protobuf to those who send protobuf, JSON to all others.
        assert ("protobuf" in answer[1]["Content-Type"]) == ("protobuf" in str(headers))
        assert served.storage.stats().accepted_points == before


def test_gzip_in_several_members_or_of_nothing(served):
    before = served.storage.stats().accepted_points
    with served.unharmed(16 * MIB):
        assert served.post(gzip.compress(b""), GZIP)[::2] == (200, b"")
        members = b"".join(gzip.compress(gauge_request()) for _ in range(3))
        assert served.post(members, GZIP)[::2] == (200, b"")
        assert served.storage.stats().accepted_points == before + 3


def test_get_is_405_with_allow(served):
    with served.unharmed(16 * MIB):
        for method in ("GET", "PUT", "DELETE"):
            answer = served.post(b"", {}, method)
            assert (answer[0], answer[1]["Allow"]) == (405, "POST")
            status = status_of(answer)
            assert (status.code, method in status.message) == (UNIMPLEMENTED, True)


def test_a_point_of_the_next_century_is_stored(served):
    before = served.storage.stats().accepted_points
    future = request(b"\x19" + struct.pack("<Q", NOW + 100 * 365 * 86400 * SECOND) + VALUE)
    with served.unharmed(16 * MIB):
        assert served.post(future)[::2] == (200, b"")
        assert served.storage.stats().accepted_points == before + 1


def test_far_more_attribute_sets_than_series_are_collapsed_and_told():
    """By both receivers; deltas stay exact in total, and the doctor says what to raise."""
    batch, batches, most = 10_000, 20, 1_000
    with serving("--max-series", str(most)) as (process, url, grpc_port):
        served = Served(process, url, grpc_port)
        with served.unharmed(48 * MIB):
            for first in range(0, batch * batches, 2 * batch):
                assert served.post(fast_sums(first, batch, 1, NOW))[::2] == (200, b"")
                sums = fast_sums(first + batch, batch, 1, NOW)
                assert served.call(sums) == (grpc.StatusCode.OK, b"")
            stats = served.storage.stats()
            assert most <= stats.series <= most + 16
            # One of the series is that of the good requests.
            assert stats.overflowed_points == batch * batches - (most - 1)
            assert (stats.rejected_points, stats.evicted_points) == (0, 0)
            sums = MetricQuery(
                "attack", start=NOW - 1, end=NOW, step=1, aggregation=Aggregation.SUM, by=("route",)
            )
            (total,) = served.storage.query_metrics(sums)
            assert total.values.sum() == batch * batches
            told = run("doctor", "--url", url)
            collapsed = f"{stats.overflowed_points} points were collapsed into urpo.overflow"
            assert (told.returncode, collapsed in told.stdout) == (0, True), told.stdout
            assert "raise --max-series" in told.stdout


def test_far_more_services_than_series_are_refused_and_told():
    """Two services have nothing to collapse into: the points are rejected, by name."""
    point = field(2, field(2, field(1, b"flood") + field(5, field(1, TIME + VALUE))))

    def flood(first: int) -> bytes:
        """A request of 1,000 services."""
        names = (field(2, field(1, b"made-up-%d" % (first + i))) for i in range(1_000))
        resources = (field(1, field(1, field(1, b"service.name") + name)) for name in names)
        return b"".join(field(1, resource + point) for resource in resources)

    with serving("--max-series", "100") as (process, url, grpc_port):
        served = Served(process, url, grpc_port)
        with served.unharmed(32 * MIB):
            rejected = 0
            for first in range(0, 10_000, 2_000):
                status, _, by_http = served.post(flood(first))
                code, by_grpc = served.call(flood(first + 1_000))
                assert (status, code) == (200, grpc.StatusCode.OK)
                for answer in (by_http, by_grpc):
                    partial = ExportMetricsServiceResponse.FromString(answer).partial_success
                    assert "no room for a new series; raise max_series" in partial.error_message
                    rejected += partial.rejected_data_points
            stats = served.storage.stats()
            assert stats.rejected_points == rejected == 10_000 + 2 - stats.accepted_points
            assert stats.services == stats.series < 2_000
            told = run("doctor", "--url", url)
            assert f"{rejected} points were refused." in told.stdout
            assert "x flood of made-up-" in told.stdout
            assert "no room for a new series; raise max_series" in told.stdout
            # Hundreds of services were let in; not each of them has a line.
            assert f"{stats.services - 10} more: sends no request metric" in told.stdout
            assert len(told.stdout.splitlines()) < 40


def test_nothing_was_lost_and_the_process_is_small(served):
    """Last: what all of the above has left behind."""
    stats = served.storage.stats()
    assert stats.points == stats.accepted_points
    assert stats.memory_bytes < 64 * MIB
