"""Every metric: kind, unit, series, and its last value."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult

from ..interfaces import MetricStorage
from ..model import Aggregation, MetricInfo, MetricKind, MetricQuery
from ..render import text
from ..render.drawing import shown_unit
from .arrived import why_empty
from .look import DIM, PLAIN, Cell
from .row_list import Column, ListRow, RowList
from .state import SECOND, Moment
from .view import Loaded, View, matches

#: How many last values one load asks for, and how long one is kept.
_QUESTIONS = 25
_GOOD = 10 * SECOND
_NONE = Cell(text.UNKNOWN, DIM)


class MetricsView(View):
    NAME = "Metrics"
    FILTERS = "part of a name, kind, unit or description; !word leaves out"
    COLUMNS: ClassVar = (
        Column("METRIC", grow=True),
        Column("KIND", rank=2),
        Column("UNIT", rank=3),
        Column("SERIES", ">"),
        Column("LAST", ">"),
        Column("WHAT", rank=4, grow=True),
    )

    def __init__(self, service: str | None = None) -> None:
        super().__init__()
        self.service = service
        self._values: dict[str, tuple[int, Cell]] = {}
        self._seen: list[str] = []

    def subject(self) -> str:
        return self.service or ""

    def content(self) -> ComposeResult:
        yield RowList(self.COLUMNS, id="metrics")

    def load(self, moment: Moment) -> Any:
        metrics = self.storage.metrics(self.service)
        seen = set(self._seen or [info.name for info in metrics[:_QUESTIONS]])
        old = [
            info
            for info in metrics
            if info.name in seen
            and not moment.now - _GOOD < self._values.get(info.name, (0, _NONE))[0] <= moment.now
        ]
        for info in old[:_QUESTIONS]:
            value = _last_value(self.storage, info, self.service, moment)
            self._values[info.name] = (moment.now, value)
        rejections = [] if metrics else self.storage.rejections()
        return metrics, dict(self._values), rejections

    def show(self, loaded: Loaded) -> None:
        metrics, values, rejections = loaded.data
        rows = []
        for info in metrics:
            kind = info.kind.value.replace("_", " ")
            if not matches(self.filter, info.name, kind, info.unit, info.description):
                continue
            value = values.get(info.name, (0, _NONE))[1]
            rows.append(
                ListRow(
                    info.name,
                    (
                        Cell(info.name, PLAIN, info.name),
                        Cell(kind, DIM, kind),
                        Cell(info.unit or text.UNKNOWN, DIM, info.unit),
                        Cell(str(info.series_count), PLAIN, info.series_count),
                        value,
                        Cell(info.description.partition("\n")[0], DIM, info.description),
                    ),
                )
            )
        empty = "No metric has a name like this." if metrics else ""
        if not metrics and loaded.stats is not None:
            empty = why_empty(loaded.stats, rejections, self.urpo.endpoint, loaded.moment.now)
        self.query_one(RowList).update_rows(rows, empty)
        self._look()

    def _look(self) -> None:
        """Ask for the last values of the visible rows."""
        self._seen = [str(key) for key in self.query_one(RowList).visible_keys()]
        if set(self._seen) - set(self._values):
            self.reload()

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        self._look()

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        from .metric import MetricView

        self.app.push_screen(MetricView(str(event.key), self.service))


def _last_value(
    storage: MetricStorage, info: MetricInfo, service: str | None, moment: Moment
) -> Cell:
    """The newest value of all series together; of a histogram, its number of observations."""
    if info.kind is MetricKind.SUMMARY:
        return _NONE
    query = MetricQuery(
        info.name,
        service,
        start=moment.now,
        end=moment.now,
        step=moment.seconds * SECOND,
        aggregation=Aggregation.LAST,
        by=(),
    )
    for series in storage.query_metrics(query):
        if len(series):
            value = float(series.values[-1])
            shown = text.value(value, shown_unit(info.kind, info.unit, Aggregation.LAST))
            counted = info.kind in (MetricKind.HISTOGRAM, MetricKind.EXPONENTIAL_HISTOGRAM)
            return Cell(f"n={shown}" if counted else shown, PLAIN, value)
    return _NONE
