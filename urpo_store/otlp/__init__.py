"""OTLP at the edges: every form in which metrics arrive becomes the bytes of one protobuf request.

    request_from_json      OTLP/JSON text
    request_from_message   message objects of opentelemetry-proto
    request_from_point     a `MetricPoint`

What `MetricStorage.ingest` takes is the result, so that the same metrics store the same, whatever
they came as. `responses` writes what a receiver answers; `exemplar` reads stored exemplars.

Importing this package does not import protobuf: that happens in the first call that needs it.
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
