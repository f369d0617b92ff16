"""A `MetricTable` in a notebook: as an HTML table with small charts, or drawn by matplotlib."""

from __future__ import annotations

import html
import math
from typing import Any

import numpy as np

from ..model import MetricSeries, MetricTable
from . import text
from .drawing import line_of
from .labels import label

#: Series in one table; the rest is counted.
MOST = 50
_WIDTH, _HEIGHT = 160, 24


def html_table(table: MetricTable) -> str:
    """Rows of name, number of points, last, least and greatest value, and a chart as SVG."""
    rows = "".join(_row(series) for series in table[:MOST])
    more = f"<p>and {len(table) - MOST} more series</p>" if len(table) > MOST else ""
    head = "".join(
        f"<th>{title}</th>" for title in ("metric", "series", "points", "last", "least", "most", "")
    )
    points = sum(len(series) for series in table)
    return (
        f"<p>{len(table)} series, {points} points</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
    )


def _row(series: MetricSeries) -> str:
    known = series.values[np.isfinite(series.values)]
    figures = ["", "", ""]
    if len(known):
        figures = [
            text.value(float(value), series.unit) for value in (known[-1], known.min(), known.max())
        ]
    cells = [series.metric, label(series), str(len(series)), *figures]
    shown = "".join(f"<td>{html.escape(text.printable(cell))}</td>" for cell in cells)
    return f"<tr>{shown}<td>{_svg(series)}</td></tr>"


def _svg(series: MetricSeries) -> str:
    """The values as lines, broken where nothing is known."""
    line = line_of(series)
    known = [(t, v) for t, v in zip(line.times, line.values, strict=True) if math.isfinite(v)]
    if len(known) < 2:
        return ""
    first, last = known[0][0], known[-1][0]
    low, high = min(0.0, min(v for _, v in known)), max(v for _, v in known)
    wide, high_by = (last - first) or 1.0, (high - low) or 1.0
    paths: list[list[str]] = [[]]
    for t, v in zip(line.times, line.values, strict=True):
        if not math.isfinite(v):
            paths.append([])
            continue
        x = (t - first) / wide * (_WIDTH - 2) + 1
        y = (1 - (v - low) / high_by) * (_HEIGHT - 2) + 1
        paths[-1].append(f"{x:.1f},{y:.1f}")
    lines = "".join(
        f'<polyline fill="none" stroke="currentColor" points="{" ".join(path)}"/>'
        for path in paths
        if path
    )
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}">{lines}</svg>'


def plot_table(table: MetricTable, ax: Any, options: dict[str, Any]) -> Any:
    """Every series as a line over local time, with a legend for up to ten."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=(10, 4))
    series = list(table)
    for one in series:
        line = line_of(one)
        times = (np.asarray(line.times) * 1e9).astype("datetime64[ns]")
        ax.plot(times, line.values, **{"label": label(one), **options})
    if series:
        unit = f" [{series[0].unit}]" if series[0].unit else ""
        ax.set_ylabel(series[0].metric + unit)
    if 0 < len(series) <= 10:
        ax.legend()
    return ax
