"""What the command line prints for programs: JSON and CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..model import MetricInfo, MetricSeries, MetricTable, ServiceHealthMetrics, StoreStats
from .labels import plain


def health_json(found: Iterable[ServiceHealthMetrics]) -> str:
    return json.dumps([dataclasses.asdict(health) for health in found], indent=2)


def metrics_json(metrics: Sequence[MetricInfo]) -> str:
    rows = [dataclasses.asdict(info) | {"kind": info.kind.value} for info in metrics]
    return json.dumps(rows, indent=2)


def stats_json(stats: StoreStats) -> str:
    return json.dumps(dataclasses.asdict(stats), indent=2)


def answer_json(table: MetricTable) -> str:
    """An object for each series."""
    return json.dumps([_series(series) for series in table], indent=2)


def _series(series: MetricSeries) -> dict[str, Any]:
    return {
        "metric": series.metric,
        "kind": series.kind.value,
        "unit": series.unit,
        "temporality": series.temporality,
        "service": series.service,
        "attributes": plain(series.attributes),
        "resource": plain(series.resource),
        "timestamps": series.timestamps.tolist(),
        "values": plain(exact_values(series)),
    }


def answer_csv(table: MetricTable) -> str:
    """A row for each point."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("timestamp", "value", "metric", "unit", "service", "attributes"))
    for series in table:
        attributes = json.dumps(plain(series.attributes), ensure_ascii=False, sort_keys=True)
        for timestamp, value in zip(series.timestamps.tolist(), exact_values(series), strict=True):
            writer.writerow(
                (timestamp, value, series.metric, series.unit, series.service or "", attributes)
            )
    return out.getvalue().rstrip("\n")


def exact_values(series: MetricSeries) -> list[float | int]:
    """The values of a series, integers as such."""
    values: list[float | int] = series.values.tolist()
    if series.is_int is not None and series.int_values is not None:
        exact = series.int_values.tolist()
        for index in series.is_int.nonzero()[0].tolist():
            values[index] = exact[index]
    return values
