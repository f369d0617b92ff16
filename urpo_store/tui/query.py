"""The query line: takes what `urpo-store query` takes, keeps a history, points at errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from ..errors import QueryError
from ..model import Aggregation, MetricQuery, MetricSeries
from ..query.line import QueryLineError, parse_query_line
from ..query.times import parse_duration
from ..render import text
from ..render.drawing import gap_of, line_of, shown_unit
from ..render.labels import label, plain
from .chart import Chart
from .look import BAD, PLAIN, Cell, mark_of, series_style
from .metric_data import MOST_SERIES
from .row_list import Column, ListRow, RowList
from .state import Moment
from .view import Loaded, View

_EXAMPLES = """\
Type a query and press Enter; up and down step through earlier ones:

    http.server.request.duration --agg p95 --by http.route --step 10s
    http.server.request.duration --agg rate --step 10s --where error.type=500
    process.cpu.utilization --service checkout --start=-1h

    --agg    raw last sum avg min max count rate increase p50 p90 p95 p99
    --where  k=v, k:int=5, k~regex, k:absent=    --by  KEY, or none: all in one
    --start  -5m, 1h, a time                     --end
    --limit  so many series, those with the greatest last value

Esc leaves the line, Tab goes back to it."""


class QueryLine(Input):
    """An input with a history."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Ask"),
        Binding("up", "recall(-1)", "Query before"),
        Binding("down", "recall(1)", "Query after"),
        Binding("escape", "screen.back", "Leave the line"),
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.history: list[str] = []
        self._at = 0

    def remember(self, line: str) -> None:
        if line and self.history[-1:] != [line]:
            self.history.append(line)
        self._at = len(self.history)

    def action_recall(self, by: int) -> None:
        if self.history:
            self._at = min(max(self._at + by, 0), len(self.history))
            self.value = self.history[self._at] if self._at < len(self.history) else ""
            self.cursor_position = len(self.value)


class QueryView(View):
    NAME = "Query"

    def __init__(self) -> None:
        super().__init__()
        self._line = ""
        self._query: MetricQuery | None = None

    def content(self) -> ComposeResult:
        yield QueryLine(
            id="line",
            placeholder="http.server.request.duration --agg p95 --by http.route --step 10s",
        )
        yield Static(id="error")
        yield Chart(id="chart")
        yield RowList(
            (
                Column("", sorts=False),
                Column("SERIES", grow=True),
                Column("POINTS", ">", rank=1),
                Column("LAST", ">"),
            ),
            sort=1,
            id="series",
        )

    def on_mount(self) -> None:
        self.query_one(Chart).display = False  # until there is something to draw

    def focus_first(self) -> None:
        self.query_one(QueryLine).focus()

    def action_back(self) -> None:
        if self.query_one(QueryLine).has_focus:
            self.query_one(RowList).focus()
        else:
            super().action_back()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id != "line":
            return
        self._line = event.value
        self.query_one(QueryLine).remember(event.value)
        error = self.query_one("#error", Static)
        try:
            query = parse_query_line(event.value)
        except QueryLineError as wrong:
            error.update(pointed(wrong, self.query_one(QueryLine)))
            return
        error.update("")
        self._query = query
        self.reload()

    def load(self, moment: Moment) -> Any:
        query = self._query
        if query is None:
            return None
        if "--start" not in self._line:
            query = replace(query, start=moment.start)
        if query.end is None:
            query = replace(query, end=moment.now)
        if query.limit is None:
            query = replace(query, limit=MOST_SERIES)
        try:
            table = list(self.storage.query_metrics(query))
        except QueryError as error:
            return query, [], str(error)
        if not table and query.metric not in {info.name for info in self.storage.metrics()}:
            return query, [], f"there is no metric {query.metric!r}"
        return query, table, ""

    def show(self, loaded: Loaded) -> None:
        row_list = self.query_one(RowList)
        if loaded.data is None:
            row_list.update_rows([], _EXAMPLES)
            return
        self.query_one(Chart).display = True
        row_list.add_class("-fits")
        query, found, wrong = loaded.data
        if wrong:
            self.query_one("#error", Static).update(Text(f"! {wrong}"))
        series: list[MetricSeries] = found
        aggregation: Aggregation = query.aggregation
        unit = shown_unit(series[0].kind, series[0].unit, aggregation) if series else ""
        step = None if query.step is None else parse_duration(query.step) / 1e9
        times = [int(t) for each in series if len(each) for t in each.timestamps[[0, -1]]]
        self.query_one(Chart).draw_lines(
            f"{aggregation.value} of {query.metric}" + (f" [{unit}]" if unit else ""),
            [line_of(each, aggregation) for each in series],
            min(times, default=loaded.moment.start),
            max(times, default=loaded.moment.now),
            gap_of(series, step),
            lambda value: text.value(value, unit),
        )
        rows = []
        for index, each in enumerate(series):
            last = float(each.values[-1]) if len(each) else None
            rows.append(
                ListRow(
                    index,
                    (
                        Cell(mark_of(index), series_style(index)),
                        Cell(label(each), series_style(index), label(each)),
                        Cell(str(len(each)), PLAIN, float(len(each))),
                        Cell(text.value(last, unit), PLAIN, last),
                    ),
                )
            )
        row_list.update_rows(rows, "" if wrong else "No points in this range with these filters.")

    def export(self) -> list[Mapping[str, object]]:
        data = self._last.data if self._last is not None else None
        if data is None:
            return []
        return [
            {"time": time, "series": label(series), "value": value, "unit": series.unit}
            for series in data[1]
            for time, value in zip(
                series.timestamps.tolist(), plain(series.values.tolist()), strict=True
            )
        ]


def pointed(wrong: QueryLineError, line: Input) -> Text:
    """The error under its place in the line."""
    before = int(line.scroll_offset.x)
    column = max(wrong.begin - before, 0) + line.gutter.left
    mark = "^" * max(wrong.end - wrong.begin, 1)
    return Text.assemble(" " * column, (mark, BAD), "\n", (f"! {wrong}", BAD))
