"""One service: charts of its rate, errors and latency; its operations, and their instances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from .. import text
from ..charts import Line
from ..drawing import interval_of, line_of
from ..model import Aggregation, MetricKind, MetricQuery, MetricSeries, ServiceHealthMetrics
from .chart import Chart
from .look import PLAIN, Cell, errors_cell, latency_cell
from .state import SECOND, Moment
from .table import Column, Table, TableRow
from .text_box import TextBox
from .view import Loaded, View, matches

#: What names an operation, stable names before old ones; all keys of a line that occur are used.
OPERATIONS = (
    ("http.request.method", "http.route"),
    ("http.method", "http.route"),
    ("http.method", "http.target"),
    ("rpc.service", "rpc.method"),
    ("messaging.operation.name", "messaging.destination.name"),
    ("messaging.destination.name",),
    ("db.operation.name", "db.collection.name"),
)
#: What tells instances apart.
INSTANCES = ("service.instance.id", "host.name", "k8s.pod.name", "process.pid")
#: Where an error shows: by one of these attributes.
ERRORS = (
    "error.type",
    "http.response.status_code",
    "http.status_code",
    "rpc.grpc.status_code",
    "rpc.response.status_code",
)
#: Windows of a chart, and series of a metric that are looked at for their attributes.
_POINTS = 60
_SAMPLE = 1000
_HISTOGRAMS = (MetricKind.HISTOGRAM, MetricKind.EXPONENTIAL_HISTOGRAM)


def is_error(attributes: Mapping[str, object]) -> bool:
    """By the rules of service health: an error type, a server's status from 500 on, a gRPC status."""
    if attributes.get("error.type") not in (None, ""):
        return True
    for key in ERRORS[1:]:
        try:
            status = int(str(attributes.get(key)))
        except ValueError:
            continue
        if status >= 500 or (key.startswith("rpc.") and status != 0):
            return True
    return False


@dataclass(slots=True)
class Operation:
    name: tuple[str, ...]
    count: float = 0.0
    errors: float = 0.0
    p95: float = math.nan


@dataclass(frozen=True, slots=True)
class ServiceData:
    health: ServiceHealthMetrics | None
    keys: tuple[str, ...] = ()  # of an operation
    instance: tuple[str, ...] = ()  # the key of an instance, when unfolded and known
    operations: list[Operation] = field(default_factory=list)
    rate: Line = field(default_factory=lambda: Line((), ()))
    errors: Line = field(default_factory=lambda: Line((), ()))
    latency: tuple[Line, ...] = ()
    start: int = 0
    end: int = 0
    step: int = 1
    scale: float = 1.0


class ServiceView(View):
    NAME = "Service"
    FILTERS = "part of an operation"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "instances", "Instances"),
        Binding("m", "metrics", "Its metrics"),
    ]

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service
        self.unfolded = False

    def subject(self) -> str:
        return self.service

    def content(self) -> ComposeResult:
        with Horizontal(id="charts"):
            yield Chart(id="rate")
            yield Chart(id="latency")
        yield Table(self._columns(), sort=1, falling=True, id="operations", classes="-fits")
        yield TextBox(id="detail")

    def _columns(self) -> tuple[Column, ...]:
        instance = (Column("INSTANCE", grow=True),) if self.unfolded else ()
        return (
            Column("OPERATION", grow=True),
            Column("RATE/s", ">"),
            Column("ERRORS", ">"),
            Column("P95", ">"),
            Column("COUNT", ">", rank=1),
            *instance,
        )

    # ---- loading

    def load(self, moment: Moment) -> Any:
        health = self.storage.get_service_health(self.service, moment.health_window, moment.now)
        if health is None or health.source is None or health.source.startswith("spans:"):
            return ServiceData(health)
        source = health.source
        known: dict[str, None] = {}
        kind, unit = MetricKind.HISTOGRAM, "s"
        sample = MetricQuery(source, self.service, limit=_SAMPLE)
        for series in self.storage.series(sample):
            known |= dict.fromkeys((*series.attributes, *series.resource))
            kind, unit = series.kind, series.unit
        keys = _operation_keys(known)
        instance = tuple(key for key in INSTANCES if key in known)[:1] if self.unfolded else ()
        failing = [key for key in ERRORS if key in known]
        ask = Ask(self, source, moment)
        rate = ask.over_time(Aggregation.RATE, ())
        if ask.stretch(rate):
            rate = ask.over_time(Aggregation.RATE, ())
        lines = [line_of(series) for series in rate]
        latency: list[Line] = []
        if kind in _HISTOGRAMS:
            for quantile in (Aggregation.P50, Aggregation.P95, Aggregation.P99):
                found = ask.over_time(quantile, ())
                latency += [line_of(series) for series in found] or [Line((), ())]
        return ServiceData(
            health,
            keys,
            instance,
            self._operations(ask, (*keys, *instance), failing, kind),
            lines[0] if lines else Line((), ()),
            _errors(ask.over_time(Aggregation.RATE, failing) if failing else []),
            tuple(latency),
            ask.start,
            ask.end,
            ask.step,
            0.001 if unit == "ms" else 1.0,
        )

    def _operations(
        self, ask: Ask, keys: tuple[str, ...], failing: list[str], kind: MetricKind
    ) -> list[Operation]:
        found: dict[tuple[str, ...], Operation] = {}

        def operation(series: MetricSeries) -> Operation:
            name = tuple(_shown(series.attributes.get(key)) for key in keys)
            return found.setdefault(name, Operation(name))

        for series in ask.at_once(Aggregation.INCREASE, (*keys, *failing)):
            count = float(series.values[-1]) if len(series) else 0.0
            one = operation(series)
            one.count += count
            if is_error(series.attributes):
                one.errors += count
        if kind in _HISTOGRAMS:
            for series in ask.at_once(Aggregation.P95, keys):
                if len(series):
                    operation(series).p95 = float(series.values[-1])
        return list(found.values())

    # ---- showing

    def show(self, loaded: Loaded) -> None:
        data: ServiceData = loaded.data
        table = self.query_one(Table)
        if not data.keys and not data.operations:
            sent = "It sends no request metric" if data.health else "Nothing is known of it"
            table.update_rows([], f"{sent}; press m for the metrics that it sends.")
        else:
            self._table(table, data, loaded.moment)
        self._detail(data)

        def seconds(value: float) -> str:
            return text.seconds(value * data.scale) if value else "0"

        lines, names = [data.rate], ["requests/s"]
        if len(data.errors.times):
            lines, names = [*lines, data.errors], [*names, "errors/s"]
        gap = 1.5 * data.step
        self.query_one("#rate", Chart).draw_lines(
            "", lines, data.start, data.end, gap, text.number, names
        )
        self.query_one("#latency", Chart).draw_lines(
            "", data.latency, data.start, data.end, gap, seconds, ("p50", "p95", "p99")
        )

    def _table(self, table: Table, data: ServiceData, moment: Moment) -> None:
        rows = []
        covered = _covered(data, moment)
        for one in data.operations:
            count = len(data.keys)
            name = " ".join(part for part in one.name[:count] if part) or "(all)"
            instances = [part or text.UNKNOWN for part in one.name[count:]]
            if not matches(self.filter, name, *instances):
                continue
            ratio = one.errors / one.count if one.count else None
            rate = one.count / covered
            p95 = one.p95 * data.scale
            cells = [
                Cell(name, PLAIN, name),
                Cell(text.rate(rate), PLAIN, rate),
                errors_cell(ratio),
                latency_cell(p95 if math.isfinite(p95) else None),
                Cell(text.number(one.count), PLAIN, one.count),
            ]
            if self.unfolded:
                instance = instances[0] if instances else text.UNKNOWN
                cells.append(Cell(instance, PLAIN, instance))
            rows.append(TableRow(one.name, cells))
        table.update_rows(rows, "No operation has a name like this.")

    def _detail(self, data: ServiceData) -> None:
        health = data.health
        if health is None or health.source is None:
            shown = ""
        elif health.source.startswith("spans:"):
            shown = f"health by {health.source}"
        else:
            by = ", ".join((*data.keys, *data.instance)) or "nothing: it has no operations"
            shown = f"health by {health.source}; operations by {by}"
        self.query_one("#detail", TextBox).write(text.printable(shown))

    def action_instances(self) -> None:
        """Folds the instances of the service, or unfolds them."""
        self.unfolded = not self.unfolded
        table = self.query_one(Table)
        table.update_rows([], "")
        table.columns = self._columns()
        self.reload()

    def action_metrics(self) -> None:
        from .metrics import MetricsView

        self.app.push_screen(MetricsView(self.service))

    def on_table_chosen(self, event: Table.Chosen) -> None:
        data = self._last.data if self._last else None
        if isinstance(data, ServiceData) and data.health and data.health.source:
            from .metric import MetricView

            where = {
                key: value
                for key, value in zip((*data.keys, *data.instance), event.key, strict=True)  # type: ignore[call-overload]
                if value
            }
            self.app.push_screen(MetricView(data.health.source, self.service, where))


class Ask:
    """Queries of one metric of one service over the range of one load."""

    def __init__(self, view: View, metric: str, moment: Moment) -> None:
        self._storage = view.storage
        self._metric = metric
        self._service = view.subject()
        self._moment = moment
        self._set_step(0)

    def _set_step(self, interval: int) -> None:
        self.step = self._moment.step(_POINTS, interval)
        self.start, self.end = self._moment.aligned(self.step)

    def stretch(self, series: Sequence[MetricSeries]) -> bool:
        """Takes a longer step if the points of an answer lie further apart; whether it did."""
        interval = interval_of(series, self.step)
        if interval:
            self._set_step(interval)
        return bool(interval)

    def over_time(self, ask: Aggregation, by: Sequence[str]) -> Sequence[MetricSeries]:
        return self._query(ask, by, self.start, self.end, self.step)

    def at_once(self, ask: Aggregation, by: Sequence[str]) -> Sequence[MetricSeries]:
        """The whole range as one window."""
        return self._query(ask, by, self._moment.now, self._moment.now, self._moment.seconds)

    def _query(
        self, ask: Aggregation, by: Sequence[str], start: int, end: int, step: int
    ) -> Sequence[MetricSeries]:
        query = MetricQuery(
            self._metric,
            self._service,
            start=start,
            end=end,
            step=step * SECOND,
            aggregation=ask,
            by=tuple(by),
        )
        return list(self._storage.query_metrics(query))


def _operation_keys(known: Mapping[str, None]) -> tuple[str, ...]:
    """What the rows are grouped by."""
    operation = next((keys for keys in OPERATIONS if keys[-1] in known), ())
    return tuple(key for key in operation if key in known)


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _covered(data: ServiceData, moment: Moment) -> float:
    """The seconds of the range that points cover: an application may have begun a moment ago."""
    times = data.rate.times
    return min(times[-1] - times[0] + data.step, moment.seconds) if times else moment.seconds


def _errors(groups: Sequence[MetricSeries]) -> Line:
    """The rates of the groups that are errors, added up; 0 where there were requests and no errors."""
    total: dict[int, float] = {}
    for series in groups:
        bad = is_error(series.attributes)
        for time, value in zip(series.timestamps.tolist(), series.values.tolist(), strict=True):
            total[time] = total.get(time, 0.0) + (value if bad and np.isfinite(value) else 0.0)
    times = sorted(total)
    return Line([time / SECOND for time in times], [total[time] for time in times])
