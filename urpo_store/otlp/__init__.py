"""OTLP at the edges: turns every form of metrics into the bytes of one protobuf request.

    request_from_json      OTLP/JSON text
    request_from_message   message objects of opentelemetry-proto
    request_from_point     a `MetricPoint`

`MetricStorage.ingest` takes these bytes, so that metrics store the same in every form. `responses`
writes the answers of a receiver; `exemplar` reads stored exemplars.

Importing this package does not import protobuf; the first call that needs it does.
"""

from .exemplar import exemplar_from_bytes
from .json import request_from_json
from .message import request_from_message
from .point import request_from_point

__all__ = [
    "exemplar_from_bytes",
    "request_from_json",
    "request_from_message",
    "request_from_point",
]
