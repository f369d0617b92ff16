"""What a metric says of all its points, before them or after them."""

import pytest
from drivers.scanner import Scanner
from helpers.otlp import field, varint
from helpers.wire_bytes import point, request
from helpers.wire_oracle import check

ROWS = {
    "monotonic 2^40 is true": request(
        field(1, 2, b"m")
        + field(7, 2, field(1, 2, point()) + field(2, 0, b"\x02") + field(3, 0, varint(1 << 40)))
    ),
    "enum 77": request(
        field(1, 2, b"m") + field(7, 2, field(1, 2, point()) + field(2, 0, varint(77)))
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_decides_as_protobuf(row):
    check(ROWS[row])


def found_of(data):
    """(temporality, monotonic) and the reasons of the points of the only metric."""
    assert check(data)
    ((_, _, metric, points),) = Scanner().scan(data)
    return metric[4:6], [each[0] for each in points]


DELTA = field(2, 0, b"\x01")
MONOTONIC = field(3, 0, b"\x01")
POINTS = field(1, 2, point()) * 3


@pytest.mark.parametrize(
    "message",
    [
        DELTA + MONOTONIC + POINTS,
        POINTS + DELTA + MONOTONIC,
        MONOTONIC + POINTS + DELTA,
        POINTS + DELTA + POINTS + MONOTONIC + field(15, 0, b"\x01"),
        POINTS + field(2, 0, b"\x02") + MONOTONIC + DELTA,
    ],
)
def test_it_may_stand_anywhere(message):
    metric, reasons = found_of(request(field(1, 2, b"m") + field(7, 2, message)))
    assert metric == (1, 1)
    assert set(reasons) == {0}


def test_points_without_one_are_refused():
    metric, reasons = found_of(request(field(1, 2, b"m") + field(7, 2, POINTS + MONOTONIC)))
    assert metric == (0, 1)
    assert reasons == [4] * 3
