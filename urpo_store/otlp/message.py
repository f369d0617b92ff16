"""Message objects of opentelemetry-proto to request bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DecodeError
from .wire import length_delimited

if TYPE_CHECKING:
    from google.protobuf.message import Message

_REQUEST = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest"
_METRICS_DATA = "opentelemetry.proto.metrics.v1.MetricsData"
_RESOURCE_METRICS = "opentelemetry.proto.metrics.v1.ResourceMetrics"


def request_from_message(message: Message) -> bytes:
    """The bytes of the request that is `message`, or that contains it.

    `message` is an `ExportMetricsServiceRequest`, a `MetricsData` or a `ResourceMetrics`. It is
    recognized by its full name, so that classes generated elsewhere from the same .proto files work.
    Raises TypeError for anything else and `DecodeError` for a message that cannot be serialized.
    """
    name = getattr(getattr(message, "DESCRIPTOR", None), "full_name", None)
    if name not in (_REQUEST, _METRICS_DATA, _RESOURCE_METRICS):
        raise TypeError(
            f"{name or type(message).__qualname__} is not a metrics message; give an "
            "ExportMetricsServiceRequest, a MetricsData or a ResourceMetrics."
        )
    from google.protobuf.message import EncodeError

    try:
        body = message.SerializeToString()
    except EncodeError as error:
        raise DecodeError(f"The {name.rpartition('.')[2]} cannot be serialized: {error}") from None
    # MetricsData and the request have the same one field: resource_metrics, number 1.
    return length_delimited(1, body) if name == _RESOURCE_METRICS else body
