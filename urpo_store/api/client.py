"""A `MetricStorage` that is a running `urpo-store serve`, reached over its HTTP API.

`urpo_store.open("http://127.0.0.1:4318")` gives one. It needs nothing but the standard library and
numpy. Answers are the same dataclasses that an embedded store returns, with one difference that
JSON makes: NaN loses its payload.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from .. import errors
from ..errors import ConfigError, StoreClosedError, UnreachableError, UrpoStoreError
from ..model import (
    Duration,
    IngestResult,
    MetricInfo,
    MetricPoint,
    MetricQuery,
    MetricTable,
    ReceiverStatus,
    Rejection,
    SeriesExemplar,
    SeriesInfo,
    ServiceHealthMetrics,
    StoreStats,
    Time,
)
from ..otlp import request_from_json, request_from_message, request_from_point
from ..query.arrow import arrow_stream
from .json import decode, decode_series
from .query import encode_query, encode_time
from .scalars import dumps

if TYPE_CHECKING:
    from google.protobuf.message import Message

_PREFIX = "/api/urpo/v1"
_IDLE_CONNECTIONS = 8  # kept open for the next calls


class HttpStorage:
    """The storage behind `url`, such as "http://127.0.0.1:4318".

    `token` is the server's bearer token; `timeout` how many seconds a call may wait for bytes;
    `tls_ca` the path of a PEM file with the authority of an "https" server, beside the system's.
    Making one does not connect. Any thread may call any method at any time.

    Every method raises `UnreachableError` when the server cannot be reached, `ConfigError` when it
    does not accept the token, `StoreClosedError` when its store is closed, and what the method of a
    `MetricStorage` raises otherwise.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 60.0,
        tls_ca: str | None = None,
    ) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"the URL {url!r} is wrong: {error}.") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"the URL {url!r} is wrong; one looks like http://127.0.0.1:4318.")
        if parts.query or parts.fragment or parts.username is not None:
            raise ConfigError(f"the URL {url!r} has more than a host, a port and a path.")
        if token is not None and not token.isprintable():
            raise ConfigError("the token holds characters that a header cannot.")
        self.url = url.rstrip("/")
        self._host: str = parts.hostname
        self._port = port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        self._timeout = timeout
        self._headers = {"Accept": "application/json"}
        if token is not None:
            self._headers["Authorization"] = "Bearer " + token.encode().decode("latin-1")
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context()
            if tls_ca is not None:
                try:
                    self._tls.load_verify_locations(tls_ca)
                except OSError as error:
                    raise ConfigError(f"cannot use {tls_ca} as a TLS authority: {error}") from None
        # Guards the two below. A connection is either idle in the list or used by one call.
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._closed = False

    def __repr__(self) -> str:
        return f"HttpStorage({self.url!r})"

    def __enter__(self) -> HttpStorage:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ingest(self, request: bytes) -> IngestResult:
        body = bytes(request)
        tree = self._call("POST", "/ingest", body=body, content_type="application/x-protobuf")
        return decode(IngestResult, tree)

    def ingest_json(self, request: bytes | str) -> IngestResult:
        """`ingest` for OTLP/JSON."""
        return self.ingest(request_from_json(request))

    def ingest_message(self, request: Message) -> IngestResult:
        """`ingest` for message objects of opentelemetry-proto."""
        return self.ingest(request_from_message(request))

    def store_metric(self, point: MetricPoint) -> IngestResult:
        return self.ingest(request_from_point(point))

    def query_metrics(self, query: MetricQuery) -> MetricTable:
        tree = self._ask("/query", query)
        return MetricTable(decode_series(tree), arrow_stream)

    def get_service_health(
        self, service: str, window: Duration = "5m", at: Time | None = None
    ) -> ServiceHealthMetrics | None:
        tree = self._call("GET", "/health", service=service, window=window, at=_moment(at))
        return None if tree is None else decode(ServiceHealthMetrics, tree)

    def health(self, window: Duration = "5m", at: Time | None = None) -> list[ServiceHealthMetrics]:
        """The health of every service, in one call."""
        tree = self._call("GET", "/health", window=window, at=_moment(at))
        return [decode(ServiceHealthMetrics, item) for item in tree]

    def services(self) -> list[str]:
        names: list[str] = self._call("GET", "/services")
        return names

    def metrics(self, service: str | None = None) -> list[MetricInfo]:
        tree = self._call("GET", "/metrics", service=service)
        return [decode(MetricInfo, item) for item in tree]

    def series(self, query: MetricQuery) -> list[SeriesInfo]:
        return [decode(SeriesInfo, item) for item in self._ask("/series", query)]

    def exemplars(self, query: MetricQuery) -> list[SeriesExemplar]:
        return [decode(SeriesExemplar, item) for item in self._ask("/exemplars", query)]

    def rejections(self) -> list[Rejection]:
        return [decode(Rejection, item) for item in self._call("GET", "/rejections")]

    def stats(self) -> StoreStats:
        return decode(StoreStats, self._call("GET", "/stats"))

    def receiver(self) -> ReceiverStatus:
        """Where the server listens and what came to it."""
        return decode(ReceiverStatus, self._call("GET", "/receiver"))

    def flush(self) -> None:
        self._call("POST", "/flush", body=b"{}", content_type="application/json")

    def close(self) -> None:
        """Close the connections. The server and its store go on."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _ask(self, path: str, query: MetricQuery) -> Any:
        body = dumps(encode_query(query))
        return self._call("POST", path, body=body, content_type="application/json")

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str = "",
        **parameters: object,
    ) -> Any:
        """The JSON of an answer; raises the error that the server names."""
        given = {name: value for name, value in parameters.items() if value is not None}
        target = self._prefix + _PREFIX + path + (f"?{urlencode(given)}" if given else "")
        headers = self._headers
        if body is not None:
            headers = {**headers, "Content-Type": content_type}
        status, content = self._exchange(method, target, body, headers)
        try:
            tree = json.loads(content)
        except (ValueError, RecursionError):
            tree = None
            if status == 200:
                raise self._no_urpo_store("with something else than JSON") from None
        if status != 200:
            raise self._error(status, tree)
        return tree

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        while True:
            connection, reused = self._connection()
            try:
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except Exception as error:
                connection.close()
                # The server may close an idle connection at any moment, also just before we use it.
                # Asking again is safe: questions change nothing, a re-sent point is the same point.
                if reused and isinstance(error, ConnectionError | http.client.BadStatusLine):
                    continue
                if isinstance(error, OSError | http.client.HTTPException):
                    raise self._unreachable(error) from error
                raise
            except BaseException:
                connection.close()
                raise
            if answer.will_close:
                connection.close()
            else:
                self._keep(connection)
            return answer.status, content

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """A connection for one call, and whether it has been used before."""
        with self._lock:
            if self._closed:
                raise StoreClosedError(f"This client of {self.url} is closed; make another one.")
            if self._idle:
                return self._idle.pop(), True
        if self._tls is not None:
            return (
                http.client.HTTPSConnection(
                    self._host, self._port, timeout=self._timeout, context=self._tls
                ),
                False,
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout), False

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _unreachable(self, error: Exception) -> UrpoStoreError:
        if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
            return self._no_urpo_store(f"with no HTTP ({type(error).__name__})")
        if isinstance(error, TimeoutError):
            return UnreachableError(
                f"{self.url} did not answer within {self._timeout:g} s. Ask for less, or give the "
                "client a longer timeout."
            )
        if isinstance(error, ConnectionRefusedError):
            return UnreachableError(
                f"Nothing listens at {self.url}. Start it with: urpo-store serve. "
                "If it runs elsewhere, name it with --url."
            )
        if isinstance(error, socket.gaierror):
            return UnreachableError(f"The host of {self.url} is not known: {error.strerror}.")
        if isinstance(error, ssl.SSLCertVerificationError):
            return UnreachableError(
                f"The certificate of {self.url} is not trusted: {error.verify_message}. "
                "Name its authority with tls_ca (--tls-ca)."
            )
        reason = str(error) or type(error).__name__
        return UnreachableError(f"{self.url} cannot be reached: {reason}.")

    def _no_urpo_store(self, how: str) -> UrpoStoreError:
        return UnreachableError(
            f"{self.url} answers, but not as an urpo-store does: {how}. "
            "Give the HTTP port of urpo-store serve, 4318 unless it was changed."
        )

    def _error(self, status: int, tree: Any) -> UrpoStoreError:
        message = tree.get("message") if isinstance(tree, dict) else None
        if not isinstance(message, str):
            return self._no_urpo_store(f"with status {status}")
        if status == 401:
            return ConfigError(
                f"{self.url} does not accept the token. Give the one that the server was started "
                "with: --auth-token, or URPO_STORE_AUTH_TOKEN."
            )
        kind = getattr(errors, str(tree.get("error")), None)
        if not (isinstance(kind, type) and issubclass(kind, UrpoStoreError)):
            kind = UrpoStoreError
        return kind(message)


def _moment(at: Time | None) -> int | str | None:
    return None if at is None else encode_time(at)
