"""Services: one row each, trouble first seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult

from .. import text
from ..charts import sparkline
from ..interfaces import MetricStorage
from ..model import Aggregation, MetricQuery, ServiceHealthMetrics
from .arrived import why_empty
from .look import DIM, PLAIN, WARN, Cell, errors_cell
from .state import SECOND, Moment
from .table import Column, Table, TableRow
from .view import Loaded, View, matches

#: Questions in one load: a remote store answers some thousand a second, and others ask as well.
_QUESTIONS = 150
_TREND = 16
#: Shares of one that say how full something is, the first known one is shown.
SATURATION = (
    "process.cpu.utilization",
    "container.cpu.utilization",
    "jvm.cpu.recent_utilization",
    "process.runtime.cpu.utilization",
    "system.cpu.utilization",
)


@dataclass(frozen=True, slots=True)
class ServiceRow:
    name: str
    health: ServiceHealthMetrics | None
    trend: tuple[float, ...]
    saturation: float | None


class Feed:
    """Keeps what is known of each service, and asks for what is missing: seen ones first.

    Used by one thread at a time: a screen has one load under way.
    """

    def __init__(self) -> None:
        self._health: dict[str, tuple[int, ServiceHealthMetrics | None]] = {}
        self._rates: dict[tuple[str, int], float] = {}
        self._step = 0

    def load(self, storage: MetricStorage, moment: Moment, seen: list[str]) -> list[ServiceRow]:
        names = storage.services()
        known = set(names)
        order = [name for name in seen if name in known]
        shown = set(order)
        rest = [name for name in names if name not in shown]
        # Those that were asked about longest ago.
        order += sorted(rest, key=lambda name: self._health.get(name, (0, None))[0])
        left = _QUESTIONS
        for name in order[:left]:
            health = storage.get_service_health(name, moment.health_window, moment.now)
            self._health[name] = (moment.now, health)
            left -= 1
        instants = self._instants(moment)
        for name in order[: max(len(shown), 40)]:
            for instant in instants:
                if left > 0 and (name, instant) not in self._rates:
                    past = storage.get_service_health(name, "1m", instant)
                    rate = past.request_rate if past else None
                    self._rates[name, instant] = math.nan if rate is None else rate
                    left -= 1
        self._forget(instants[0])
        full = _saturation(storage, moment)
        return [
            ServiceRow(
                name,
                self._health.get(name, (0, None))[1],
                tuple(self._rates.get((name, instant), math.nan) for instant in instants),
                full.get(name),
            )
            for name in names
        ]

    def _instants(self, moment: Moment) -> list[int]:
        """Where the trend has its points: on multiples of a step, so that few are new each time."""
        step = max(min(moment.seconds, 3600) // _TREND, 4) * SECOND
        if step != self._step:
            self._rates.clear()
            self._step = step
        last = moment.now // step * step
        return [last - i * step for i in range(_TREND - 1, -1, -1)]

    def _forget(self, before: int) -> None:
        for key in [key for key in self._rates if key[1] < before]:
            del self._rates[key]


def _saturation(storage: MetricStorage, moment: Moment) -> dict[str, float]:
    """How full a service is: the greatest newest value of the first metric that says so."""
    found: dict[str, float] = {}
    names = {info.name for info in storage.metrics()}
    for metric in SATURATION:
        if metric not in names:
            continue
        query = MetricQuery(
            metric,
            start=moment.now,
            end=moment.now,
            step="2m",
            aggregation=Aggregation.MAX,
            by=("service.name", "service.namespace"),
        )
        for series in storage.query_metrics(query):
            name = service_name(series.attributes)
            if len(series) and name not in found:
                found[name] = float(series.values[-1])
    return found


def service_name(attributes: Mapping[str, object]) -> str:
    """The service of a group by service.name and service.namespace."""
    name = str(attributes.get("service.name") or "unknown_service")
    space = attributes.get("service.namespace")
    return f"{space}/{name}" if space else name


class ServicesView(View):
    NAME = "Services"
    FILTERS = "part of a service's name; !word leaves out"
    COLUMNS: ClassVar = (
        Column("SERVICE", grow=True),
        Column("RATE/s", ">"),
        Column("TREND", rank=4),
        Column("ERRORS", ">"),
        Column("P50", ">", rank=2),
        Column("P95", ">"),
        Column("P99", ">", rank=1),
        Column("FULL", ">", rank=5),
        Column("SEEN", rank=3),
        Column("FROM", rank=6),
    )

    def __init__(self) -> None:
        super().__init__()
        self._feed = Feed()
        self._seen: list[str] = []

    def content(self) -> ComposeResult:
        yield Table(self.COLUMNS, id="services")

    def load(self, moment: Moment) -> Any:
        rows = self._feed.load(self.storage, moment, self._seen)
        rejections = [] if rows else self.storage.rejections()
        return rows, rejections

    def show(self, loaded: Loaded) -> None:
        rows, rejections = loaded.data
        table = self.query_one(Table)
        shown = [self._row(row, loaded.moment) for row in rows if matches(self.filter, row.name)]
        empty = "No service has a name like this." if rows else ""
        if not rows and loaded.stats is not None:
            empty = why_empty(loaded.stats, rejections, self.urpo.endpoint, loaded.moment.now)
        table.update_rows(shown, empty)
        self._seen = [str(key) for key in table.visible_keys()]

    def _row(self, row: ServiceRow, moment: Moment) -> TableRow:
        health = row.health
        if health is None:
            cells = [Cell(row.name, DIM, row.name), *[Cell("", DIM)] * (len(self.COLUMNS) - 1)]
            return TableRow(row.name, cells)
        age = None if health.last_seen is None else moment.now - health.last_seen
        silent = age is not None and age > 3 * 60 * SECOND
        trend = sparkline(row.trend, ascii_only=self.ascii_only)
        source = health.source or "no request metric"
        full = row.saturation
        return TableRow(
            row.name,
            (
                Cell(row.name, PLAIN, row.name),
                Cell(text.rate(health.request_rate), PLAIN, health.request_rate),
                Cell(trend, PLAIN),
                errors_cell(health.error_rate),
                _latency(health.p50_latency),
                _latency(health.p95_latency),
                _latency(health.p99_latency),
                Cell(
                    text.UNKNOWN if full is None else f"{full * 100:.0f} %",
                    WARN if full is not None and full > 0.9 else PLAIN,
                    full,
                ),
                Cell(text.age(age) + (" !" if silent else ""), WARN if silent else PLAIN, age),
                Cell(source, DIM, source),
            ),
        )

    def on_table_chosen(self, event: Table.Chosen) -> None:
        from .service import ServiceView

        self.app.push_screen(ServiceView(str(event.key)))


def _latency(seconds: float | None) -> Cell:
    return Cell(text.seconds(seconds), PLAIN if seconds is not None else DIM, seconds)
