"""Requests of very many attribute sets, made fast enough for millions."""

import numpy as np

from helpers.otlp import varint

BASE = 1_700_000_000_000_000_000
SECOND = 10**9


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def fast_sums(first, count, temporality, time, value=1.0, key=b"id"):
    """As `sums_of` with `count` numbers from `first` on."""
    return sums_of(np.arange(first, first + count), temporality, time, value, key)


def sums_of(numbers, temporality, time, value=1.0, key=b"id"):
    """A request of sets that differ in the number under `key`: a template, its digits filled in.

    :param temporality: 1 delta, 2 cumulative; the sum is monotonic.
    """
    digits = b"00000000"
    attributes = field(7, field(1, b"route") + field(2, field(1, b"/pay")))
    attributes += field(7, field(1, key) + field(2, field(1, digits)))
    times = b"\x11" + (BASE - SECOND).to_bytes(8, "little") + b"\x19" + time.to_bytes(8, "little")
    one = field(1, times + b"\x21" + np.float64(value).tobytes() + attributes)
    points = np.tile(np.frombuffer(one, np.uint8), (len(numbers), 1))
    at = one.index(digits)
    for place in range(8):
        points[:, at + 7 - place] = ord("0") + numbers // 10**place % 10
    data = points.tobytes() + b"\x10" + bytes([temporality]) + b"\x18\x01"
    resource = field(1, field(1, b"service.name") + field(2, field(1, b"attacked")))
    metric = field(1, b"attack") + field(7, data)
    return field(1, field(1, resource) + field(2, field(2, metric)))
