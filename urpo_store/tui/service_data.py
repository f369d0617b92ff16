"""The questions that the screen of one service asks the storage, and their answers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..interfaces import MetricStorage
from ..model import (
    Aggregation,
    AttributeValue,
    MetricKind,
    MetricQuery,
    MetricSeries,
    ServiceHealthMetrics,
)
from ..render.charts import Line
from ..render.drawing import interval_of, line_of
from .state import SECOND, Moment

#: Attributes that name an operation, stable before old ones. Of a line, all that occur are used.
OPERATIONS = (
    ("http.request.method", "http.route"),
    ("http.method", "http.route"),
    ("http.method", "http.target"),
    ("rpc.service", "rpc.method"),
    ("messaging.operation.name", "messaging.destination.name"),
    ("messaging.destination.name",),
    ("db.operation.name", "db.collection.name"),
    ("span.name",),
)
#: Attributes that tell instances apart.
INSTANCES = ("service.instance.id", "host.name", "k8s.pod.name", "process.pid")
#: Any of these attributes may show an error.
ERRORS = (
    "error.type",
    "http.response.status_code",
    "http.status_code",
    "rpc.grpc.status_code",
    "rpc.response.status_code",
    "status.code",
)
#: gRPC's statuses that are the server's fault, by number and by name.
_FAULT_NUMBERS = ("2", "4", "12", "13", "14", "15")
_FAULT_NAMES = (
    "UNKNOWN",
    "DEADLINE_EXCEEDED",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
)
_SPANS = "spans:"
_SPAN_KINDS = re.compile("(SPAN_KIND_)?(SERVER|CONSUMER)", re.IGNORECASE)
#: Windows of a chart; series of a metric that are searched for attributes.
_POINTS = 60
_SAMPLE = 1000
_HISTOGRAMS = (MetricKind.HISTOGRAM, MetricKind.EXPONENTIAL_HISTOGRAM)
_QUANTILES = (Aggregation.P50, Aggregation.P95, Aggregation.P99)


@dataclass(slots=True)
class Operation:
    """`where` is what selects its series of `metric`; `p95` in seconds."""

    metric: str
    name: str
    instance: str
    where: dict[str, Any]
    count: float = 0.0
    errors: float = 0.0
    p95: float = math.nan


@dataclass(frozen=True, slots=True)
class ServiceData:
    """Lines in requests per second and in seconds; `keys` are the attributes that name operations."""

    health: ServiceHealthMetrics | None
    keys: tuple[str, ...] = ()
    operations: Sequence[Operation] = ()
    rate: Line = field(default_factory=lambda: Line((), ()))
    errors: Line = field(default_factory=lambda: Line((), ()))
    latency: Sequence[Line] = ()
    start: int = 0
    end: int = 0
    step: int = 1

    def covered(self, seconds: int) -> float:
        """How many seconds of the range have points: the application may have just begun."""
        times = self.rate.times
        return min(times[-1] - times[0] + self.step, seconds) if times else seconds


def load_service(
    storage: MetricStorage, service: str, moment: Moment, unfolded: bool
) -> ServiceData:
    """Its health, and figures from the metrics that the health comes from."""
    health = storage.get_service_health(service, moment.health_window, moment.now)
    if health is None or health.source is None:
        return ServiceData(health)
    sources = [
        _Source(storage, service, name, moment, unfolded) for name in health.source.split(", ")
    ]
    rates = [source.over_time(Aggregation.RATE) for source in sources]
    interval = max(
        interval_of(series, source.step) for series, source in zip(rates, sources, strict=True)
    )
    if interval:
        for source in sources:
            source.set_step(interval)
        rates = [source.over_time(Aggregation.RATE) for source in sources]
    # Latencies of different protocols cannot be merged: take those of the first that has any.
    timed = next((source for source in sources if source.kind in _HISTOGRAMS), None)
    first = sources[0]
    return ServiceData(
        health,
        tuple(dict.fromkeys(key for source in sources for key in source.keys)),
        [operation for source in sources for operation in source.operations()],
        _added([series for found in rates for series in found]),
        _added([series for source in sources for series in source.failing()]),
        timed.latency() if timed else (),
        first.start,
        first.end,
        first.step,
    )


class _Source:
    """One metric of a service's requests over the range of one load."""

    def __init__(
        self, storage: MetricStorage, service: str, source: str, moment: Moment, unfolded: bool
    ) -> None:
        self._storage = storage
        self._service = service
        self._moment = moment
        self.metric = source.removeprefix(_SPANS)
        self._where: dict[str, Any] = {}
        if source.startswith(_SPANS):
            self._where["span.kind"] = _SPAN_KINDS
        known: dict[str, None] = {}
        self.kind, unit = MetricKind.HISTOGRAM, "s"
        sample = MetricQuery(self.metric, service, self._where, limit=_SAMPLE)
        for series in storage.series(sample):
            known |= dict.fromkeys((*series.attributes, *series.resource))
            self.kind, unit = series.kind, series.unit
        self._scale = 0.001 if unit == "ms" else 1.0
        operation = next((keys for keys in OPERATIONS if keys[-1] in known), ())
        self.keys = tuple(key for key in operation if key in known)
        instance = [key for key in INSTANCES if key in known] if unfolded else []
        self._instance = instance[0] if instance else None
        self._by = (*self.keys, self._instance) if self._instance else self.keys
        self._errors = tuple(key for key in ERRORS if key in known)
        self.set_step(0)

    def set_step(self, interval: int) -> None:
        self.step = self._moment.step(_POINTS, interval)
        self.start, self.end = self._moment.aligned(self.step)

    def over_time(self, ask: Aggregation, by: Sequence[str] = ()) -> Sequence[MetricSeries]:
        return self._query(ask, by, self.start, self.end, self.step)

    def _at_once(self, ask: Aggregation, by: Sequence[str]) -> Sequence[MetricSeries]:
        """The whole range as one window."""
        return self._query(ask, by, self._moment.now, self._moment.now, self._moment.seconds)

    def _query(
        self, ask: Aggregation, by: Sequence[str], start: int, end: int, step: int
    ) -> Sequence[MetricSeries]:
        query = MetricQuery(
            self.metric,
            self._service,
            self._where,
            start,
            end,
            step * SECOND,
            aggregation=ask,
            by=tuple(by),
        )
        return list(self._storage.query_metrics(query))

    def failing(self) -> Sequence[MetricSeries]:
        """Rates of groups; 0 for those that are no errors, so that there is a line at 0."""
        found = self.over_time(Aggregation.RATE, self._errors) if self._errors else []
        return [
            series
            if is_error(series.attributes)
            else replace(series, values=np.zeros_like(series.values))
            for series in found
        ]

    def latency(self) -> Sequence[Line]:
        """A line for each of the quantiles, in seconds."""
        lines: list[Line] = []
        for quantile in _QUANTILES:
            found = [line_of(series) for series in self.over_time(quantile)] or [Line((), ())]
            lines += [
                Line(line.times, [value * self._scale for value in line.values]) for line in found
            ]
        return lines

    def operations(self) -> Sequence[Operation]:
        found: dict[str, Operation] = {}

        def operation(series: MetricSeries) -> Operation:
            given = {key: series.attributes.get(key) for key in self._by}
            return found.setdefault(repr(given), self._operation(given))

        for series in self._at_once(Aggregation.INCREASE, (*self._by, *self._errors)):
            count = float(series.values[-1]) if len(series) else 0.0
            one = operation(series)
            one.count += count
            if is_error(series.attributes):
                one.errors += count
        if self.kind in _HISTOGRAMS:
            for series in self._at_once(Aggregation.P95, self._by):
                if len(series):
                    operation(series).p95 = float(series.values[-1]) * self._scale
        return list(found.values())

    def _operation(self, given: Mapping[str, AttributeValue]) -> Operation:
        name = " ".join(str(given[key]) for key in self.keys if given[key] is not None)
        instance = given.get(self._instance) if self._instance else None
        shown = "" if instance is None else str(instance)
        return Operation(self.metric, name or "(all)", shown, {**self._where, **given})


def is_error(attributes: Mapping[str, object]) -> bool:
    """The rules of service health: an error type, or a status that is the server's fault."""
    if attributes.get("error.type") not in (None, ""):
        return True
    for key in ("http.response.status_code", "http.status_code"):
        status = str(attributes.get(key))
        if status.isdigit() and int(status) >= 500:
            return True
    for key in ("rpc.grpc.status_code", "rpc.response.status_code"):
        if str(attributes.get(key)).upper() in (*_FAULT_NUMBERS, *_FAULT_NAMES):
            return True
    return str(attributes.get("status.code")).upper() in ("ERROR", "STATUS_CODE_ERROR")


def _added(found: Sequence[MetricSeries]) -> Line:
    """The sum of the series at each moment."""
    total: dict[int, float] = {}
    for series in found:
        for time, value in zip(series.timestamps.tolist(), series.values.tolist(), strict=True):
            total[time] = total.get(time, 0.0) + (value if math.isfinite(value) else 0.0)
    times = sorted(total)
    return Line([time / SECOND for time in times], [total[time] for time in times])
