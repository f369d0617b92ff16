"""The OTLP services over gRPC, on any gRPC server.

Requests stay bytes (`request_deserializer=None`) and go to the scanner as they came. grpcio would
answer INTERNAL for bytes that it cannot decode, where OTLP wants INVALID_ARGUMENT.

The method is a stream here, though it has one message; the wire does not tell the difference. For a
unary method grpcio waits for the message before any of our code runs.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterator

import grpc

from ..interfaces import MetricStorage
from ..otlp.responses import Code, ExportResponse, Status
from .arrivals import Arrivals
from .budget import Budget, OverBudgetError
from .calls import Calls
from .export import export_metrics
from .limits import Limits
from .statuses import RETRY_AFTER, export_status

_SERVICES = {
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
# Requests that are stored at a time. Many threads may wait for messages; more than this at work would
# only contend for the interpreter.
_STORED_AT_ONCE = 8


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

    With `token`, requests must carry "authorization: Bearer <token>". With `other_signals`, traces
    and logs are accepted too, and dropped: an SDK that sends all three to one port would otherwise
    log an error for each request. Leave it off on a server that has services for them.

    The server's option "grpc.max_receive_message_length" bounds a message (4 MiB by default; OTLP
    recommends 64 MiB). A call holds a thread of the server while it waits for its message: give the
    server more threads than there may be slow senders.
    """
    limits = limits or Limits()
    arrivals = arrivals or Arrivals()
    calls = Calls(limits, arrivals)
    budget = Budget(max(limits.bodies_bytes, 2 * limits.request_bytes))
    storing = threading.BoundedSemaphore(_STORED_AT_ONCE)
    expected = None if token is None else f"Bearer {token}".encode()

    def store(request: bytes) -> ExportResponse | Status:
        if len(request) > limits.request_bytes:
            return Status(
                Code.RESOURCE_EXHAUSTED,
                f"The request has {len(request)} bytes, more than the limit of "
                f"{limits.request_bytes}. Send smaller batches.",
            )
        with storing:
            return export_metrics(storage, request)

    def received(signal: str, request: bytes) -> ExportResponse | Status:
        with budget.share() as share:
            try:
                budget.take(share, len(request))
            except OverBudgetError as error:
                return export_status(error)
            return store(request) if signal == "metrics" else ExportResponse(signal=signal)

    def handler(signal: str) -> Callable[[Iterator[bytes], grpc.ServicerContext], bytes]:
        def export(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            answer: ExportResponse | Status
            if expected is not None and not _is_authorized(context, expected):
                answer = Status(Code.UNAUTHENTICATED, "The bearer token is missing or wrong.")
            elif not calls.begin(context):
                answer = Status(Code.UNAVAILABLE, "Too many calls at a time.", RETRY_AFTER)
            elif (request := calls.message(requests, context)) is None:
                answer = Status(Code.INVALID_ARGUMENT, "The call has no message.")
            else:
                answer = received(signal, request)
            if isinstance(answer, Status):
                arrivals.refused("grpc", answer.code.name, answer.message)
                _abort(context, answer)
            arrivals.arrived("grpc", signal)
            return answer.to_bytes()

        return export

    for signal, service in _SERVICES.items():
        if signal == "metrics" or other_signals:
            method = grpc.stream_unary_rpc_method_handler(handler(signal))
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
    """End the call with `status`; always raises. Python reads the retry delay from a trailer of its own."""
    trailers = [("grpc-status-details-bin", status.to_bytes())]
    if status.retry_after is not None:
        trailers.append(("google.rpc.retryinfo-bin", status.retry_info()))
    context.set_trailing_metadata(tuple(trailers))
    context.abort(_CODES[int(status.code)], status.message)
