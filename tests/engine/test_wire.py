"""The scanner's decisions, row by row of what protobuf's reference decoder does, and its limits."""

import pytest
from drivers.scanner import Scanner
from google.protobuf.message import DecodeError
from helpers.otlp import field, varint
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

TIME = field(3, 1, (1_700_000_000_000_000_000).to_bytes(8, "little"))
VALUE = field(6, 1, (7).to_bytes(8, "little"))


def request(*metric, resource=b"", scope=b""):
    inside = scope + b"".join(field(2, 2, each) for each in metric)
    return field(1, 2, resource + field(2, 2, inside))


def gauge(*points):
    return field(1, 2, b"m") + field(5, 2, b"".join(field(1, 2, each) for each in points))


def point(extra=b""):
    return TIME + VALUE + extra


def attribute(value, number=7):
    return field(number, 2, field(1, 2, b"k") + field(2, 2, value))


def nested(levels):
    """An AnyValue of lists in one another."""
    value = b""
    for _ in range(levels):
        value = field(5, 2, field(1, 2, value))
    return value


GOOD = request(gauge(point()))
ROWS = {
    "empty input": b"",
    "a good request": GOOD,
    "oneof message twice is merged": request(
        field(1, 2, b"m") + field(5, 2, field(1, 2, point())) * 2
    ),
    "oneof A, B, A keeps the last A": request(
        field(1, 2, b"m")
        + field(5, 2, field(1, 2, point()))
        + field(7, 2, field(1, 2, point()))
        + field(5, 2, field(1, 2, point()))
    ),
    "name twice: the last one wins": request(field(1, 2, b"first") + gauge(point())),
    "wrong wire type on a known field is unknown": request(field(1, 0, b"\x05") + gauge(point())),
    "a group that is not empty is passed over": GOOD + b"\x7b\x08\x01\x7c",
    "field number 0 in a group": GOOD + b"\x7b\x00\x01\x03\x04\x7c",
    "a length in five bytes": GOOD + b"\x7a\x81\x80\x80\x80\x00x",
    "a length in six bytes": GOOD + b"\x7a\x81\x80\x80\x80\x80\x00x",
    "field number 0 outside": GOOD + b"\x00\x01",
    "a group whose end has another number": GOOD + b"\x7b\x08\x01\x84\x01",
    "a stray group end": GOOD + b"\x7c",
    "an open group": GOOD + b"\x7b\x08\x01",
    "field number 0": GOOD + b"\x00\x01",
    "wire type 6": GOOD + b"\x7e",
    "wire type 7": GOOD + b"\x7f",
    "field number 2^29": GOOD + varint((1 << 29) << 3) + b"\x01",
    "a tag of six bytes": GOOD + b"\xf8\x80\x80\x80\x80\x00\x01",
    "an over-long tag of five bytes": GOOD + b"\xf8\x80\x80\x80\x00\x01",
    "an over-long varint": GOOD + b"\x78\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00",
    "a ten-byte varint that overflows": GOOD + b"\x78" + b"\xff" * 9 + b"\x7f",
    "an eleven-byte varint": GOOD + b"\x78" + b"\xff" * 10 + b"\x01",
    "flags with more than 32 bits": request(gauge(point(field(8, 0, varint(1 << 40 | 2))))),
    "monotonic 2^40 is true": request(
        field(1, 2, b"m")
        + field(7, 2, field(1, 2, point()) + field(2, 0, b"\x02") + field(3, 0, varint(1 << 40)))
    ),
    "enum 77": request(
        field(1, 2, b"m") + field(7, 2, field(1, 2, point()) + field(2, 0, varint(77)))
    ),
    "packed length no multiple of 8": request(
        field(1, 2, b"m") + field(9, 2, field(1, 2, TIME + field(6, 2, b"1234567")))
    ),
    "packed twice and unpacked: all in order": request(
        field(1, 2, b"m")
        + field(
            9,
            2,
            field(
                1,
                2,
                TIME
                + field(6, 2, bytes(16))
                + field(6, 1, bytes(8))
                + field(7, 1, b"\x00" * 6 + b"\xf0\x3f")
                + field(7, 2, b"\x00" * 7 + b"\x40"),
            )
            + field(2, 0, b"\x02"),
        )
    ),
    "length 2^31": GOOD + b"\x7a" + varint(1 << 31),
    "length 2^63": GOOD + b"\x7a" + varint(1 << 63),
    "length 2^64 - 1": GOOD + b"\x7a" + varint((1 << 64) - 1),
    "a length beyond the end": GOOD[:-1],
    "invalid UTF-8": request(gauge(point(attribute(field(1, 2, b"\xff"))))),
    "a surrogate in UTF-8": request(gauge(point(attribute(field(1, 2, b"\xed\xa0\x80"))))),
    "over-long UTF-8": request(gauge(point(attribute(field(1, 2, b"\xc0\x80"))))),
    "beyond Unicode": request(gauge(point(attribute(field(1, 2, b"\xf4\x90\x80\x80"))))),
    "NUL in a string": request(gauge(point(attribute(field(1, 2, b"a\x00b"))))),
    "invalid UTF-8 in a dropped member": request(
        field(1, 2, b"m")
        + field(5, 2, field(1, 2, point(attribute(field(1, 2, b"\xff")))))
        + field(7, 2, b"")
    ),
    "two halves that are only right together": request(
        field(1, 2, b"m") + field(5, 2, b"\x0a") + field(5, 2, b"\x00")
    ),
    "invalid UTF-8 in a resource without metrics": field(
        1, 2, field(1, 2, attribute(b"\x0a\x01\xff", 1))
    ),
    "string_value_strindex is no value": request(gauge(point(attribute(field(8, 0, b"\x03"))))),
}


@pytest.mark.parametrize("row", ROWS)
def test_decides_as_protobuf(row):
    from engine.test_wire_differential import check

    check(ROWS[row])


@pytest.mark.parametrize("levels", [1, 45, 46, 47, 48, 49, 60])
def test_nesting_ends_where_protobufs_does(levels):
    for number, wrap in ((7, lambda a: request(gauge(point(a)))), (1, None)):
        data = attribute(nested(levels), number)
        if wrap is None:
            data = request(gauge(point()), scope=b"") + field(1, 2, field(1, 2, data))
        else:
            data = wrap(data)
        try:
            ExportMetricsServiceRequest.FromString(data)
            accepted = True
        except DecodeError:
            accepted = False
        assert (Scanner().scan(data) is not None) == accepted


def test_two_million_levels_are_refused_without_recursion():
    data = b""
    level = b"\x2a\x00"
    # Built inside out would take for ever: the prefix of a deep list is the same two tags, again and
    # again, with lengths that reach to the end.
    size = 2_000_000
    out = bytearray()
    remaining = size * 12
    for _ in range(size):
        out += b"\x2a" + varint(remaining) + b"\x0a" + varint(remaining - 6)
        remaining -= 12
    data = request(gauge(point(attribute(bytes(out) + level))))
    assert Scanner().scan(data) is None


def test_a_million_empty_messages_take_no_memory():
    scanner = Scanner()
    assert scanner.scan(b"\x0a\x00" * 2**20) == []
    assert scanner.memory_bytes < 1 << 20


def test_one_big_request_does_not_hold_memory():
    scanner = Scanner()
    assert scanner.count(request(gauge(*[point()] * 60_000))) == 60_000
    big = scanner.memory_bytes
    assert scanner.count(GOOD) == 1
    assert scanner.count(GOOD) == 1
    assert scanner.memory_bytes < big / 4


def test_points_behind_one_start_share_a_slot():
    """The start time of each point comes back, however they alternate."""
    starts = [5, 5, 9, 9, 5, 0]
    points = [point(field(2, 1, start.to_bytes(8, "little"))) for start in starts]
    ((_, _, _, found),) = Scanner().scan(request(gauge(*points)))
    assert [each[3] for each in found] == starts


def test_scattered_attributes_are_gathered():
    scattered = attribute(field(3, 0, b"\x01")) + VALUE + TIME
    scattered += field(7, 2, field(1, 2, b"l") + field(2, 2, field(3, 0, b"\x02")))
    ((_, _, _, found),) = Scanner().scan(request(gauge(scattered)))
    assert found[0][1] == {"k": 1, "l": 2}


@pytest.mark.parametrize("which", ["data", "resource", "scope", "value"])
def test_a_message_in_very_many_pieces_takes_a_few_times_its_size(which):
    """Each piece once made a copy of all before it: 5 MB took tens of gigabytes."""
    pieces = 20_000
    entry = field(1, 2, field(1, 2, b"k") + field(2, 2, field(1, 2, b"v")))
    if which == "data":
        data = request(field(1, 2, b"m") + field(5, 2, field(1, 2, point())) * pieces)
    elif which == "resource":
        data = request(gauge(point()), resource=field(1, 2, entry) * pieces)
    elif which == "scope":
        data = request(gauge(point()), scope=field(1, 2, field(1, 2, b"name")) * pieces)
    else:
        piece = field(2, 2, field(6, 2, entry))
        data = request(gauge(point(field(7, 2, field(1, 2, b"k") + piece * pieces))))
    scanner = Scanner()
    found = scanner.scan(data)
    assert sum(len(points) for *_, points in found) == (pieces if which == "data" else 1)
    # Points are staged, too: some 100 bytes each.
    staged = 200 * pieces if which == "data" else 200_000
    assert scanner.memory_bytes < 10 * len(data) + staged


def test_maps_are_sorted_by_key_and_the_last_of_equal_keys_counts():
    entries = [
        field(1, 2, field(1, 2, b"%05d" % (i % 500)) + field(2, 2, field(3, 0, varint(i))))
        for i in reversed(range(1_000))
    ]
    value = field(6, 2, b"".join(entries))
    ((*_, points),) = Scanner().scan(request(gauge(point(attribute(value)))))
    (found,) = points[0][1].values()
    assert list(found.items()) == [(f"{i:05d}", i) for i in range(500)]
