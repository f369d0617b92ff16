"""OTLP over HTTP: POST /v1/metrics, and an answer for /v1/traces and /v1/logs."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..interfaces import MetricStorage
from ..otlp.responses import Code, ExportResponse, Status
from .arrivals import Arrivals
from .body import Bodies, content_encoding
from .export import export_metrics
from .http_errors import JSON, PROTOBUF, Refused, media_type
from .statuses import export_status

# Bodies up to so many bytes are stored on the event loop: a thread adds 0.1 to 0.3 ms to a request
# (measured on two busy cores), more than the store needs for a thousand points. A compressed body may
# be a thousand times as long inside. JSON always goes to a thread: it takes a hundred times as long as
# protobuf, with the interpreter locked.
_INLINE = {"": 256 << 10, "identity": 256 << 10}
_INLINE_COMPRESSED = 8 << 10


class OtlpHttp:
    """The handlers; one object for one storage."""

    def __init__(self, storage: MetricStorage, bodies: Bodies, arrivals: Arrivals) -> None:
        self._storage = storage
        self._bodies = bodies
        self._arrivals = arrivals

    async def metrics(self, request: Request) -> Response:
        kind = _otlp_media_type(request)
        encoding = content_encoding(request)
        with self._bodies.of(request) as body:
            data = await body.read()

            def work() -> ExportResponse | Status:
                nonlocal data
                try:
                    plain = body.inflate(data, encoding)
                except Refused:
                    raise
                except Exception as error:
                    return export_status(error)
                finally:
                    # The thread keeps this function a moment longer than the body counts.
                    data = b""
                return export_metrics(self._storage, plain, kind == JSON)

            inline = kind != JSON and len(data) <= _INLINE.get(encoding, _INLINE_COMPRESSED)
            answer = work() if inline else await run_in_threadpool(work)
        if isinstance(answer, Status):
            raise Refused(answer)
        self._arrivals.arrived("http", "metrics")
        return _success(answer, kind)

    async def traces(self, request: Request) -> Response:
        return await self._ignore(request, "traces")

    async def logs(self, request: Request) -> Response:
        return await self._ignore(request, "logs")

    async def _ignore(self, request: Request, signal: str) -> Response:
        """Accept and drop, so that an SDK that sends everything to one port does not fill its log."""
        kind = _otlp_media_type(request)
        with self._bodies.of(request) as body:
            await body.read()
        self._arrivals.arrived("http", signal)
        return _success(ExportResponse(signal=signal), kind)


def _otlp_media_type(request: Request) -> str:
    kind = media_type(request)
    if kind != JSON and kind not in PROTOBUF:
        message = (
            f"Content-Type {kind[:50]!r} is not OTLP; send application/x-protobuf "
            "or application/json."
        )
        raise Refused(Status(Code.INVALID_ARGUMENT, message), 415)
    return kind


def _success(answer: ExportResponse, kind: str) -> Response:
    body = answer.to_json() if kind == JSON else answer.to_bytes()
    return Response(body, media_type=kind)
