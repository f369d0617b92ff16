"""Small requests, written byte by byte."""

from helpers.otlp import field

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
