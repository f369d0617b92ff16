"""Points of histograms with explicit bounds."""

import struct

import pytest
from drivers.scanner import Scanner
from helpers.otlp import field
from helpers.wire_bytes import TIME, request
from helpers.wire_oracle import check

ROWS = {
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
}


@pytest.mark.parametrize("row", ROWS)
def test_decides_as_protobuf(row):
    check(ROWS[row])


def histogram(counts, bounds, count=None):
    point = TIME + field(4, 1, struct.pack("<Q", sum(counts) if count is None else count))
    point += field(6, 2, struct.pack(f"<{len(counts)}Q", *counts))
    point += field(7, 2, struct.pack(f"<{len(bounds)}d", *bounds))
    return request(field(1, 2, b"m") + field(9, 2, field(1, 2, point) + field(2, 0, b"\x02")))


@pytest.mark.parametrize(
    ("counts", "bounds", "count", "reason"),
    [
        ([1, 2, 3], [1.0, 2.0], None, 0),
        ([], [], 5, 0),
        ([1, 2], [1.0, 2.0], None, 5),
        ([1, 2, 3], [1.0, 2.0], 7, 6),
        ([1, 2, 3], [2.0, 2.0], None, 7),
        ([1, 2, 3], [1.0, float("nan")], None, 7),
    ],
)
def test_buckets_that_contradict_themselves_are_refused(counts, bounds, count, reason):
    data = histogram(counts, bounds, count)
    assert check(data)
    ((*_, (found,)),) = Scanner().scan(data)
    assert found[0] == reason


def test_a_payload_has_bounds_then_a_row():
    ((*_, (found,)),) = Scanner().scan(histogram([1, 2, 3], [1.0, 2.0]))
    assert found[4] == 6
    assert found[6] == [int.from_bytes(struct.pack("<d", bound), "little") for bound in (1.0, 2.0)]
    assert found[7] == [0, 0, 0, 1, 2, 3]
