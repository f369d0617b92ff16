"""Receivers: OTLP over gRPC and HTTP, and the HTTP API, in front of any `MetricStorage`.

    asgi_app(storage)                     an ASGI app: serve it, or mount it in your own
    add_metrics_service(server, storage)  the OTLP metrics service, on your own gRPC server
    Server(storage), serve(storage)       both, on ports of their own, with everything around them

They need grpcio, starlette and uvicorn: pip install 'urpo-store[server]'. Each is imported only
when the name that needs it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..model import ReceiverStatus
from .arrivals import Arrivals
from .limits import Limits

if TYPE_CHECKING:
    from .app import asgi_app
    from .grpc_service import add_metrics_service
    from .server import Server, serve

__all__ = [
    "Arrivals",
    "Limits",
    "ReceiverStatus",
    "Server",
    "add_metrics_service",
    "asgi_app",
    "serve",
]

_HOMES = {
    "asgi_app": ".app",
    "add_metrics_service": ".grpc_service",
    "Server": ".server",
    "serve": ".server",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(_HOMES[name], __name__)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("grpc", "starlette", "uvicorn", "h11"):
            raise
        raise ModuleNotFoundError(
            f"urpo_store.receiver.{name} needs {missing}: pip install 'urpo-store[server]'",
            name=missing,
        ) from None
    return getattr(module, name)
