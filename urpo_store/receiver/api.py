"""The HTTP API under /api/urpo/v1/: the methods of a `MetricStorage` as JSON.

`urpo_store.api.json` defines the format. A GET carries its question in parameters; where the question
is a query, a POST may carry it as a JSON object. docs/receivers.md has examples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..api.arrow_ipc import STREAM
from ..api.arrow_tables import write_stream
from ..api.json import AnswerTooLongError, encode, encode_parts
from ..api.query import decode_query, decode_time
from ..api.scalars import JsonError, dumps
from ..errors import QueryError, UrpoStoreError
from ..interfaces import MetricStorage
from ..model import IngestResult, MetricQuery
from ..otlp import request_from_json
from ..otlp.responses import Code, Status
from .arrivals import Arrivals
from .body import Bodies, content_encoding
from .http_errors import JSON, PROTOBUF, Refused, media_type
from .limits import MIB, Limits
from .patterns import check_pattern
from .questions import Questions

T = TypeVar("T")

PREFIX = "/api/urpo/v1"
_QUERY_BYTES = MIB  # a query written as JSON


class Api:
    """The handlers; one object for one storage."""

    def __init__(
        self, storage: MetricStorage, limits: Limits, bodies: Bodies, arrivals: Arrivals
    ) -> None:
        self._storage = storage
        self._limits = limits
        self._bodies = bodies
        self._arrivals = arrivals
        self._questions = Questions(limits)

    def routes(self) -> list[BaseRoute]:
        both = ["GET", "POST"]
        return [
            Route(f"{PREFIX}/query", self.query, methods=both),
            Route(f"{PREFIX}/series", self.series, methods=both),
            Route(f"{PREFIX}/exemplars", self.exemplars, methods=both),
            Route(f"{PREFIX}/health", self.health),
            Route(f"{PREFIX}/services", self.services),
            Route(f"{PREFIX}/metrics", self.metrics),
            Route(f"{PREFIX}/rejections", self.rejections),
            Route(f"{PREFIX}/stats", self.stats),
            Route(f"{PREFIX}/receiver", self.receiver),
            Route(f"{PREFIX}/ingest", self.ingest, methods=["POST"]),
            Route(f"{PREFIX}/flush", self.flush, methods=["POST"]),
            Route("/-/healthy", self.healthy),
            Route("/-/ready", self.ready),
        ]

    async def query(self, request: Request) -> Response:
        """{"series": [MetricSeries, ...]}, or an Arrow stream if `Accept` names one."""
        query = await self._query_of(request)
        takes_arrow = _accepts(request, STREAM)

        def work() -> Response:
            table = self._storage.query_metrics(query)
            if takes_arrow:
                # JSON may be shorter, and within the limit.
                with suppress(AnswerTooLongError):
                    return _response(write_stream(list(table), self._limits.answer_bytes), STREAM)
            return _response(b'{"series":' + self._parts(table) + b"}")

        return await self._ask(work)

    async def series(self, request: Request) -> Response:
        """[SeriesInfo, ...]"""
        query = await self._query_of(request)
        return await self._answer(lambda: self._parts(self._storage.series(query)))

    async def exemplars(self, request: Request) -> Response:
        """[SeriesExemplar, ...]"""
        query = await self._query_of(request)
        return await self._answer(lambda: self._parts(self._storage.exemplars(query)))

    async def health(self, request: Request) -> Response:
        """With `service`: its ServiceHealthMetrics, or null. Without: a list of all."""
        parameters = _parameters(request, "service", "window", "at")
        window = _time(parameters, "window") or "5m"
        at = _time(parameters, "at")
        service = parameters.get("service")

        def one() -> bytes:
            found = self._storage.get_service_health(service or "", window, at)
            return dumps(encode(found))

        def every() -> bytes:
            all_of_them = [
                self._storage.get_service_health(name, window, at)
                for name in self._storage.services()
            ]
            return self._parts([item for item in all_of_them if item is not None])

        return await self._answer(every if service is None else one)

    async def services(self, request: Request) -> Response:
        """The names, a list of strings."""
        _parameters(request)
        return await self._answer(lambda: self._parts(self._storage.services()))

    async def metrics(self, request: Request) -> Response:
        """[MetricInfo, ...], with `service` those of one service."""
        service = _parameters(request, "service").get("service")
        return await self._answer(lambda: self._parts(self._storage.metrics(service)))

    async def rejections(self, request: Request) -> Response:
        """[Rejection, ...]"""
        _parameters(request)
        return await self._answer(lambda: self._parts(self._storage.rejections()))

    async def stats(self, request: Request) -> Response:
        """StoreStats"""
        _parameters(request)
        return await self._answer(lambda: dumps(encode(self._storage.stats())))

    async def receiver(self, request: Request) -> Response:
        """ReceiverStatus: where this server listens, and what came."""
        _parameters(request)
        return _response(dumps(encode(self._arrivals.status())))

    async def ingest(self, request: Request) -> Response:
        """Takes OTLP as /v1/metrics does; answers with an IngestResult, which counts accepted points."""
        kind = media_type(request)
        if kind != JSON and kind not in PROTOBUF:
            raise Refused(_bad("Send application/x-protobuf or application/json."), 415)
        encoding = content_encoding(request)
        with self._bodies.of(request) as body:
            data = await body.read()

            def work() -> IngestResult:
                nonlocal data
                try:
                    plain = body.inflate(data, encoding)
                finally:
                    data = b""  # see otlp_http
                return self._storage.ingest(request_from_json(plain) if kind == JSON else plain)

            try:
                result = await run_in_threadpool(work)
            except Refused:
                raise
            except Exception as error:
                raise Refused.because(error) from error
        self._arrivals.arrived("http", "metrics")
        return _response(dumps(encode(result)))

    async def flush(self, request: Request) -> Response:
        _require_json(request)
        with self._bodies.of(request) as body:
            await body.read()

        def work() -> bytes:
            self._storage.flush()
            return b"{}"

        return await self._answer(work)

    async def healthy(self, request: Request) -> Response:
        """200 as long as the process answers."""
        return Response("ok\n", media_type="text/plain")

    async def ready(self, request: Request) -> Response:
        """200 when the store answers, 503 when it is closed."""
        await self._answer(lambda: dumps(self._storage.stats().points))
        return Response("ready\n", media_type="text/plain")

    async def _answer(self, work: Callable[[], bytes]) -> Response:
        return _response(await self._ask(work))

    async def _ask(self, work: Callable[[], T]) -> T:
        try:
            return await self._questions.ask(work)
        except Refused:
            raise
        except Exception as error:
            raise Refused.because(error) from error

    def _parts(self, items: object) -> bytes:
        return b"".join(encode_parts(items, self._limits.answer_bytes))  # type: ignore[arg-type]

    async def _query_of(self, request: Request) -> MetricQuery:
        try:
            if request.method == "GET":
                tree: object = _query_tree(request)
            else:
                _require_json(request)
                with self._bodies.of(request) as body:
                    tree = _loads(await body.read(_QUERY_BYTES), "The query")
            query = decode_query(tree)
            for condition in query.where.values():
                if isinstance(condition, re.Pattern):
                    check_pattern(condition)
            return query
        except (UrpoStoreError, RecursionError) as error:
            raise Refused.because(error) from error


def _response(body: bytes, kind: str = JSON) -> Response:
    return Response(
        body,
        media_type=kind,
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )


def _accepts(request: Request, kind: str) -> bool:
    """Whether `Accept` names this media type; wildcards do not count."""
    return any(
        accepted.partition(";")[0].strip().lower() == kind
        for header in request.headers.getlist("accept")
        for accepted in header.split(",")
    )


def _bad(message: str) -> Status:
    return Status(Code.INVALID_ARGUMENT, message)


def _require_json(request: Request) -> None:
    # A form on any web page can post text/plain to another origin, but not JSON.
    if media_type(request) != JSON:
        raise Refused(_bad("Send Content-Type: application/json."), 415, "QueryError")


def _loads(body: bytes | str, what: str) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        raise QueryError(f"{what} is not JSON: {error}") from None


def _parameters(request: Request, *known: str) -> dict[str, str]:
    unknown = set(request.query_params) - set(known)
    if unknown:
        names = ", ".join(sorted(map(repr, unknown)))
        expected = f"; it takes {', '.join(known)}" if known else ""
        raise Refused(_bad(f"{request.url.path} takes no {names}{expected}."), error="QueryError")
    return dict(request.query_params)


def _time(parameters: dict[str, str], name: str) -> int | str | None:
    try:
        return decode_time(parameters[name]) if name in parameters else None
    except JsonError as error:
        raise Refused(_bad(f"{name}: {error}"), error="QueryError") from None


def _query_tree(request: Request) -> dict[str, object]:
    """The query in the parameters of a GET, which have the names of the fields of `MetricQuery`.

    `where` is JSON. `by` may be repeated; an empty `by` merges all series into one.
    """
    known = [item.name for item in fields(MetricQuery)]
    tree: dict[str, object] = dict(_parameters(request, *known))
    if "where" in tree:
        tree["where"] = _loads(str(tree["where"]), "where")
    if "by" in tree:
        tree["by"] = [key for key in request.query_params.getlist("by") if key]
    if "quantile" in tree:
        try:
            tree["quantile"] = float(str(tree["quantile"]))
        except ValueError:
            raise QueryError(f"quantile is {tree['quantile']!r}; give a number.") from None
    return tree
