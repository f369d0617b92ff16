"""The OTLP services over gRPC, on anyone's server.

Requests stay bytes (`request_deserializer=None`): they go to the scanner as they came. grpcio would
answer INTERNAL for bytes that it cannot decode, where OTLP wants INVALID_ARGUMENT.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

import grpc

from ..interfaces import MetricStorage
from ..otlp.responses import Code, ExportResponse, Status
from .arrivals import Arrivals
from .export import export_metrics
from .limits import Limits

_SERVICES = {
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def add_metrics_service(
    server: grpc.Server,
    storage: MetricStorage,
    *,
    token: str | None = None,
    other_signals: bool = False,
    limits: Limits | None = None,
    arrivals: Arrivals | None = None,
) -> None:
    """Add the OTLP metrics service, storing into `storage`, to a server that is not started yet.

    With `token` requests must carry "authorization: Bearer <token>". With `other_signals` traces
    and logs are accepted as well, and dropped: an SDK that sends all three to one port would log an
    error for each request otherwise. Leave it off on a server that has services for them.

    How large a message may be is an option of the server, "grpc.max_receive_message_length"
    (4 MiB unless set; OTLP recommends 64 MiB).
    """
    limits = limits or Limits()
    arrivals = arrivals or Arrivals()
    expected = None if token is None else f"Bearer {token}".encode()

    def store(request: bytes) -> ExportResponse | Status:
        if len(request) > limits.request_bytes:
            return Status(
                Code.RESOURCE_EXHAUSTED,
                f"The request has {len(request)} bytes, more than the limit of "
                f"{limits.request_bytes}. Send smaller batches.",
            )
        return export_metrics(storage, request)

    def handler(signal: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(request: bytes, context: grpc.ServicerContext) -> bytes:
            answer: ExportResponse | Status
            if expected is not None and not _is_authorized(context, expected):
                answer = Status(Code.UNAUTHENTICATED, "The bearer token is missing or wrong.")
            elif signal == "metrics":
                answer = store(request)
            else:
                answer = ExportResponse(signal=signal)
            if isinstance(answer, Status):
                arrivals.refused("grpc", answer.code.name, answer.message)
                _abort(context, answer)
            arrivals.arrived("grpc", signal)
            return answer.to_bytes()

        return export

    for signal, service in _SERVICES.items():
        if signal == "metrics" or other_signals:
            method = grpc.unary_unary_rpc_method_handler(handler(signal))
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {"Export": method}),)
            )


def _is_authorized(context: grpc.ServicerContext, expected: bytes) -> bool:
    for key, value in context.invocation_metadata():
        if key == "authorization":
            found = value.encode() if isinstance(value, str) else value
            return hmac.compare_digest(found, expected)
    return False


def _abort(context: grpc.ServicerContext, status: Status) -> None:
    """Raises. The details go into the standard trailer; the retry delay also where Python looks."""
    trailers = [("grpc-status-details-bin", status.to_bytes())]
    if status.retry_after is not None:
        trailers.append(("google.rpc.retryinfo-bin", status.retry_info()))
    context.set_trailing_metadata(tuple(trailers))
    context.abort(_CODES[int(status.code)], status.message)
