"""A `MetricStorage` that stores nothing: it records what it is asked and answers as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from urpo_store import model
from urpo_store.errors import DecodeError
from urpo_store.otlp import request_from_point


def no_arrow(series: Sequence[model.MetricSeries], schema: object) -> object:
    raise NotImplementedError


class FakeStorage:
    """`answers` maps a method's name to what it returns; `errors` to what it raises."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.answers: dict[str, Any] = {}
        self.errors: dict[str, BaseException] = {}
        self.before: Callable[[str], None] = lambda name: None
        self.threads: set[str] = set()
        self.closed = False

    def _answer(self, name: str, default: Any, *arguments: Any) -> Any:
        self.threads.add(threading.current_thread().name)
        self.calls.append((name, arguments))
        self.before(name)
        if name in self.errors:
            raise self.errors[name]
        return self.answers.get(name, default)

    def ingest(self, request: bytes) -> model.IngestResult:
        points = 0
        try:
            message = ExportMetricsServiceRequest.FromString(bytes(request))
        except Exception as error:
            raise DecodeError("the bytes are not OTLP") from error
        for resource in message.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points += len(getattr(metric, metric.WhichOneof("data")).data_points)
        self.requests.append(bytes(request))
        result: model.IngestResult = self._answer("ingest", model.IngestResult(points, 0), request)
        return result

    @property
    def messages(self) -> list[ExportMetricsServiceRequest]:
        return [ExportMetricsServiceRequest.FromString(request) for request in self.requests]

    @property
    def metric_names(self) -> list[str]:
        return [
            metric.name
            for message in self.messages
            for resource in message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    def store_metric(self, point: model.MetricPoint) -> model.IngestResult:
        return self.ingest(request_from_point(point))

    def query_metrics(self, query: model.MetricQuery) -> model.MetricTable:
        return model.MetricTable(self._answer("query_metrics", (), query), no_arrow)

    def get_service_health(
        self, service: str, window: model.Duration = "5m", at: model.Time | None = None
    ) -> model.ServiceHealthMetrics | None:
        found: Any = self._answer("get_service_health", None, service, window, at)
        return found(service) if callable(found) else found

    def services(self) -> list[str]:
        return list(self._answer("services", ["checkout", "mailer"]))

    def metrics(self, service: str | None = None) -> list[model.MetricInfo]:
        return list(self._answer("metrics", [], service))

    def series(self, query: model.MetricQuery) -> list[model.SeriesInfo]:
        return list(self._answer("series", [], query))

    def exemplars(self, query: model.MetricQuery) -> list[model.SeriesExemplar]:
        return list(self._answer("exemplars", [], query))

    def rejections(self) -> list[model.Rejection]:
        return list(self._answer("rejections", []))

    def stats(self) -> model.StoreStats:
        found: model.StoreStats = self._answer("stats", STATS)
        return found

    def flush(self) -> None:
        self._answer("flush", None)

    def close(self) -> None:
        self.closed = True


STATS = model.StoreStats(
    **{
        name: index
        for index, name in enumerate(model.StoreStats.__dataclass_fields__)
        if name not in ("last_arrival", "producers")
    },
    last_arrival=1_700_000_000_000_000_001,
    producers={"python 1.45": 3},
)

NUMBERS = model.MetricSeries(
    metric="queue.depth",
    kind=model.MetricKind.GAUGE,
    unit="1",
    temporality=None,
    service="shop/mailer",
    attributes={
        "int": 1, "text": "1", "float": 1.0, "bool": True, "bytes": b"\x00\xff", "list": ["1", 1],
        "map": {"1": "", "n": None}, "empty": "", "none": None, "big": 2**63 - 1,
        "inf": float("inf"),
    },
    resource={"service.name": "mailer", "service.namespace": "shop"},
    scope=model.Scope("lib", "1.0", "https://schema", {"x": False}),
    timestamps=np.array([1_700_000_000_000_000_001, 1_700_000_000_000_000_002], np.int64),
    start_timestamps=np.array([0, 0], np.int64),
    values=np.array([np.nan, -0.0], np.float64),
    int_values=np.array([2**63 - 1, -(2**63)], np.int64),
    is_int=np.array([True, False]),
    stale=np.array([False, True]),
    overflowed=True,
)  # fmt: skip

HISTOGRAM = model.MetricSeries(
    metric="latency",
    kind=model.MetricKind.HISTOGRAM,
    unit="s",
    temporality="delta",
    service=None,
    attributes={},
    resource={},
    scope=None,
    timestamps=np.array([5], np.int64),
    start_timestamps=np.array([4], np.int64),
    values=np.array([2.0**64], np.float64),
    histogram=model.HistogramColumns(
        count=np.array([2**64 - 1], np.uint64),
        sum=np.array([np.inf], np.float64),
        min=np.array([np.nan], np.float64),
        max=np.array([-np.inf], np.float64),
        bucket_counts=np.array([[1, 2**63]], np.uint64),
        bounds=np.array([0.1], np.float64),
        has_sum=np.array([True]),
        has_min=np.array([False]),
        has_max=np.array([True]),
    ),
)

EXPONENTIAL = model.MetricSeries(
    metric="latency",
    kind=model.MetricKind.EXPONENTIAL_HISTOGRAM,
    unit="s",
    temporality="cumulative",
    service="s",
    attributes={},
    resource={},
    scope=model.Scope(),
    timestamps=np.array([5, 6], np.int64),
    start_timestamps=np.array([1, 1], np.int64),
    values=np.array([3.0, 4.0], np.float64),
    histogram=model.ExponentialHistogramColumns(
        count=np.array([3, 4], np.uint64),
        sum=np.array([1.5, 2.5], np.float64),
        min=np.array([0.0, 0.0], np.float64),
        max=np.array([1.0, 1.0], np.float64),
        scale=np.array([-10, 20], np.int32),
        zero_count=np.array([1, 0], np.uint64),
        zero_threshold=np.array([0.0, 1e-300], np.float64),
        positive_offset=np.array([-(2**31), 2**31 - 1], np.int32),
        positive_counts=np.array([[1, 2], [3, 0]], np.uint64),
        negative_offset=np.array([0, 0], np.int32),
        negative_counts=np.zeros((2, 0), np.uint64),
        has_sum=np.array([True, True]),
        has_min=np.array([True, True]),
        has_max=np.array([True, True]),
    ),
)

SUMMARY = model.MetricSeries(
    metric="gc",
    kind=model.MetricKind.SUMMARY,
    unit="",
    temporality=None,
    service="s",
    attributes={"k": "v"},
    resource={},
    scope=None,
    timestamps=np.array([5], np.int64),
    start_timestamps=np.array([1], np.int64),
    values=np.array([3.0], np.float64),
    summary=model.SummaryColumns(
        count=np.array([3], np.uint64),
        sum=np.array([1.5], np.float64),
        quantiles=np.array([0.5, 0.99], np.float64),
        values=np.array([[1.0, np.nan]], np.float64),
    ),
)

EMPTY = model.MetricSeries(
    metric="nothing",
    kind=model.MetricKind.COUNTER,
    unit="",
    temporality="cumulative",
    service=None,
    attributes={},
    resource={},
    scope=None,
    timestamps=np.array([], np.int64),
    start_timestamps=np.array([], np.int64),
    values=np.array([], np.float64),
)

SERIES_INFO = model.SeriesInfo(
    metric="m",
    kind=model.MetricKind.COUNTER,
    unit="By",
    temporality="delta",
    service="s",
    attributes=NUMBERS.attributes,
    resource={"host": "h"},
    scope=model.Scope("lib"),
)
