"""Stored exemplars as objects; they are kept as the bytes that came."""

from __future__ import annotations

from ..errors import DecodeError
from ..model import Exemplar
from .attributes import attributes_from_key_values


def exemplar_from_bytes(message: bytes) -> Exemplar:
    """The `Exemplar` of an OTLP Exemplar message; `DecodeError` if the bytes are none, or have no value."""
    from google.protobuf.message import DecodeError as ProtobufDecodeError
    from opentelemetry.proto.metrics.v1 import metrics_pb2

    try:
        parsed = metrics_pb2.Exemplar.FromString(message)
    except ProtobufDecodeError as error:
        raise DecodeError(f"{len(message)} bytes are no OTLP Exemplar: {error}") from None
    kind = parsed.WhichOneof("value")
    if kind is None:
        raise DecodeError("An Exemplar without a value.")
    return Exemplar(
        value=parsed.as_int if kind == "as_int" else parsed.as_double,
        timestamp=parsed.time_unix_nano,
        trace_id=parsed.trace_id,
        span_id=parsed.span_id,
        attributes=attributes_from_key_values(parsed.filtered_attributes),
    )
