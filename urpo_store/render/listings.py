"""What the command line prints for people: rows under a head, in columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ..interfaces import MetricStorage
from ..model import MetricInfo, MetricTable, ServiceHealthMetrics, StoreStats
from . import text
from .labels import clock, label
from .records import exact_values

#: How many of its metrics describe a service without a request metric.
NAMED_METRICS = 3


def health_listing(
    storage: MetricStorage, found: Mapping[str, ServiceHealthMetrics | None], now: int
) -> str:
    """A row for each service."""
    rows = []
    for service, health in found.items():
        if health is None:
            continue
        rows.append(
            (
                service,
                text.rate(health.request_rate),
                text.ratio(health.error_rate),
                text.seconds(health.p50_latency),
                text.seconds(health.p95_latency),
                text.seconds(health.p99_latency),
                text.age(None if health.last_seen is None else now - health.last_seen),
                health.source or _without_source(storage, service),
            )
        )
    if not rows:
        return "No service has sent anything yet. `urpo-store doctor` says what to set."
    header = ("SERVICE", "RATE/s", "ERRORS", "P50", "P95", "P99", "LAST SEEN", "FROM")
    return text.columns(header, rows, "<>>>>><<")


def _without_source(storage: MetricStorage, service: str) -> str:
    names = [info.name for info in storage.metrics(service)]
    if not names:
        return "no request metric"
    more = ", ..." if len(names) > NAMED_METRICS else ""
    return f"no request metric: sends {', '.join(names[:NAMED_METRICS])}{more}"


def metrics_listing(metrics: Sequence[MetricInfo]) -> str:
    rows = [
        (
            info.name,
            info.kind.value.replace("_", " "),
            info.unit or text.UNKNOWN,
            info.temporality or text.UNKNOWN,
            str(info.series_count),
            info.description.partition("\n")[0][:60],
        )
        for info in metrics
    ]
    if not rows:
        return "No metric has arrived yet. `urpo-store doctor` says what to set."
    header = ("METRIC", "KIND", "UNIT", "TEMPORALITY", "SERIES", "DESCRIPTION")
    return text.columns(header, rows, "<<<<><")


def stats_listing(stats: StoreStats, now: int) -> str:
    rows = []
    for field in dataclasses.fields(stats):
        value = getattr(stats, field.name)
        if field.name == "last_arrival":
            shown = text.age(None if value is None else now - value)
        elif field.name.endswith("_bytes") or field.name == "memory_limit":
            shown = text.size(value)
        elif isinstance(value, Mapping):
            shown = ", ".join(f"{name}: {count}" for name, count in sorted(value.items()))
        else:
            shown = str(value)
        rows.append((field.name, shown or text.UNKNOWN))
    return text.columns(("WHAT", "HOW MUCH"), rows, "<<")


def points_listing(table: MetricTable) -> str:
    """A row for each point; "" if there is none."""
    rows = []
    for series in table:
        for timestamp, value in zip(series.timestamps.tolist(), exact_values(series), strict=True):
            rows.append((clock(timestamp), text.number(value), series.unit, label(series)))
    return text.columns(("TIME", "VALUE", "UNIT", "SERIES"), rows, "<><<") if rows else ""
