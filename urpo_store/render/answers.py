"""The answer to a query in the shapes that the command line knows."""

from __future__ import annotations

from ..model import Aggregation, MetricQuery, MetricSeries, MetricTable
from ..query.times import parse_duration
from . import charts, text
from .charts import line_chart
from .drawing import gap_of, line_of, shown_unit
from .labels import clock, label
from .listings import points_listing
from .records import answer_csv, answer_json


def render_answer(table: MetricTable, shape: str, query: MetricQuery | None = None) -> str:
    """The answer to `query` as "json", "csv", "chart", or ("") a listing of the points."""
    match shape:
        case "json":
            return answer_json(table)
        case "csv":
            return answer_csv(table)
        case "chart":
            ascii_only = text.ascii_only()
            return "\n\n".join(chart(one, query=query, ascii_only=ascii_only) for one in table)
    return points_listing(table)


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
