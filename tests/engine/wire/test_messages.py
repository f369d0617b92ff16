"""Whether a message is well formed, as deep as protobuf allows."""

import pytest
from drivers.scanner import Scanner
from google.protobuf.message import DecodeError
from helpers.otlp import field, varint
from helpers.wire_bytes import attribute, gauge, nested, point, request
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)


@pytest.mark.parametrize("levels", [1, 45, 46, 47, 48, 49, 60])
def test_nesting_ends_where_protobufs_does(levels):
    for number, wrap in ((7, lambda a: request(gauge(point(a)))), (1, None)):
        data = attribute(nested(levels), number)
        if wrap is None:
            data = request(gauge(point()), scope=b"") + field(1, 2, field(1, 2, data))
        else:
            data = wrap(data)
        try:
            ExportMetricsServiceRequest.FromString(data)
            accepted = True
        except DecodeError:
            accepted = False
        assert (Scanner().scan(data) is not None) == accepted


def test_two_million_levels_are_refused_without_recursion():
    data = b""
    level = b"\x2a\x00"
    # Built inside out would take for ever: the prefix of a deep list is the same two tags, again and
    # again, with lengths that reach to the end.
    size = 2_000_000
    out = bytearray()
    remaining = size * 12
    for _ in range(size):
        out += b"\x2a" + varint(remaining) + b"\x0a" + varint(remaining - 6)
        remaining -= 12
    data = request(gauge(point(attribute(bytes(out) + level))))
    assert Scanner().scan(data) is None
