"""A `MetricStorage` that is a running `urpo-store serve`, reached over its HTTP API.

`urpo_store.open("http://127.0.0.1:4318")` gives one. It needs nothing but the standard library and
numpy. Where pyarrow is installed, answers to `query_metrics` come as Arrow, else as JSON, which takes
longer to write and to read. Answers are the same dataclasses that an embedded store returns, with one
difference that JSON makes: NaN loses its payload.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..errors import ConfigError
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
from .arrow_ipc import STREAM
from .arrow_tables import read_stream
from .json import decode, decode_series
from .query import encode_query, encode_time
from .scalars import dumps
from .transport import JSON, Transport

if TYPE_CHECKING:
    from google.protobuf.message import Message


class HttpStorage:
    """The storage behind `url`, such as "http://127.0.0.1:4318".

    `token` is the server's bearer token; `timeout` how many seconds a call may wait for bytes;
    `tls_ca` the path of a PEM file with the authority of an "https" server, beside the system's.
    `arrow` says whether `query_metrics` asks for Arrow: True needs pyarrow, None takes it where it is
    installed. False spares a program of few queries the import, 0.1 s or more.
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
        arrow: bool | None = None,
    ) -> None:
        self._transport = Transport(url, token, timeout, tls_ca)
        self.url = self._transport.url
        installed = find_spec("pyarrow") is not None
        if arrow and not installed:
            raise ConfigError("arrow=True needs pyarrow: pip install pyarrow")
        self._arrow = installed if arrow is None else arrow

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
        answer = self._transport.call(
            "POST",
            "/query",
            body=dumps(encode_query(query)),
            content_type=JSON,
            accept=f"{STREAM}, {JSON}" if self._arrow else JSON,
        )
        # A server that knows no Arrow, or has more to say than fits, answers with JSON.
        if answer.kind == STREAM:
            return MetricTable(read_stream(answer.content), arrow_stream)
        return MetricTable(decode_series(self._transport.tree(answer)), arrow_stream)

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
        self._call("POST", "/flush", body=b"{}", content_type=JSON)

    def close(self) -> None:
        """Close the connections. The server and its store go on."""
        self._transport.close()

    def _ask(self, path: str, query: MetricQuery) -> Any:
        body = dumps(encode_query(query))
        return self._call("POST", path, body=body, content_type=JSON)

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
        target = path + (f"?{urlencode(given)}" if given else "")
        return self._transport.tree(
            self._transport.call(method, target, body=body, content_type=content_type)
        )


def _moment(at: Time | None) -> int | str | None:
    return None if at is None else encode_time(at)
