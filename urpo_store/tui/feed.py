"""The health of every service, the trend of its rate, and how full it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..interfaces import HealthOfAll, MetricStorage
from ..model import Aggregation, MetricQuery, ServiceHealthMetrics
from .state import SECOND, Moment

#: How many services one load asks about, if the storage answers for one service at a time.
_QUESTIONS = 150
#: Points of a trend.
_TREND = 16
#: Metrics from 0 to 1 that tell how full something is; the first that a service sends is shown.
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
    """Keeps what no longer changes and asks for the rest, first for the services on the screen.

    One thread uses it at a time: a screen has one load in progress.
    """

    def __init__(self) -> None:
        self._health: dict[str, ServiceHealthMetrics | None] = {}
        self._asked: dict[str, int] = {}
        self._rates: dict[int, dict[str, float]] = {}
        self._step = 0

    def load(self, storage: MetricStorage, moment: Moment, seen: Sequence[str]) -> list[ServiceRow]:
        names = storage.services()
        instants = self._instants(moment)
        if isinstance(storage, HealthOfAll):
            found = storage.health(moment.health_window, moment.now)
            self._health = {health.service: health for health in found}
            for instant in instants:
                if instant not in self._rates:
                    self._rates[instant] = _rates(storage.health("1m", instant))
        else:
            self._ask_one_by_one(storage, moment, names, instants, seen)
        full = _saturation(storage, moment)
        return [
            ServiceRow(
                name,
                self._health.get(name),
                tuple(self._rates.get(instant, {}).get(name, math.nan) for instant in instants),
                full.get(name),
            )
            for name in names
        ]

    def _ask_one_by_one(
        self,
        storage: MetricStorage,
        moment: Moment,
        names: Sequence[str],
        instants: Sequence[int],
        seen: Sequence[str],
    ) -> None:
        first = set(seen)
        # After the visible ones, those that were asked about longest ago.
        order = sorted(names, key=lambda name: (name not in first, self._asked.get(name, 0)))
        left = _QUESTIONS
        for name in order[:left]:
            self._health[name] = storage.get_service_health(name, moment.health_window, moment.now)
            self._asked[name] = moment.now
            left -= 1
        for name in order:
            for instant in instants:
                rates = self._rates.setdefault(instant, {})
                if left > 0 and name not in rates:
                    past = storage.get_service_health(name, "1m", instant)
                    rates |= {name: math.nan} | _rates([past] if past else [])
                    left -= 1

    def _instants(self, moment: Moment) -> list[int]:
        """The instants of the trend: multiples of a step, so that few are new each time."""
        step = max(min(moment.seconds, 3600) // _TREND, 4) * SECOND
        if step != self._step:
            self._rates.clear()
            self._step = step
        last = moment.now // step * step
        instants = [last - i * step for i in range(_TREND - 1, -1, -1)]
        for instant in [at for at in self._rates if not instants[0] <= at <= last]:
            del self._rates[instant]
        return instants


def _rates(found: Sequence[ServiceHealthMetrics]) -> dict[str, float]:
    return {
        health.service: math.nan if health.request_rate is None else health.request_rate
        for health in found
    }


def _saturation(storage: MetricStorage, moment: Moment) -> dict[str, float]:
    """How full each service is: the greatest of the newest values of the first metric that tells."""
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
    """The service of a series that is grouped by service.name and service.namespace."""
    name = str(attributes.get("service.name") or "unknown_service")
    space = attributes.get("service.namespace")
    return f"{space}/{name}" if space else name
