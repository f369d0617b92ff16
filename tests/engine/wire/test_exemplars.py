"""The exemplars of a point: which are kept, and how they stand in its payload."""

import pytest
from drivers.scanner import Scanner
from helpers.otlp import field
from helpers.wire_bytes import gauge, point, request
from helpers.wire_oracle import check

VALUE = field(3, 1, bytes(8))
GOOD = (
    field(2, 1, (5).to_bytes(8, "little")) + VALUE + field(4, 2, b"s" * 8) + field(5, 2, b"t" * 16)
)


def scanned(*exemplars):
    data = request(gauge(point(b"".join(field(5, 2, each) for each in exemplars))))
    assert check(data)
    ((*_, (found,)),) = Scanner().scan(data)
    return found


def test_each_stands_after_its_length():
    found = scanned(GOOD, VALUE)
    both = b"".join(len(each).to_bytes(4, "little") + each for each in (GOOD, VALUE))
    assert found[8:] == (both, 0)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        field(2, 1, (5).to_bytes(8, "little")),
        VALUE + field(4, 2, b"s" * 7),
        VALUE + field(5, 2, b"t" * 17),
        VALUE + field(2, 1, b"\xff" * 8),
    ],
)
def test_a_bad_one_is_dropped_and_counted(bad):
    found = scanned(GOOD, bad)
    assert found[8:] == (len(GOOD).to_bytes(4, "little") + GOOD, 1)


def test_one_that_is_no_message_refuses_the_request():
    data = request(gauge(point(field(5, 2, b"\x0a"))))
    assert not check(data)
    assert Scanner().scan(data) is None
