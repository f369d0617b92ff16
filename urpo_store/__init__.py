"""urpo_store: an embedded storage engine for OpenTelemetry metrics.

store = urpo_store.open()             # in memory
store.ingest(request)                 # OTLP bytes
store.get_service_health("checkout")
store.query_metrics(MetricQuery(metric="http.server.request.duration", ...))
"""

from . import render
from .errors import (
    ConfigError,
    CorruptionError,
    DecodeError,
    QueryError,
    StoreClosedError,
    StoreLockedError,
    UnreachableError,
    UrpoStoreError,
)
from .interfaces import MetricAggregator, MetricStorage
from .model import (
    POINT_DTYPE,
    AggregatedMetrics,
    Aggregation,
    Counter,
    Exemplar,
    ExponentialHistogram,
    Gauge,
    Histogram,
    IngestResult,
    MetricInfo,
    MetricKind,
    MetricPoint,
    MetricQuery,
    MetricSeries,
    MetricTable,
    MetricType,
    Rejection,
    Scope,
    SeriesExemplar,
    SeriesInfo,
    ServiceHealthMetrics,
    StoreStats,
    Summary,
    UpDownCounter,
)
from .opening import open

__version__ = "0.1.0"

MetricTable.drawing = render

__all__ = [
    "POINT_DTYPE",
    "AggregatedMetrics",
    "Aggregation",
    "ConfigError",
    "CorruptionError",
    "Counter",
    "DecodeError",
    "Exemplar",
    "ExponentialHistogram",
    "Gauge",
    "Histogram",
    "IngestResult",
    "MetricAggregator",
    "MetricInfo",
    "MetricKind",
    "MetricPoint",
    "MetricQuery",
    "MetricSeries",
    "MetricStorage",
    "MetricTable",
    "MetricType",
    "QueryError",
    "Rejection",
    "Scope",
    "SeriesExemplar",
    "SeriesInfo",
    "ServiceHealthMetrics",
    "StoreClosedError",
    "StoreLockedError",
    "StoreStats",
    "Summary",
    "UnreachableError",
    "UpDownCounter",
    "UrpoStoreError",
    "__version__",
    "open",
]
