"""The interfaces that everything above the engine works with; they import only the model.

A third party registers a storage under the entry-point group `urpo_store.storage`; its name is
the scheme of the URL given to `urpo_store.open()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from .model import (
    AggregatedMetrics,
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


@runtime_checkable
class MetricStorage(Protocol):
    """Takes metrics in and answers questions about them.

    Any thread may call any method at any time. After `close()` every method but
    `close()` raises `StoreClosedError`.
    """

    def ingest(self, request: bytes) -> IngestResult:
        """Store an OTLP `ExportMetricsServiceRequest` (protobuf, any bytes-like object).

        Every accepted point is visible to queries when this returns. A point that breaks a rule
        is rejected alone. Raises `DecodeError` if the bytes are not OTLP: nothing is stored.
        """
        ...

    def store_metric(self, point: MetricPoint) -> IngestResult:
        """Store one point, as a request with that point alone would."""
        ...

    def query_metrics(self, query: MetricQuery) -> MetricTable:
        """Answer a range query; raises `QueryError` if it cannot be answered as asked."""
        ...

    def get_service_health(
        self, service: str, window: Duration = "5m", at: Time | None = None
    ) -> ServiceHealthMetrics | None:
        """The health of `service` over `window` ending at `at` (now); None if it is unknown."""
        ...

    def services(self) -> list[str]:
        """The names of all services, sorted."""
        ...

    def metrics(self, service: str | None = None) -> list[MetricInfo]:
        """All metrics, or those of one service, sorted by name."""
        ...

    def series(self, query: MetricQuery) -> list[SeriesInfo]:
        """The stored series that `query` selects, at most `limit`.

        The query's times and aggregation are not used.
        """
        ...

    def exemplars(self, query: MetricQuery) -> list[SeriesExemplar]:
        """Exemplars with start <= time <= end of the series that `query` selects, oldest first."""
        ...

    def rejections(self) -> list[Rejection]:
        """Recent refusals and why, newest first."""
        ...

    def stats(self) -> StoreStats:
        """What the store holds and what it has done."""
        ...

    def flush(self) -> None:
        """Return when all that was acknowledged is as durable as the storage makes it."""
        ...

    def close(self) -> None:
        """Flush and release everything; calling it again does nothing."""
        ...


@runtime_checkable
class HealthOfAll(Protocol):
    """What a storage may offer besides: the health of every service in one call.

    A caller that shows many services then asks a remote storage once, not once for each.
    """

    def health(self, window: Duration = "5m", at: Time | None = None) -> list[ServiceHealthMetrics]:
        """The health of every service over `window` ending at `at` (now)."""
        ...


@runtime_checkable
class MetricAggregator(Protocol):
    """Reduces points to one row of figures."""

    def aggregate(self, points: Iterable[MetricPoint] | Sequence[float]) -> AggregatedMetrics:
        """Aggregate the values of `points` (a histogram's is its count)."""
        ...
