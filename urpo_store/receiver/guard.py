"""Checks requests to the HTTP port: the bearer token, or without one a loopback Host.

Any web page can make its own name resolve to 127.0.0.1 (DNS rebinding), and is then same-origin with
this server. Its requests still carry that name in Host. So without a token, only loopback names are
answered.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..otlp.responses import Code, Status
from .arrivals import Arrivals
from .http_errors import Refused, error_response


def is_loopback(host: str) -> bool:
    """Whether `host` (no port, no brackets) names this machine; nothing is looked up."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _host_name(header: str) -> str:
    """The name in a Host header: without the port, without the brackets of IPv6."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


async def _refuse(arrivals: Arrivals, request: Request, refused: Refused, send: Send) -> None:
    arrivals.refused("http", str(refused.http_status), refused.status.message)
    await error_response(request, refused)(request.scope, request.receive, send)


class LengthGuard:
    """Refuses requests with both Content-Length and Transfer-Encoding, and closes their connection.

    What one reader takes for the body, another takes for the next request: request smuggling
    (RFC 9112, 6.1).
    """

    def __init__(self, app: ASGIApp, arrivals: Arrivals) -> None:
        self._app = app
        self._arrivals = arrivals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            if {"content-length", "transfer-encoding"} <= set(request.headers):
                status = Status(
                    Code.INVALID_ARGUMENT,
                    "The request has both Content-Length and Transfer-Encoding; send one of them.",
                )
                refused = Refused(status, 400, headers={"Connection": "close"})
                await _refuse(self._arrivals, request, refused, send)
                return
        await self._app(scope, receive, send)


class HostGuard:
    """Refuses requests whose Host is not loopback."""

    def __init__(self, app: ASGIApp, arrivals: Arrivals) -> None:
        self._app = app
        self._arrivals = arrivals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            hosts = request.headers.getlist("host")
            if len(hosts) != 1 or not is_loopback(_host_name(hosts[0])):
                shown = hosts[0][:100] if hosts else ""
                status = Status(
                    Code.PERMISSION_DENIED,
                    f"The Host {shown!r} is not this machine's loopback. Use http://127.0.0.1, or "
                    "start the server with a token (--auth-token).",
                )
                refused = Refused(status, error="ConfigError")
                await _refuse(self._arrivals, request, refused, send)
                return
        await self._app(scope, receive, send)


class TokenGuard:
    """Refuses requests without "Authorization: Bearer <token>"."""

    def __init__(self, app: ASGIApp, token: str, arrivals: Arrivals) -> None:
        self._app = app
        self._expected = token.encode()
        self._arrivals = arrivals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            scheme, _, found = request.headers.get("authorization", "").partition(" ")
            # As bytes: compare_digest takes text only if it is ASCII.
            same = hmac.compare_digest(found.strip().encode("latin-1"), self._expected)
            if scheme.lower() != "bearer" or not same:
                status = Status(Code.UNAUTHENTICATED, "The bearer token is missing or wrong.")
                refused = Refused(
                    status, error="ConfigError", headers={"WWW-Authenticate": "Bearer"}
                )
                await _refuse(self._arrivals, request, refused, send)
                return
        await self._app(scope, receive, send)
