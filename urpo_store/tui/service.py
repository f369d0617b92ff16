"""One service: charts of its rate, errors and latency; its operations, and their instances."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from ..render import text
from .chart import Chart
from .look import PLAIN, Cell, errors_cell, latency_cell
from .row_list import Column, ListRow, RowList
from .service_data import Operation, ServiceData, load_service
from .state import Moment
from .text_box import TextBox
from .view import Loaded, View, matches


class ServiceView(View):
    NAME = "Service"
    FILTERS = "part of an operation"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "instances", "Instances"),
        Binding("m", "metrics", "Its metrics"),
    ]

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service
        self.unfolded = False

    def subject(self) -> str:
        return self.service

    def content(self) -> ComposeResult:
        with Horizontal(id="charts"):
            yield Chart(id="rate")
            yield Chart(id="latency")
        yield RowList(self._columns(), sort=1, falling=True, id="operations", classes="-fits")
        yield TextBox(id="detail")

    def _columns(self) -> tuple[Column, ...]:
        instance = (Column("INSTANCE", grow=True),) if self.unfolded else ()
        return (
            Column("OPERATION", grow=True),
            Column("RATE/s", ">"),
            Column("ERRORS", ">"),
            Column("P95", ">"),
            Column("COUNT", ">", rank=1),
            *instance,
        )

    def load(self, moment: Moment) -> Any:
        return load_service(self.storage, self.service, moment, self.unfolded)

    # ---- showing

    def show(self, loaded: Loaded) -> None:
        data: ServiceData = loaded.data
        row_list = self.query_one(RowList)
        if not data.operations:
            sent = "It sends no request metric" if data.health else "Nothing is known of it"
            row_list.update_rows([], f"{sent}; press m for the metrics that it sends.")
        else:
            self._list(row_list, data, loaded.moment)
        self._detail(data)

        def seconds(value: float) -> str:
            return text.seconds(value) if value else "0"

        lines, names = [data.rate], ["requests/s"]
        if len(data.errors.times):
            lines, names = [*lines, data.errors], [*names, "errors/s"]
        gap = 1.5 * data.step
        self.query_one("#rate", Chart).draw_lines(
            "", lines, data.start, data.end, gap, text.number, names
        )
        self.query_one("#latency", Chart).draw_lines(
            "", data.latency, data.start, data.end, gap, seconds, ("p50", "p95", "p99")
        )

    def _list(self, row_list: RowList, data: ServiceData, moment: Moment) -> None:
        covered = data.covered(moment.seconds)
        rows = [
            self._row(one, covered)
            for one in data.operations
            if matches(self.filter, one.name, one.instance)
        ]
        row_list.update_rows(rows, "No operation has a name like this.")

    def _row(self, one: Operation, covered: float) -> ListRow:
        rate = one.count / covered
        cells = [
            Cell(one.name, PLAIN, one.name),
            Cell(text.rate(rate), PLAIN, rate),
            errors_cell(one.errors / one.count if one.count else None),
            latency_cell(one.p95 if math.isfinite(one.p95) else None),
            Cell(text.number(one.count), PLAIN, one.count),
        ]
        if self.unfolded:
            cells.append(Cell(one.instance or text.UNKNOWN, PLAIN, one.instance))
        return ListRow((one.metric, one.name, one.instance), cells)

    def _detail(self, data: ServiceData) -> None:
        health, shown = data.health, ""
        if health is not None and health.source is not None:
            by = ", ".join(data.keys) or "nothing: it has no operations"
            shown = f"health by {health.source}; operations by {by}"
        self.query_one("#detail", TextBox).write(text.printable(shown))

    def action_instances(self) -> None:
        """Shows the instances of the service, or hides them."""
        self.unfolded = not self.unfolded
        row_list = self.query_one(RowList)
        row_list.update_rows([], "")
        row_list.columns = self._columns()
        self.reload()

    def action_metrics(self) -> None:
        from .metrics import MetricsView

        self.app.push_screen(MetricsView(self.service))

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        from .metric import MetricView

        data = self._last.data if self._last else None
        for one in data.operations if isinstance(data, ServiceData) else ():
            if (one.metric, one.name, one.instance) == event.key:
                self.app.push_screen(MetricView(one.metric, self.service, one.where))
                return
