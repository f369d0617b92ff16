"""The memory of a scan: what is put together takes a few times its size, and is given back."""

import pytest
from drivers.scanner import Scanner
from helpers.otlp import field
from helpers.wire_bytes import GOOD, gauge, point, request


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
