"""Points of summaries."""

from drivers.scanner import Scanner
from helpers import otlp
from helpers.otlp import field
from helpers.wire_bytes import TIME, request
from helpers.wire_oracle import check


def double(number, value):
    return field(number, 1, otlp.bits(value).to_bytes(8, "little"))


def summary(*points):
    inside = b"".join(field(1, 2, TIME + each) for each in points)
    return request(field(1, 2, b"m") + field(11, 2, inside))


def quantile(level, value):
    return field(6, 2, double(1, level) + double(2, value))


def test_a_payload_has_quantiles_then_sum_and_values():
    data = summary(quantile(0.5, 3.0) + double(5, 9.0) + quantile(0.9, 8.0))
    assert check(data)
    ((*_, (found,)),) = Scanner().scan(data)
    assert found[6] == [otlp.bits(0.5), otlp.bits(0.9)]
    assert found[7] == [otlp.bits(9.0), otlp.bits(3.0), otlp.bits(8.0)]


def test_a_mark_has_no_quantiles():
    data = summary(quantile(0.5, 3.0) + double(5, 9.0) + field(8, 0, b"\x01"))
    assert check(data)
    ((*_, (found,)),) = Scanner().scan(data)
    assert found[6:8] == ([], [0])
