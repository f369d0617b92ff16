"""One metric: its series as lines, quantiles or a heat map; grouped, filtered, switched on and off."""

from __future__ import annotations

import json
import math
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from .. import text
from ..charts import Line
from ..drawing import bucket_counts, gap_of, line_of, shown_unit
from ..errors import QueryError
from ..model import (
    Aggregation,
    AttributeValue,
    MetricKind,
    MetricQuery,
    MetricSeries,
    MetricTable,
    SeriesExemplar,
)
from ..report import clock, label, parse_where, plain
from .chart import MOST_LINES, Chart
from .look import DIM, PLAIN, Cell, series_style
from .state import SECOND, Moment
from .table import Column, Table, TableRow
from .view import Loaded, View, matches

QUANTILES = (Aggregation.P50, Aggregation.P95, Aggregation.P99)
QUANTILE_VIEW = "p50 p95 p99"
HEAT = "heat map"
_HISTOGRAM_VIEWS = (QUANTILE_VIEW, "rate", HEAT, "increase", "raw")
#: What `v` steps through.
VIEWS: Mapping[MetricKind, Sequence[str]] = {
    MetricKind.COUNTER: ("rate", "increase", "raw"),
    MetricKind.UP_DOWN_COUNTER: ("last", "raw", "rate"),
    MetricKind.GAUGE: ("avg", "raw", "max", "min"),
    MetricKind.HISTOGRAM: _HISTOGRAM_VIEWS,
    MetricKind.EXPONENTIAL_HISTOGRAM: _HISTOGRAM_VIEWS,
    MetricKind.SUMMARY: ("raw",),
}
#: Series that are listed; more than can be told apart, and no more than a terminal can take.
MOST_SERIES = 200
_MARKS = "*+ox#@%&"


@dataclass(frozen=True, slots=True)
class MetricData:
    kind: MetricKind
    unit: str
    view: str
    keys: tuple[str, ...]
    start: int
    end: int
    step: int
    series: Sequence[tuple[str, MetricSeries]] = ()
    heat: tuple[list[list[float]], list[str]] = field(default_factory=lambda: ([], []))
    exemplars: Sequence[SeriesExemplar] = ()
    empty: str = ""

    @property
    def aggregation(self) -> Aggregation:
        if self.view == QUANTILE_VIEW:
            return Aggregation.P95
        return Aggregation.INCREASE if self.view == HEAT else Aggregation(self.view)


class MetricView(View):
    NAME = "Metric"
    FILTERS = "k=v, k:int=5 or k~regex filter series; other words are looked for in their names"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "view", "View"),
        Binding("b", "group(1)", "Group by"),
        Binding("B", "group(-1)", "Group by the key before", show=False),
        Binding("space", "switch", "On/off"),
        Binding("e", "exemplars", "Exemplars"),
        Binding("y", "copy", "Copy trace id", show=False),
        Binding("o", "open", "Open trace", show=False),
    ]

    def __init__(
        self,
        metric: str,
        service: str | None = None,
        where: Mapping[str, AttributeValue] | None = None,
    ) -> None:
        super().__init__()
        self.metric = metric
        self.service = service
        self.where = dict(where or {})
        self._view = 0
        self._group: str | None = ""  # "": all in one; None: each series by itself
        self._keys: tuple[str, ...] = ()
        self._off: set[object] = set()
        self._exemplars = False
        self._grouped_by_hand = False

    def subject(self) -> str:
        parts = [self.metric]
        if self.service:
            parts.append(f"of {self.service}")
        parts += [f"{key}={value}" for key, value in self.where.items()]
        data = self._data()
        if data is not None:
            by = f"by {self._group}" if self._group else "all"
            if self._group is None or data.view == "raw":
                by = "each series"
            parts.append(f"[{data.view}, {by}]")
        return " ".join(parts)

    def _data(self) -> MetricData | None:
        return self._last.data if self._last is not None else None

    def content(self) -> ComposeResult:
        yield Chart(id="chart")
        yield Table(self._columns(), id="series")
        yield Static(id="detail")

    def _columns(self) -> Sequence[Column]:
        if self._exemplars:
            return (
                Column("TIME"),
                Column("VALUE", ">"),
                Column("TRACE"),
                Column("SERIES", grow=True, rank=1),
            )
        return (
            Column(""),
            Column("SERIES", grow=True),
            Column("LAST", ">"),
            Column("LEAST", ">", rank=2),
            Column("GREATEST", ">", rank=1),
            Column("TREND", rank=3),
        )

    # ---- loading

    def _filters(self) -> tuple[dict[str, Any], str]:
        """(conditions of the filter, the words that are none)"""
        where: dict[str, Any] = dict(self.where)
        words = []
        for word in self.filter.split():
            if "=" in word or "~" in word:
                key, value = parse_where(word)
                where[key] = value
            else:
                words.append(word)
        return where, " ".join(words)

    def load(self, moment: Moment) -> Any:
        infos = [info for info in self.storage.metrics(self.service) if info.name == self.metric]
        step = moment.step(max(self.size.width - 12, 20))
        start, end = moment.aligned(step)
        if not infos:
            empty = f"No metric has the name {self.metric!r}."
            return MetricData(MetricKind.GAUGE, "", "raw", (), start, end, step, empty=empty)
        kind, unit = infos[0].kind, infos[0].unit
        views = VIEWS[kind]
        view = views[self._view % len(views)]
        where, _ = self._filters()
        if not self._keys:
            self._keys = self._known_keys(where)
            if not self._grouped_by_hand and sum(info.series_count for info in infos) <= MOST_LINES:
                self._group = None if kind is MetricKind.GAUGE else self._group
        base = MetricQuery(
            self.metric, self.service, where, start, end, step * SECOND, limit=MOST_SERIES
        )
        data = MetricData(kind, unit, view, self._keys, start, end, step)
        if self._exemplars:
            found = self.storage.exemplars(base)
            return _with(data, exemplars=found[-MOST_SERIES:][::-1])
        return self._points(base, data)

    def _points(self, base: MetricQuery, data: MetricData) -> MetricData:
        by = None if self._group is None else (self._group,) if self._group else ()
        ask = self.storage.query_metrics
        if data.view == HEAT:
            table = ask(_asked(base, Aggregation.INCREASE, ()))
            instants = list(
                range(data.start + data.step * SECOND, data.end + 1, data.step * SECOND)
            )
            heat = bucket_counts(table[0], instants) if len(table) else ([], [])
            return _with(data, heat=heat, series=_named(table))
        if data.view == QUANTILE_VIEW:
            if by == ():
                lines = [
                    (quantile.value, series)
                    for quantile in QUANTILES
                    for series in ask(_asked(base, quantile, by))
                ]
                return _with(data, series=lines)
            return _with(data, series=_named(ask(_asked(base, Aggregation.P95, by)), "p95 "))
        if data.view == "raw":
            raw = MetricQuery(
                base.metric, base.service, base.where, base.start, base.end, limit=base.limit
            )
            return _with(data, series=_named(ask(raw)))
        return _with(data, series=_named(ask(_asked(base, data.aggregation, by))))

    def _known_keys(self, where: Mapping[str, Any]) -> tuple[str, ...]:
        """Attributes with more than one value: what a group can be made by."""
        values: dict[str, set[str]] = {}
        for series in self.storage.series(MetricQuery(self.metric, self.service, where)):
            for key, value in {**series.resource, **series.attributes}.items():
                values.setdefault(key, set()).add(repr(value))
            for key in ("service.name",):
                values.setdefault(key, set()).add(series.service)
        return tuple(sorted(key for key, found in values.items() if len(found) > 1))

    # ---- showing

    def show(self, loaded: Loaded) -> None:
        data: MetricData = loaded.data
        table = self.query_one(Table)
        try:
            _, words = self._filters()
        except QueryError:
            words = ""
        self.write_title()
        if self._exemplars:
            self._show_exemplars(table, data, words)
            return
        named = [(name, series) for name, series in data.series if matches(words, name)]
        aggregation = data.aggregation
        unit = shown_unit(data.kind, data.unit, aggregation)
        lines = [
            line_of(series, aggregation) if name not in self._off else Line((), ())
            for name, series in named
        ]
        chart = self.query_one(Chart)
        if data.view == HEAT:
            chart.draw_heat(f"{data.view} of {self.metric}", *data.heat, data.start, data.end)
        else:
            raw = data.view == "raw"
            gap = gap_of([series for _, series in named], None if raw else data.step)
            # Points of one export are some seconds apart; a chart of a long range joins them.
            gap = max(gap, 1.5 * data.step)
            title = f"{data.view} [{unit}]" if unit else data.view
            chart.draw_lines(
                title, lines, data.start, data.end, gap, lambda value: text.value(value, unit)
            )
        empty = data.empty or "No points in this range with these filters."
        table.update_rows(
            [
                self._series_row(index, name, series, line, unit)
                for index, ((name, series), line) in enumerate(zip(named, lines, strict=True))
            ],
            empty,
        )
        self._detail(table.current)

    def _series_row(
        self, index: int, name: str, series: MetricSeries, line: Line, unit: str
    ) -> TableRow:
        from ..charts import sparkline

        values = [float(value) for value in series.values if math.isfinite(value)]
        off = name in self._off
        style = DIM if off else series_style(index)
        mark = " " if off else _MARKS[index % len(_MARKS)]

        def cell(value: float | None) -> Cell:
            return Cell(text.value(value, unit), DIM if off else PLAIN, value)

        last = float(series.values[-1]) if len(series) else None
        return TableRow(
            name,
            (
                Cell(mark, style, float(index)),
                Cell(name, style, name),
                cell(last),
                cell(min(values, default=None)),
                cell(max(values, default=None)),
                Cell(sparkline(values, 16, ascii_only=self.ascii_only), DIM),
            ),
        )

    def _show_exemplars(self, table: Table, data: MetricData, words: str) -> None:
        rows = []
        for index, item in enumerate(data.exemplars):
            trace = item.exemplar.trace_id.hex()
            attributes = json.dumps(plain(item.series.attributes), ensure_ascii=False)
            if not matches(words, trace, attributes):
                continue
            value = float(item.exemplar.value)
            rows.append(
                TableRow(
                    (index, trace),
                    (
                        Cell(clock(item.exemplar.timestamp), PLAIN, item.exemplar.timestamp),
                        Cell(text.value(value, data.unit), PLAIN, value),
                        Cell(trace or "(no trace)", PLAIN, trace),
                        Cell(attributes, DIM, attributes),
                    ),
                )
            )
        empty = "No exemplars in this range. SDKs send them for requests that were sampled."
        table.update_rows(rows, empty)
        self._detail(table.current)

    def on_table_moved(self, event: Table.Moved) -> None:
        self._detail(event.key)

    def _detail(self, key: object) -> None:
        """The row of the cursor in full: nothing cut, the value as it is stored."""
        data = self._data()
        shown = ""
        if data is not None and not self._exemplars:
            for name, series in data.series:
                if name == key and len(series):
                    value = series.values[-1]
                    if series.is_int is not None and series.is_int[-1]:
                        value = series.int_values[-1]  # type: ignore[index]
                    unit = shown_unit(data.kind, data.unit, data.aggregation)
                    shown = f"{name}: {value!s}{unit and ' ' + unit} at {clock(int(series.timestamps[-1]))}"
        elif isinstance(key, tuple) and key[1]:
            shown = f"trace {key[1]}: y copies the id" + (
                ", o opens it" if self._template() else ""
            )
        self.query_one("#detail", Static).update(text.printable(shown))

    # ---- keys

    def filter_changed(self) -> None:
        try:
            self._filters()
        except QueryError as error:
            self.query_one("#detail", Static).update(str(error))
            return
        self.reload()

    def action_view(self) -> None:
        self._view += 1
        self._off.clear()
        self.reload()

    def action_group(self, by: int) -> None:
        """All in one, by each attribute, each series by itself, and again."""
        choices: list[str | None] = ["", *self._keys, None]
        at = choices.index(self._group) if self._group in choices else 0
        self._group = choices[(at + by) % len(choices)]
        self._grouped_by_hand = True
        self._off.clear()
        self.reload()

    def action_switch(self) -> None:
        key = self.query_one(Table).current
        if key is not None and not self._exemplars:
            self._off ^= {key}
            self.redraw()

    def action_exemplars(self) -> None:
        self._exemplars = not self._exemplars
        table = self.query_one(Table)
        table.columns = tuple(self._columns())
        table.sort_column, table.falling = 0, self._exemplars
        table.update_rows([], "")
        self.reload()

    def _trace(self) -> str:
        key = self.query_one(Table).current
        return str(key[1]) if self._exemplars and isinstance(key, tuple) else ""

    def action_copy(self) -> None:
        trace = self._trace()
        if trace:
            self.app.copy_to_clipboard(trace)
            self.app.notify(f"copied {trace}")

    def _template(self) -> str:
        return self.urpo.trace_url

    def action_open(self) -> None:
        trace, template = self._trace(), self._template()
        if trace and not template:
            self.app.notify(
                "Set URPO_STORE_TRACE_URL to the address of your trace tool, with {trace_id} in it.",
                severity="warning",
            )
        elif trace:
            webbrowser.open(template.replace("{trace_id}", trace))

    def export(self) -> list[Mapping[str, object]]:
        """The points of the series that are switched on."""
        data = self._data()
        if data is None or self._exemplars:
            return super().export()
        return [
            {"time": time, "series": name, "value": value, "unit": data.unit, "view": data.view}
            for name, series in data.series
            if name not in self._off
            for time, value in zip(
                series.timestamps.tolist(), plain(series.values.tolist()), strict=True
            )
        ]


def _with(data: MetricData, **changes: Any) -> MetricData:
    from dataclasses import replace

    return replace(data, **changes)


def _asked(base: MetricQuery, ask: Aggregation, by: tuple[str, ...] | None) -> MetricQuery:
    from dataclasses import replace

    return replace(base, aggregation=ask, by=by)


def _named(table: MetricTable, before: str = "") -> list[tuple[str, MetricSeries]]:
    """Series with a name each: what all have in common is left out, equal ones get a number."""
    found: dict[str, MetricSeries] = {}
    everyone = [{"": series.service, **series.attributes} for series in table]
    first = everyone[0] if everyone else {}
    common = {
        key
        for key, value in first.items()
        if len(everyone) > 1 and all(repr(other.get(key)) == repr(value) for other in everyone)
    }
    for series in table:
        name = base = before + label(series, common)
        count = 1
        while name in found:
            count += 1
            name = f"{base} ({count})"
        found[name] = series
    return list(found.items())
