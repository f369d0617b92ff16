"""Attribute values as they come, and their one canonical form."""

import pytest
from drivers.scanner import Scanner
from helpers.otlp import field, varint
from helpers.wire_bytes import attribute, gauge, point, request
from helpers.wire_oracle import check

ROWS = {
    "string_value_strindex is no value": request(gauge(point(attribute(field(8, 0, b"\x03"))))),
}


@pytest.mark.parametrize("row", ROWS)
def test_decides_as_protobuf(row):
    check(ROWS[row])


def test_maps_are_sorted_by_key_and_the_last_of_equal_keys_counts():
    entries = [
        field(1, 2, field(1, 2, b"%05d" % (i % 500)) + field(2, 2, field(3, 0, varint(i))))
        for i in reversed(range(1_000))
    ]
    value = field(6, 2, b"".join(entries))
    ((*_, points),) = Scanner().scan(request(gauge(point(attribute(value)))))
    (found,) = points[0][1].values()
    assert list(found.items()) == [(f"{i:05d}", i) for i in range(500)]
