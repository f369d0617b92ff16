"""The embedded store: wires the engine to the `MetricStorage` interface."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..engine.core import REASONS, Engine
from ..errors import QueryError
from ..model import (
    Duration,
    IngestResult,
    MetricInfo,
    MetricPoint,
    MetricQuery,
    MetricTable,
    Rejection,
    SeriesExemplar,
    SeriesInfo,
    ServiceHealthMetrics,
    StoreStats,
    Time,
)
from ..options import Options
from ..query.evaluate import evaluate
from ..query.select import select
from ..query.times import parse_duration, parse_range, parse_time
from .reader import StoreReader
from .replay import replayed_health

if TYPE_CHECKING:
    from google.protobuf.message import Message

#: How many refusals `rejections()` lists.
RECENT_REJECTIONS = 256


class MetricStore:
    """An embedded, in-memory `MetricStorage`.

    Made by `urpo_store.open()`. Safe to use from any number of threads. After a fork the child's
    copy raises StoreClosedError: open a store of its own there.
    """

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._engine = Engine(
            retention=self._options.retention,
            memory_limit=self._options.memory_limit,
            max_series=self._options.max_series,
            max_attributes=self._options.max_attributes,
            max_string=self._options.max_string,
            ring_slots=self._options.ring_slots,
            drain_interval=self._options.drain_interval,
        )
        self._rejections: deque[Rejection] = deque(maxlen=RECENT_REJECTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._engine.closed:
            return "<MetricStore: closed>"
        stats = self.stats()
        return f"<MetricStore: {stats.points} points, {stats.series} series>"

    # ---- in

    def ingest(self, request: bytes | bytearray | memoryview) -> IngestResult:
        """Store an OTLP protobuf `ExportMetricsServiceRequest`.

        Takes any bytes-like object. Accepted points are visible to queries when this returns.
        Raises DecodeError (nothing is stored), MemoryError, StoreClosedError.
        """
        accepted, rejected, refusals = self._engine.ingest(request)
        if not refusals:
            return IngestResult(accepted, rejected)
        now = time.time_ns()
        entries = [
            Rejection(now, service, metric, REASONS[code], points)
            for code, metric, service, points in refusals
        ]
        self._rejections.extendleft(entries)
        return IngestResult(accepted, rejected, "; ".join(map(_refusal_text, entries)))

    def ingest_json(self, request: str | bytes | bytearray) -> IngestResult:
        """Store a request in OTLP/JSON. Raises as `ingest` does."""
        from ..otlp.json import request_from_json

        return self.ingest(request_from_json(request))

    def ingest_message(self, request: Message) -> IngestResult:
        """Store an opentelemetry-proto message: a request, MetricsData or ResourceMetrics."""
        from ..otlp.message import request_from_message

        return self.ingest(request_from_message(request))

    def store_metric(self, point: MetricPoint) -> IngestResult:
        """Store one point, as if it had come in a request of its own."""
        from ..otlp.point import request_from_point

        return self.ingest(request_from_point(point))

    # ---- out

    def query_metrics(self, query: MetricQuery) -> MetricTable:
        """Answer a range query; raises QueryError if it cannot be answered as asked."""
        with StoreReader(self._engine) as reader:
            return evaluate(reader, query, time.time_ns())

    def get_service_health(
        self, service: str, window: Duration = "5m", at: Time | None = None
    ) -> ServiceHealthMetrics | None:
        """The health of `service` over "1m", "5m", "15m" or "1h" ending at `at` (default: now).

        None if the service is unknown. Raises QueryError for another window.
        """
        now = time.time_ns()
        length = parse_duration(window)
        if length not in HEALTH_WINDOWS:
            raise QueryError(f"window={window!r} is not kept; choose 1m, 5m, 15m or 1h")
        moment = now if at is None else parse_time(at, now)
        found, fields = self._engine.health(service, length, moment, now)
        if not found:
            return None
        if fields is None:
            # Outside what the ingest path keeps: answered from the stored points.
            with StoreReader(self._engine) as reader:
                streams = reader.streams_of(service)
                fields = replayed_health(reader, streams, service, length, moment)
        return ServiceHealthMetrics(service, *fields)

    def health(self, window: Duration = "5m", at: Time | None = None) -> list[ServiceHealthMetrics]:
        """The health of every service, as `get_service_health` tells it."""
        found = (self.get_service_health(name, window, at) for name in self.services())
        return [health for health in found if health is not None]

    def services(self) -> list[str]:
        """The names of all services, sorted."""
        return sorted(self._engine.services())

    def metrics(self, service: str | None = None) -> list[MetricInfo]:
        """All metrics, or those of one service, sorted by name."""
        with StoreReader(self._engine) as reader:
            return sorted(
                (
                    MetricInfo(
                        stream.metric,
                        stream.kind,
                        stream.unit,
                        stream.description,
                        stream.temporality,
                        len(stream.ids),
                    )
                    for stream in reader.streams_of(service)
                ),
                key=lambda info: (info.name, info.kind.value, info.unit, info.temporality or ""),
            )

    def series(self, query: MetricQuery) -> list[SeriesInfo]:
        """The stored series that `query` selects, at most `limit` (its times and aggregation are
        not used)."""
        with StoreReader(self._engine) as reader:
            ids = (series for stream in select(reader, query) for series in stream.ids)
            return [reader.identity(int(series)) for series in islice(ids, query.limit)]

    def exemplars(self, query: MetricQuery) -> list[SeriesExemplar]:
        """Exemplars within the query's range of the series it selects, oldest first."""
        start, end = parse_range(query, time.time_ns())
        found: list[tuple[int, SeriesExemplar]] = []
        with StoreReader(self._engine) as reader:
            for stream in select(reader, query):
                for index, exemplar in reader.exemplars(stream.ids, start, end):
                    info = reader.identity(int(stream.ids[index]))
                    found.append((exemplar.timestamp, SeriesExemplar(info, exemplar)))
        found.sort(key=lambda item: item[0])
        return [item for _, item in found]

    def rejections(self) -> list[Rejection]:
        """Recent refusals and why, newest first."""
        self._engine.check_open()
        return list(self._rejections)

    def stats(self) -> StoreStats:
        """What the store holds and what it has done."""
        return StoreStats(**self._engine.stats())

    # ---- upkeep

    def compress_cold(self) -> None:
        """Drain the hot ring and seal every open chunk; raises MemoryError."""
        self._engine.compress_cold()

    def flush(self) -> None:
        """Nothing is buffered outside the store's memory, so this only checks that it is open."""
        self._engine.check_open()

    def close(self) -> None:
        """Give everything back; calls that are under way finish first. Again: does nothing."""
        self._engine.close()


def _refusal_text(rejection: Rejection) -> str:
    points = "1 point" if rejection.points == 1 else f"{rejection.points} points"
    of = f" of {rejection.metric!r}" if rejection.metric else ""
    service = f" (service {rejection.service!r})" if rejection.service else ""
    return f"{points}{of}{service}: {rejection.reason}"


HEALTH_WINDOWS = frozenset(minutes * 60 * 10**9 for minutes in (1, 5, 15, 60))
