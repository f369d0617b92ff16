"""The scanner against protobuf's own decoder: the same bytes accepted, every number equal."""

import random

import pytest
from google.protobuf.internal import api_implementation
from helpers import otlp
from helpers.otlp import field
from helpers.wire_bytes import GOOD, attribute, gauge, point, request
from helpers.wire_oracle import check
from helpers.wire_requests import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

EXAMPLES = 200
ROWS = {
    "empty input": b"",
    "a good request": GOOD,
    "oneof message twice is merged": request(
        field(1, 2, b"m") + field(5, 2, field(1, 2, point())) * 2
    ),
    "oneof A, B, A keeps the last A": request(
        field(1, 2, b"m")
        + field(5, 2, field(1, 2, point()))
        + field(7, 2, field(1, 2, point()))
        + field(5, 2, field(1, 2, point()))
    ),
    "name twice: the last one wins": request(field(1, 2, b"first") + gauge(point())),
    "wrong wire type on a known field is unknown": request(field(1, 0, b"\x05") + gauge(point())),
    "invalid UTF-8 in a dropped member": request(
        field(1, 2, b"m")
        + field(5, 2, field(1, 2, point(attribute(field(1, 2, b"\xff")))))
        + field(7, 2, b"")
    ),
    "two halves that are only right together": request(
        field(1, 2, b"m") + field(5, 2, b"\x0a") + field(5, 2, b"\x00")
    ),
    "invalid UTF-8 in a resource without metrics": field(
        1, 2, field(1, 2, attribute(b"\x0a\x01\xff", 1))
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_decides_as_protobuf(row):
    check(ROWS[row])


def test_protobuf_is_upb():
    """What is compared with is the reference decoder, not its slow Python twin."""
    assert api_implementation.Type() == "upb"


relaxed = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@relaxed
@given(requests(), st.integers(0, 2**32))
def test_any_order_of_the_same_request(request, seed):
    data = request.SerializeToString()
    assert check(data)
    assert check(otlp.reverse_fields(data))
    assert check(otlp.shuffle_fields(data, seed))
    assert check(otlp.unpack_packed(data))
    assert check(otlp.split_messages(data, seed))
    assert check(otlp.add_unknown(data, seed))
    assert check(otlp.add_unknown(otlp.shuffle_fields(otlp.split_messages(data, seed), seed), seed))


@relaxed
@given(requests(), st.integers(0, 2**32))
@example(ExportMetricsServiceRequest(), 0)
def test_mutated_bytes(request, seed):
    data = request.SerializeToString()
    chance = random.Random(seed)
    for _ in range(20):
        check(mutated(data, chance))


def mutated(data, chance):
    """A few bytes changed, taken out, put in, or copied from elsewhere."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(5):
            case 0 if out:
                out[at % len(out)] = chance.randrange(256)
            case 1 if out:
                out[at % len(out)] ^= 1 << chance.randrange(8)
            case 2:
                del out[at : at + chance.randint(1, 4)]
            case 3:
                out[at:at] = chance.randbytes(chance.randint(1, 4))
            case 4 if out:
                begin = chance.randrange(len(out))
                out[at:at] = out[begin : begin + chance.randint(1, 30)]
    return bytes(out)


@pytest.mark.parametrize(
    "tail", [b"", b"\x0a\x00", b"\x0a", b"\x0b", b"\x0c", b"\x00", b"\x07\x00"]
)
def test_odd_ends(tail):
    check(tail)
