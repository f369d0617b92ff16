"""The exemplars of a metric: values, and the traces that they were observed in."""

from __future__ import annotations

import re
import webbrowser
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ..errors import QueryError
from ..model import AttributeValue, MetricQuery, SeriesExemplar
from ..render import text
from ..render.labels import clock, pairs
from .look import DIM, PLAIN, Cell
from .metric_data import MOST_SERIES, split_filter
from .row_list import Column, ListRow, RowList
from .series_view import SeriesView
from .state import Moment
from .text_box import TextBox
from .view import Loaded, matches


class ExemplarsView(SeriesView):
    NAME = "Exemplars"
    FILTERS = "k=v, k:int=5 or k~regex filter series; other words are looked for in the rows"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy trace id"),
        Binding("o", "open", "Open trace"),
    ]

    def __init__(
        self,
        metric: str,
        service: str | None,
        where: Mapping[str, AttributeValue | re.Pattern[str]],
        filter: str = "",
    ) -> None:
        super().__init__()
        self.metric = metric
        self.service = service
        self.where = dict(where)
        self.filter = filter
        self._details: dict[object, str] = {}

    def subject(self) -> str:
        return f"{self.metric} of {self.service}" if self.service else self.metric

    def content(self) -> ComposeResult:
        yield RowList(
            (
                Column("TIME"),
                Column("VALUE", ">"),
                Column("TRACE"),
                Column("SPAN", rank=2),
                Column("SERIES", grow=True, rank=1),
            ),
            falling=True,
            id="exemplars",
        )
        yield TextBox(id="detail")

    def load(self, moment: Moment) -> Any:
        conditions, _ = split_filter(self.filter)
        query = MetricQuery(
            self.metric, self.service, self.where | conditions, moment.start, moment.now
        )
        found = self.storage.exemplars(query)
        unit = next(
            (i.unit for i in self.storage.metrics(self.service) if i.name == self.metric), ""
        )
        # Those of one moment in an order that says something.
        found.sort(key=lambda item: (item.exemplar.timestamp, item.exemplar.value))
        return found[-MOST_SERIES:][::-1], unit

    def show(self, loaded: Loaded) -> None:
        found: Sequence[SeriesExemplar] = loaded.data[0]
        unit: str = loaded.data[1]
        try:
            _, words = split_filter(self.filter)
        except QueryError:
            words = ""
        rows = []
        self._details.clear()
        for index, item in enumerate(found):
            exemplar = item.exemplar
            trace, span = exemplar.trace_id.hex(), exemplar.span_id.hex()
            attributes = pairs({**item.series.attributes, **exemplar.attributes})
            if not matches(words, trace, attributes):
                continue
            value = float(exemplar.value)
            key = (exemplar.timestamp, trace, span, index)
            self._details[key] = f"{exemplar.value!r} at {clock(exemplar.timestamp)} {attributes}"
            rows.append(
                ListRow(
                    key,
                    (
                        Cell(clock(exemplar.timestamp)[11:], PLAIN, exemplar.timestamp),
                        Cell(text.value(value, unit), PLAIN, value),
                        Cell(trace or "(no trace)", PLAIN, trace),
                        Cell(span, DIM, span),
                        Cell(attributes, DIM, attributes),
                    ),
                )
            )
        row_list = self.query_one(RowList)
        empty = "No exemplars in this range. SDKs send them for requests that were sampled."
        row_list.update_rows(rows, empty)
        self.show_detail(row_list.current)

    def detail(self, key: object) -> str:
        return self._details.get(key, "")

    # ---- keys

    def _trace(self) -> tuple[str, str]:
        """(trace id, span id) of the row of the cursor."""
        key = self.query_one(RowList).current
        return (str(key[1]), str(key[2])) if isinstance(key, tuple) else ("", "")

    def action_copy(self) -> None:
        trace, _ = self._trace()
        if trace:
            self.app.copy_to_clipboard(trace)
            self.app.notify(f"copied {trace}")

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Open the trace in the trace tool, by the template of its addresses."""
        (trace, span), template = self._trace(), self.urpo.trace_url
        if trace and not template:
            self.app.notify(
                "Set URPO_STORE_TRACE_URL to the address of your trace tool, with {trace_id} in it.",
                severity="warning",
            )
        elif trace:
            webbrowser.open(template.replace("{trace_id}", trace).replace("{span_id}", span))
