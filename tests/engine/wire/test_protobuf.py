"""The wire format, row by row of what protobuf's reference decoder does."""

import pytest
from helpers.otlp import field, varint
from helpers.wire_bytes import GOOD, attribute, gauge, point, request
from helpers.wire_oracle import check

ROWS = {
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
    "length 2^31": GOOD + b"\x7a" + varint(1 << 31),
    "length 2^63": GOOD + b"\x7a" + varint(1 << 63),
    "length 2^64 - 1": GOOD + b"\x7a" + varint((1 << 64) - 1),
    "a length beyond the end": GOOD[:-1],
    "invalid UTF-8": request(gauge(point(attribute(field(1, 2, b"\xff"))))),
    "a surrogate in UTF-8": request(gauge(point(attribute(field(1, 2, b"\xed\xa0\x80"))))),
    "over-long UTF-8": request(gauge(point(attribute(field(1, 2, b"\xc0\x80"))))),
    "beyond Unicode": request(gauge(point(attribute(field(1, 2, b"\xf4\x90\x80\x80"))))),
    "NUL in a string": request(gauge(point(attribute(field(1, 2, b"a\x00b"))))),
}


@pytest.mark.parametrize("row", ROWS)
def test_decides_as_protobuf(row):
    check(ROWS[row])


def group(levels):
    """An unknown field of groups in one another."""
    return b"\x7b" * levels + b"\x7c" * levels


@pytest.mark.parametrize("levels", [1, 90, *range(93, 103)])
@pytest.mark.parametrize("where", ["request", "resource", "scope", "metric", "point", "attribute"])
def test_groups_nest_as_deep_as_protobuf_allows(where, levels):
    """As deep as the message's own depth leaves, and no less when it is read a second time."""
    deep = group(levels)
    match where:
        case "request":
            data = GOOD + deep
        case "resource":
            attributes = attribute(field(1, 2, b"v"), 1)
            data = request(gauge(point()), resource=field(1, 2, deep + attributes))
        case "scope":
            data = request(gauge(point()), scope=field(1, 2, deep + field(1, 2, b"name")))
        case "metric":
            data = request(deep + gauge(point()))
        case "point":
            data = request(gauge(point(deep + attribute(field(1, 2, b"v")))))
        case "attribute":
            inside = field(1, 2, deep + field(1, 2, b"k") + field(2, 2, field(1, 2, b"v")))
            data = request(gauge(point()), resource=field(1, 2, inside))
    check(data)
