"""How points are put down: slots, start times, attributes that are not one run."""

from drivers.scanner import Scanner
from helpers.otlp import field
from helpers.wire_bytes import TIME, VALUE, attribute, gauge, point, request


def test_points_after_one_start_share_a_slot():
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
