"""The ASGI app: OTLP over HTTP and the HTTP API, in front of one storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..interfaces import MetricStorage
from ..otlp.responses import Code, Status
from .api import Api
from .arrivals import Arrivals
from .body import Bodies
from .guard import HostGuard, LengthGuard, TokenGuard
from .http_errors import Refused, error_response
from .limits import Limits
from .otlp_http import OtlpHttp


def asgi_app(
    storage: MetricStorage,
    *,
    token: str | None = None,
    insecure: bool = False,
    cors_origins: Sequence[str] = (),
    other_signals: bool = False,
    api: bool = True,
    limits: Limits | None = None,
    arrivals: Arrivals | None = None,
) -> Starlette:
    """An ASGI app that stores what is posted to /v1/metrics and answers questions.

    Serve it with any ASGI server, or mount it: `app.mount("/", asgi_app(storage))` after your own
    routes, in FastAPI or Starlette.

    With `token`, every request must carry "Authorization: Bearer <token>". Without one, only
    requests to a loopback Host are answered. `insecure` answers all of them; use it where your own
    middleware has checked them. `cors_origins` names the other origins whose pages may call, such
    as "http://localhost:3000".

    With `other_signals`, traces and logs are accepted too, and dropped. Without `api`, the app takes
    OTLP only. `arrivals` counts requests; share it with `add_metrics_service`.
    """
    limits = limits or Limits()
    arrivals = arrivals or Arrivals()
    bodies = Bodies(limits)
    otlp = OtlpHttp(storage, bodies, arrivals)
    routes: list[BaseRoute] = [Route("/v1/metrics", otlp.metrics, methods=["POST"])]
    if other_signals:
        routes.append(Route("/v1/traces", otlp.traces, methods=["POST"]))
        routes.append(Route("/v1/logs", otlp.logs, methods=["POST"]))
    if api:
        routes += Api(storage, limits, bodies, arrivals).routes()

    # The outermost first. CORS comes before the token, since a preflight carries none.
    middleware = [Middleware(LengthGuard, arrivals=arrivals)]
    if token is None and not insecure:
        middleware.append(Middleware(HostGuard, arrivals=arrivals))
    if cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(cors_origins),
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=["Retry-After"],
            )
        )
    if token is not None:
        middleware.append(Middleware(TokenGuard, token=token, arrivals=arrivals))

    return Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers=_error_answers(arrivals),
    )


def _error_answers(arrivals: Arrivals) -> dict[Any, Any]:
    """The handlers of exceptions; every error has the same form."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        # The frames of the failed handler hold the body: free it before the client takes the answer.
        error.__traceback__ = error.__context__ = error.__cause__ = None
        arrivals.refused("http", str(error.http_status), error.status.message)
        return error_response(request, error)

    async def unrouted(request: Request, error: Exception) -> Response:
        """Starlette's 404 and 405, in the form of all other errors."""
        assert isinstance(error, HTTPException)
        codes = {404: Code.NOT_FOUND, 405: Code.UNIMPLEMENTED}
        messages = {
            404: f"There is nothing at {request.url.path}; OTLP goes to /v1/metrics.",
            405: f"{request.url.path} does not take {request.method}.",
        }
        status = Status(
            codes.get(error.status_code, Code.INVALID_ARGUMENT),
            messages.get(error.status_code, error.detail),
        )
        headers = dict(error.headers or {})
        return await refused(request, Refused(status, error.status_code, headers=headers))

    def disconnected(request: Request, error: Exception) -> Response:
        return Response(status_code=400)  # nobody reads it

    return {Refused: refused, HTTPException: unrouted, ClientDisconnect: disconnected}
