"""What the command line prints: health, tables, charts, and flags to queries."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ..interfaces import MetricStorage
from ..model import (
    Aggregation,
    AttributeValue,
    MetricInfo,
    MetricQuery,
    MetricSeries,
    MetricTable,
    ServiceHealthMetrics,
    StoreStats,
)
from ..query.times import parse_duration
from . import charts, text
from .charts import line_chart
from .drawing import gap_of, line_of, shown_unit

#: How many metric names a service without requests is described by.
NAMED_METRICS = 3


# ---- health


def health_table(
    storage: MetricStorage, found: Mapping[str, ServiceHealthMetrics | None], now: int
) -> str:
    """One row a service, as a terminal shows it."""
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
    return text.table(header, rows, "<>>>>><<")


def _without_source(storage: MetricStorage, service: str) -> str:
    names = [info.name for info in storage.metrics(service)]
    if not names:
        return "no request metric"
    more = ", ..." if len(names) > NAMED_METRICS else ""
    return f"no request metric: sends {', '.join(names[:NAMED_METRICS])}{more}"


def health_json(found: Iterable[ServiceHealthMetrics]) -> str:
    return json.dumps([dataclasses.asdict(health) for health in found], indent=2)


# ---- metrics and stats


def metrics_table(metrics: Sequence[MetricInfo]) -> str:
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
    return text.table(header, rows, "<<<<><")


def metrics_json(metrics: Sequence[MetricInfo]) -> str:
    rows = [dataclasses.asdict(info) | {"kind": info.kind.value} for info in metrics]
    return json.dumps(rows, indent=2)


def stats_table(stats: StoreStats, now: int) -> str:
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
    return text.table(("WHAT", "HOW MUCH"), rows, "<<")


def stats_json(stats: StoreStats) -> str:
    return json.dumps(dataclasses.asdict(stats), indent=2)


def label(series: MetricSeries, without: Collection[str] = ()) -> str:
    """What tells a series from its neighbours: service and attributes, types visible.

    Attributes in `without` are left out, and the service if "" is in it.
    """
    parts = [] if series.service is None or "" in without else [series.service]
    kept = {key: value for key, value in series.attributes.items() if key not in without}
    return " ".join([*parts, pairs(kept)] if kept else parts) or "(all)"


def pairs(attributes: Mapping[str, AttributeValue]) -> str:
    """Attributes as people write them, types visible: route=/pay status=500 id="7"."""
    return " ".join(f"{key}={_shown(value)}" for key, value in attributes.items())


def _shown(value: AttributeValue) -> str:
    """Text as it is, unless it could be taken for another type; everything else as JSON."""
    if isinstance(value, str):
        bare = re.fullmatch(r"[^\s\"{}\[\],]+", value)
        looks = re.fullmatch(r"-?[\d.]+([eE][-+]?\d+)?|true|false|null", value)
        return value if bare and not looks else json.dumps(value, ensure_ascii=False)
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: bytes as base64 in an object, NaN as null."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _values(series: MetricSeries) -> list[float | int]:
    """Values with integers exact."""
    values: list[float | int] = series.values.tolist()
    if series.is_int is not None and series.int_values is not None:
        exact = series.int_values.tolist()
        for index in series.is_int.nonzero()[0].tolist():
            values[index] = exact[index]
    return values


def render_table(table: MetricTable, shape: str, query: MetricQuery | None = None) -> str:
    """The answer to `query` as "json", "csv", "chart", or ("") a table of the points."""
    match shape:
        case "json":
            return json.dumps([_series_json(series) for series in table], indent=2)
        case "csv":
            return _csv(table)
        case "chart":
            plain_only = text.ascii_only()
            return "\n\n".join(
                chart(series, query=query, ascii_only=plain_only) for series in table
            )
    rows = []
    for series in table:
        for timestamp, value in zip(series.timestamps.tolist(), _values(series), strict=True):
            rows.append((clock(timestamp), text.number(value), series.unit, label(series)))
    return text.table(("TIME", "VALUE", "UNIT", "SERIES"), rows, "<><<") if rows else ""


def chart(
    series: MetricSeries,
    width: int = 72,
    height: int = 8,
    query: MetricQuery | None = None,
    ascii_only: bool = False,
) -> str:
    """A series as a chart with a head and its times; `query` is what it answers (raw points)."""
    unit = f" [{series.unit}]" if series.unit else ""
    head = f"{series.metric}{unit}  {label(series)}"
    step = None if query is None or query.step is None else parse_duration(query.step) / 1e9
    aggregation = Aggregation.RAW if query is None else query.aggregation
    unit_shown = shown_unit(series.kind, series.unit, aggregation)
    rows = line_chart(
        [line_of(series, aggregation)],
        width=width,
        height=height,
        gap=gap_of([series], step),
        show=lambda value: text.value(value, unit_shown),
        ascii_only=ascii_only,
    )
    lines = charts.plain(rows)
    if series.timestamps.size:
        ends = clock(int(series.timestamps[0])), clock(int(series.timestamps[-1]))
        lines.append(f"{ends[0]}{ends[1]:>{max(1, width - len(ends[0]))}}")
    return "\n".join([text.printable(head), *lines])


def clock(timestamp: int) -> str:
    import datetime

    moment = datetime.datetime.fromtimestamp(timestamp / 1e9)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{timestamp // 10**6 % 1000:03d}"


def _series_json(series: MetricSeries) -> dict[str, Any]:
    return {
        "metric": series.metric,
        "kind": series.kind.value,
        "unit": series.unit,
        "temporality": series.temporality,
        "service": series.service,
        "attributes": plain(series.attributes),
        "resource": plain(series.resource),
        "timestamps": series.timestamps.tolist(),
        "values": plain(_values(series)),
    }


def _csv(table: MetricTable) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("timestamp", "value", "metric", "unit", "service", "attributes"))
    for series in table:
        attributes = json.dumps(plain(series.attributes), ensure_ascii=False, sort_keys=True)
        for timestamp, value in zip(series.timestamps.tolist(), _values(series), strict=True):
            writer.writerow(
                (timestamp, value, series.metric, series.unit, series.service or "", attributes)
            )
    return out.getvalue().rstrip("\n")
