"""uvicorn's HTTP/1.1 protocol, with the limits that it lacks.

uvicorn closes idle connections after a response. It waits without end for

- the first bytes of a connection,
- the rest of a header,
- the rest of a body that no handler reads (of a request that was refused early),
- a client that does not take its answer.

Each of these holds one of a limited number of connections, so each has a timer here. Connections
beyond that number are answered with a Retry-After, which uvicorn's own limit does not send. What is
not HTTP is refused with a `google.rpc.Status`, where uvicorn sends a line of text.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..otlp.responses import Code, Status
from .arrivals import Arrivals
from .http_errors import JSON, Refused, error_response
from .limits import Limits
from .statuses import RETRY_AFTER

# The first bytes of an HTTP/2 client, such as a gRPC exporter that was given the HTTP port.
_HTTP2_PREFACE = b"PRI * HTTP/2.0"
_WRONG_PORT = (
    "An HTTP/2 client, perhaps a gRPC exporter, came to the port for OTLP over HTTP; "
    "gRPC has a port of its own."
)


class LimitedProtocol(H11Protocol):
    """One connection. Only the event loop's thread touches its state."""

    limits: ClassVar[Limits]
    arrivals: ClassVar[Arrivals]
    _read_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # uvicorn's own option would silence every other uvicorn server in the process too.
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self.app = _overloaded(self.arrivals)
        if len(self.connections) > 2 * self.limits.connections:
            transport.abort()
        self._watch_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._read_timer = _cancel(self._read_timer)
        self._write_timer = _cancel(self._write_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.cycle is None and data.startswith(_HTTP2_PREFACE):
            self.arrivals.refused("http", "HTTP/2", _WRONG_PORT)
            self.transport.abort()
            return
        super().data_received(data)
        self._watch_reading()

    def send_400_response(self, msg: str) -> None:
        status = Status(Code.INVALID_ARGUMENT, msg)
        self.arrivals.refused("http", "400", status.message)
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()  # The answer has begun, or has ended.
            return
        body = status.to_json()
        headers = {
            "Content-Type": JSON,
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        answer = h11.Response(status_code=400, reason="Bad Request", headers=[*headers.items()])
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch_reading(self) -> None:
        """Run a timer while the client owes bytes: the first one, a head, or the rest of a body."""
        in_handler = self.cycle is not None and not self.cycle.response_complete
        kept_alive = self.timeout_keep_alive_task is not None
        if in_handler or kept_alive:
            self._read_timer = _cancel(self._read_timer)
        elif self._read_timer is None and not self.transport.is_closing():
            self._read_timer = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.answer_seconds, self._too_slow)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write_timer = _cancel(self._write_timer)

    def _too_slow(self) -> None:
        self.transport.abort()


def limited_protocol(limits: Limits, arrivals: Arrivals) -> type[LimitedProtocol]:
    """A protocol class with these limits, for uvicorn's option `http`."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits, "arrivals": arrivals})


def _overloaded(arrivals: Arrivals) -> ASGIApp:
    """The app that answers connections beyond the limit."""

    async def overloaded(scope: Scope, receive: Receive, send: Send) -> None:
        status = Status(Code.UNAVAILABLE, "Too many connections at a time.", RETRY_AFTER)
        arrivals.refused("http", "503", status.message)
        answer = error_response(Request(scope), Refused(status, headers={"Connection": "close"}))
        await answer(scope, receive, send)

    return overloaded


def _cancel(timer: asyncio.TimerHandle | None) -> Any:
    if timer is not None:
        timer.cancel()
    return None
