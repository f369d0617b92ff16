"""The questions that the screen of one metric asks the storage, and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..interfaces import MetricStorage
from ..model import Aggregation, MetricInfo, MetricKind, MetricQuery, MetricSeries, MetricTable
from ..query.flags import parse_where
from ..render.drawing import bucket_counts, interval_of
from ..render.labels import label
from .state import SECOND, Moment

HISTOGRAMS = (MetricKind.HISTOGRAM, MetricKind.EXPONENTIAL_HISTOGRAM)
QUANTILES = (Aggregation.P50, Aggregation.P95, Aggregation.P99)
QUANTILE_VIEW = "p50 p95 p99"
HEAT = "heat map"
RAW = "raw"
_HISTOGRAM_VIEWS = (QUANTILE_VIEW, "rate", HEAT, "increase", RAW)
#: `v` steps through these.
VIEWS: Mapping[MetricKind, Sequence[str]] = {
    MetricKind.COUNTER: ("rate", "increase", RAW),
    MetricKind.UP_DOWN_COUNTER: ("last", RAW, "rate"),
    MetricKind.GAUGE: ("avg", RAW, "max", "min"),
    MetricKind.HISTOGRAM: _HISTOGRAM_VIEWS,
    MetricKind.EXPONENTIAL_HISTOGRAM: _HISTOGRAM_VIEWS,
    MetricKind.SUMMARY: (RAW,),
}
#: The most series in the list: more than can be told apart, and few enough for a terminal.
MOST_SERIES = 200
#: How many series are searched for attributes to group by.
_SAMPLE = 1000

#: The attribute that series are grouped by; "": all in one; None: each series by itself.
Group = str | None


@dataclass(frozen=True, slots=True)
class MetricData:
    kind: MetricKind
    unit: str
    view: str
    start: int
    end: int
    step: int
    series: Sequence[tuple[str, MetricSeries]] = ()
    heat: tuple[list[list[float]], list[str]] = field(default_factory=lambda: ([], []))
    empty: str = ""

    @property
    def aggregation(self) -> Aggregation:
        """The aggregation of the values."""
        if self.view == QUANTILE_VIEW:
            return Aggregation.P95
        return Aggregation.INCREASE if self.view == HEAT else Aggregation(self.view)


def split_filter(filter: str) -> tuple[dict[str, Any], str]:
    """(conditions on attributes, the other words); raises QueryError."""
    where: dict[str, Any] = {}
    words = []
    for word in filter.split():
        if "=" in word or "~" in word:
            key, value = parse_where(word)
            where[key] = value
        else:
            words.append(word)
    return where, " ".join(words)


def info_of(storage: MetricStorage, metric: str, service: str | None) -> MetricInfo | None:
    """What is known of a metric; the series of all its streams are counted."""
    infos = [info for info in storage.metrics(service) if info.name == metric]
    if not infos:
        return None
    return replace(infos[0], series_count=sum(info.series_count for info in infos))


def keys_of(
    storage: MetricStorage, metric: str, service: str | None, where: Mapping[str, Any]
) -> tuple[str, ...]:
    """The attributes to group by: those whose values differ."""
    found = storage.series(MetricQuery(metric, service, where, limit=_SAMPLE))
    every = [{"service.name": one.service, **one.resource, **one.attributes} for one in found]
    keys = sorted({key for one in every for key in one})
    # Being absent is a value too: {} stands for it.
    return tuple(key for key in keys if len({repr(one.get(key, {})) for one in every}) > 1)


def load_metric(
    storage: MetricStorage,
    info: MetricInfo,
    view: str,
    service: str | None,
    where: Mapping[str, Any],
    group: Group,
    moment: Moment,
    columns: int,
) -> MetricData:
    """The series of a view over the range, in steps that fit `columns` columns of a chart."""

    def at(interval: int) -> MetricData:
        step = moment.step(columns, interval)
        start, end = moment.aligned(step)
        base = MetricQuery(info.name, service, where, start, end, step * SECOND, limit=MOST_SERIES)
        return _ask(storage, base, group, MetricData(info.kind, info.unit, view, start, end, step))

    data = at(0)
    interval = 0
    if view != RAW:
        interval = interval_of([series for _, series in data.series], data.step)
    return at(interval) if interval else data


def _ask(storage: MetricStorage, base: MetricQuery, group: Group, data: MetricData) -> MetricData:
    by = None if group is None else (group,) if group else ()

    def ask(aggregation: Aggregation, by: tuple[str, ...] | None) -> MetricTable:
        return storage.query_metrics(replace(base, aggregation=aggregation, by=by))

    if data.view == HEAT:
        table = ask(Aggregation.INCREASE, ())
        step = data.step * SECOND
        instants = list(range(data.start + step, data.end + 1, step))
        heat = bucket_counts(table[0], instants) if len(table) else ([], [])
        return replace(data, heat=heat, series=named(table))
    if data.view == QUANTILE_VIEW and by == ():
        lines = [(quantile.value, series) for quantile in QUANTILES for series in ask(quantile, by)]
        return replace(data, series=lines)
    if data.view == QUANTILE_VIEW:
        return replace(data, series=named(ask(Aggregation.P95, by), group, "p95 "))
    if data.view == RAW:
        raw = replace(base, step=None, aggregation=Aggregation.RAW, by=None)
        return replace(data, series=named(storage.query_metrics(raw)))
    return replace(data, series=named(ask(data.aggregation, by), group))


def named(
    table: MetricTable, group: Group = None, before: str = ""
) -> list[tuple[str, MetricSeries]]:
    """Series and their names, without what all have in common; equal names get a number."""
    found: dict[str, MetricSeries] = {}
    everyone = [{"": series.service, **series.attributes} for series in table]
    first = everyone[0] if everyone else {}
    common = {
        key
        for key, value in first.items()
        if len(everyone) > 1 and all(repr(other.get(key)) == repr(value) for other in everyone)
    }
    for series in table:
        absent = bool(group) and group not in series.attributes
        name = base = before + (f"no {group}" if absent else label(series, common))
        count = 1
        while name in found:
            count += 1
            name = f"{base} ({count})"
        found[name] = series
    return list(found.items())
