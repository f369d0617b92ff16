"""Services: one row each; trouble has a sign and a colour."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult

from ..render import text
from ..render.charts import sparkline
from .arrived import why_empty
from .feed import Feed, ServiceRow
from .look import DIM, PLAIN, WARN, Cell, errors_cell, full_cell, latency_cell
from .row_list import Column, ListRow, RowList
from .state import SECOND, Moment
from .text_box import TextBox
from .view import Loaded, View, matches

#: How long a service may be silent before its row is marked.
_SILENT = 3 * 60 * SECOND


class ServicesView(View):
    NAME = "Services"
    FILTERS = "part of a service's name; !word leaves out"
    COLUMNS: ClassVar = (
        Column("SERVICE", grow=True),
        Column("RATE/s", ">"),
        Column("TREND", rank=5, least=8, sorts=False),
        Column("ERRORS", ">"),
        Column("P50", ">", rank=2),
        Column("P95", ">"),
        Column("P99", ">", rank=1),
        Column("FULL", ">", rank=4),
        Column("SEEN", ">", rank=3),
        Column("FROM", rank=6),
    )

    def __init__(self) -> None:
        super().__init__()
        self._feed = Feed()
        self._seen: list[str] = []

    def content(self) -> ComposeResult:
        yield RowList(self.COLUMNS, id="services")
        yield TextBox(id="detail")

    def load(self, moment: Moment) -> Any:
        rows = self._feed.load(self.storage, moment, self._seen)
        rejections = [] if rows else self.storage.rejections()
        return rows, rejections

    def show(self, loaded: Loaded) -> None:
        rows, rejections = loaded.data
        row_list = self.query_one(RowList)
        shown = [self._row(row, loaded.moment) for row in rows if matches(self.filter, row.name)]
        empty = "No service has a name like this." if rows else ""
        if not rows and loaded.stats is not None:
            empty = why_empty(loaded.stats, rejections, self.urpo.endpoint, loaded.moment.now)
        row_list.update_rows(shown, empty)
        self._seen = [str(key) for key in row_list.visible_keys()]
        self._detail(row_list.current)

    def _row(self, row: ServiceRow, moment: Moment) -> ListRow:
        health = row.health
        if health is None:
            cells = [Cell(row.name, DIM, row.name), *[Cell("", DIM)] * (len(self.COLUMNS) - 1)]
            return ListRow(row.name, cells)
        age = None if health.last_seen is None else moment.now - health.last_seen
        silent = age is not None and age > _SILENT
        source = health.source or "no request metric"
        return ListRow(
            row.name,
            (
                Cell(row.name, PLAIN, row.name),
                Cell(text.rate(health.request_rate), PLAIN, health.request_rate),
                Cell(sparkline(row.trend, ascii_only=self.ascii_only)),
                errors_cell(health.error_rate),
                latency_cell(health.p50_latency),
                latency_cell(health.p95_latency),
                latency_cell(health.p99_latency),
                full_cell(row.saturation),
                Cell(
                    text.short_age(age) + (" !" if silent else ""), WARN if silent else PLAIN, age
                ),
                Cell(source, DIM, source),
            ),
        )

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        self._detail(event.key)

    def _detail(self, service: object) -> None:
        """The row of the cursor in full: nothing cut, the counts as they are."""
        rows = self._last.data[0] if self._last is not None and self._last.data else []
        shown = ""
        for row in rows:
            health = row.health
            if row.name != service or health is None:
                continue
            if health.source is None:
                shown = f"{row.name} sends no request metric; Enter, then m shows what it sends"
            else:
                errors = "" if health.error_count is None else f", {health.error_count} failed"
                shown = f"{row.name}: {health.request_count} requests{errors}, by {health.source}"
        self.query_one("#detail", TextBox).write(text.printable(shown))

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        from .service import ServiceView

        self.app.push_screen(ServiceView(str(event.key)))
