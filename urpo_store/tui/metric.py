"""One metric: its series as lines, quantiles or a heat map; grouped, filtered, switched on and off."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ..errors import QueryError
from ..model import AttributeValue, MetricKind, MetricSeries
from ..render import text
from ..render.charts import Line, sparkline
from ..render.drawing import gap_of, line_of, shown_unit
from ..render.labels import clock, plain
from .chart import MOST_LINES, Chart
from .look import DIM, PLAIN, Cell, mark_of, series_style
from .metric_data import (
    HEAT,
    HISTOGRAMS,
    RAW,
    VIEWS,
    Group,
    MetricData,
    info_of,
    keys_of,
    load_metric,
    split_filter,
)
from .row_list import Column, ListRow, RowList
from .series_view import SeriesView
from .state import Moment
from .text_box import TextBox
from .view import Loaded, matches

_TREND = 16
Condition = AttributeValue | re.Pattern[str]


class MetricView(SeriesView):
    NAME = "Metric"
    FILTERS = "k=v, k:int=5 or k~regex filter series; other words are looked for in their names"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "view", "View"),
        Binding("b", "group(1)", "Group by"),
        Binding("B", "group(-1)", "Group by the key before", show=False),
        Binding("space", "switch", "On/off"),
        Binding("e", "exemplars", "Exemplars"),
    ]
    COLUMNS: ClassVar = (
        Column("", sorts=False),
        Column("SERIES", grow=True),
        Column("LAST", ">"),
        Column("LEAST", ">", rank=2),
        Column("MOST", ">", rank=1),
        Column("TREND", rank=3, sorts=False),
    )

    def __init__(
        self,
        metric: str,
        service: str | None = None,
        where: Mapping[str, Condition] | None = None,
    ) -> None:
        super().__init__()
        self.metric = metric
        self.service = service
        self.where = dict(where or {})
        self._view = 0
        self._group: Group = ""
        self._group_chosen = False
        self._keys: tuple[str, ...] = ()
        self._off: set[object] = set()

    def subject(self) -> str:
        parts = []
        data = self._data()
        if data is not None:
            by = f"by {self._group}" if self._group else "all in one"
            if self._group is None or data.view == RAW:
                by = "each series"
            parts.append(f"[{data.view}, {by}]")
        parts.append(self.metric)
        if self.service:
            parts.append(f"of {self.service}")
        return " ".join(parts + [_condition(key, value) for key, value in self.where.items()])

    def _data(self) -> MetricData | None:
        return self._last.data if self._last is not None else None

    def content(self) -> ComposeResult:
        yield Chart(id="chart")
        yield RowList(self.COLUMNS, sort=1, id="series", classes="-fits")
        yield TextBox(id="detail")

    # ---- loading

    def load(self, moment: Moment) -> Any:
        info = info_of(self.storage, self.metric, self.service)
        if info is None:
            empty = f"No metric has the name {self.metric!r}."
            return MetricData(MetricKind.GAUGE, "", RAW, moment.start, moment.now, 1, empty=empty)
        conditions, _ = split_filter(self.filter)
        where = self.where | conditions
        if not self._keys:
            self._keys = keys_of(self.storage, self.metric, self.service, where)
            if (
                info.kind is MetricKind.GAUGE
                and info.series_count <= MOST_LINES
                and not self._group_chosen
            ):
                self._group = None  # a sum of temperatures means nothing
        views = VIEWS[info.kind]
        return load_metric(
            self.storage,
            info,
            views[self._view % len(views)],
            self.service,
            where,
            self._group,
            moment,
            max(self.size.width - 12, 20),
        )

    # ---- showing

    def show(self, loaded: Loaded) -> None:
        data: MetricData = loaded.data
        try:
            _, words = split_filter(self.filter)
        except QueryError:
            words = ""
        self.write_title()
        named = [(name, series) for name, series in data.series if matches(words, name)]
        aggregation = data.aggregation
        unit = shown_unit(data.kind, data.unit, aggregation)
        lines = [
            line_of(series, aggregation) if name not in self._off else Line((), ())
            for name, series in named
        ]
        chart = self.query_one(Chart)
        if data.view == HEAT:
            chart.draw_heat(_title(data, unit), *data.heat, data.start, data.end)
        else:
            gap = gap_of([s for _, s in named], None if data.view == RAW else data.step)
            if data.view == RAW:
                # Points of one export are some seconds apart; a chart of a long range joins them.
                gap = max(gap, 1.5 * data.step)
            chart.draw_lines(
                _title(data, unit),
                lines,
                data.start,
                data.end,
                gap,
                lambda value: text.value(value, unit),
            )
        empty = data.empty or "No points in this range with these filters."
        rows = [
            self._row(index, name, series, line, unit)
            for index, ((name, series), line) in enumerate(zip(named, lines, strict=True))
        ]
        row_list = self.query_one(RowList)
        row_list.update_rows(rows, empty)
        self.show_detail(row_list.current)

    def _row(self, index: int, name: str, series: MetricSeries, line: Line, unit: str) -> ListRow:
        values = [float(value) for value in series.values if math.isfinite(value)]
        off = name in self._off
        style = DIM if off else series_style(index)

        def cell(value: float | None) -> Cell:
            return Cell(text.value(value, unit), DIM if off else PLAIN, value)

        last = float(series.values[-1]) if len(series) else None
        return ListRow(
            name,
            (
                Cell(" " if off else mark_of(index), style),
                Cell(name, style, name),
                cell(last),
                cell(min(values, default=None)),
                cell(max(values, default=None)),
                Cell(sparkline(line.values, _TREND, ascii_only=self.ascii_only), DIM),
            ),
        )

    def detail(self, key: object) -> str:
        data = self._data()
        shown = ""
        for name, series in data.series if data is not None else ():
            if name == key and len(series) and data is not None:
                value = series.values[-1]
                if series.is_int is not None and series.is_int[-1]:
                    value = series.int_values[-1]  # type: ignore[index]
                unit = shown_unit(data.kind, data.unit, data.aggregation)
                when = clock(int(series.timestamps[-1]))
                between = " " if unit and not unit.startswith("/") else ""
                shown = f"{name}: {value!s}{between}{unit} at {when}"
        return shown

    # ---- keys

    def action_view(self) -> None:
        self._view += 1
        self._off.clear()
        self.reload()

    def action_group(self, by: int) -> None:
        """Step through the groups: all in one, by each attribute, each series by itself."""
        choices: list[Group] = ["", *self._keys, None]
        at = choices.index(self._group) if self._group in choices else 0
        self._group = choices[(at + by) % len(choices)]
        self._group_chosen = True
        self._off.clear()
        self.reload()

    def action_switch(self) -> None:
        key = self.query_one(RowList).current
        if key is not None:
            self._off ^= {key}
            self.redraw()

    def action_exemplars(self) -> None:
        from .exemplars import ExemplarsView

        self.app.push_screen(ExemplarsView(self.metric, self.service, self.where, self.filter))

    def export(self) -> list[Mapping[str, object]]:
        """The points of the series that are switched on."""
        data = self._data()
        if data is None:
            return []
        return [
            {"time": time, "series": name, "value": value, "unit": data.unit, "view": data.view}
            for name, series in data.series
            if name not in self._off
            for time, value in zip(
                series.timestamps.tolist(), plain(series.values.tolist()), strict=True
            )
        ]


def _condition(key: str, value: Condition) -> str:
    if isinstance(value, re.Pattern):
        return f"{key}~{value.pattern}"
    return f"no {key}" if value is None else f"{key}={value}"


def _title(data: MetricData, unit: str) -> str:
    """What a chart shows: rate, payment/s, every 10 s."""
    if data.view == RAW:
        parts = ["points as they came", unit]
    elif data.view == HEAT:
        parts = ["observations a bucket", f"every {data.step} s"]
    else:
        of_counts = data.kind in HISTOGRAMS and unit in ("", "/s")
        counted = f"observations{unit}" if of_counts else unit
        parts = [data.view, counted, f"every {data.step} s"]
    return ", ".join(part.translate({123: None, 125: None}) for part in parts if part)
