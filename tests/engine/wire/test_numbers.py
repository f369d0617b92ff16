"""Points of gauges and sums."""

import pytest
from drivers.scanner import Scanner
from helpers.otlp import field, varint
from helpers.wire_bytes import TIME, VALUE, gauge, point, request
from helpers.wire_oracle import check

ROWS = {
    "flags with more than 32 bits": request(gauge(point(field(8, 0, varint(1 << 40 | 2))))),
}


@pytest.mark.parametrize("row", ROWS)
def test_decides_as_protobuf(row):
    check(ROWS[row])


STALE = field(8, 0, b"\x01")
DOUBLE = field(4, 1, bytes(8))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (TIME, 3),
        (TIME + STALE, 0),
        (TIME + VALUE, 0),
        (VALUE, 1),
        (field(3, 1, b"\xff" * 8) + VALUE, 2),
    ],
)
def test_a_point_needs_a_time_and_a_value_or_a_mark(body, reason):
    data = request(gauge(body))
    assert check(data)
    ((*_, (found,)),) = Scanner().scan(data)
    assert found[0] == reason


def test_of_an_integer_and_a_double_the_last_one_counts():
    ((*_, points),) = Scanner().scan(request(gauge(TIME + DOUBLE + VALUE, TIME + VALUE + DOUBLE)))
    assert [(each[4], each[5]) for each in points] == [(7, 1 << 24), (0, 0)]
