"""A chart that fills its place: series as lines, or a heat map."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.text import Text
from textual.widgets import Static

from ..charts import Line, Row, heat_map, line_chart
from .look import DIM, HEAD, ascii_only, series_style

#: Lines drawn in one chart: more cannot be told apart, and take long.
MOST_LINES = 40


def coloured(rows: Sequence[Row]) -> Text:
    shown = Text()
    for index, row in enumerate(rows):
        if index:
            shown.append("\n")
        for part, series in row:
            shown.append(part, series_style(series))
    return shown


def clock_line(start: int, end: int, width: int) -> str:
    """The ends of the time axis (Unix ns), in local time."""
    form = "%H:%M:%S" if end - start < 86_400 * 10**9 else "%m-%d %H:%M"
    left = time.strftime(form, time.localtime(start // 10**9))
    right = time.strftime(form, time.localtime(end // 10**9))
    return left + right.rjust(max(width - len(left), 0))


class Chart(Static):
    """`draw` says what; it is drawn again when the size changes."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._title = ""
        self._make: Callable[[int, int], list[Row]] | None = None
        self._range = (0, 0)

    def draw_lines(
        self,
        title: str,
        lines: Sequence[Line],
        start: int,
        end: int,
        gap: float,
        show: Callable[[float], str],
    ) -> None:
        """`start` and `end` in Unix ns."""
        many = len(lines) - MOST_LINES
        self._title = title + (f"  (and {many} more)" if many > 0 else "")
        shown = lines[:MOST_LINES]

        def make(width: int, height: int) -> list[Row]:
            return line_chart(
                shown,
                width=width,
                height=height,
                start=start / 1e9,
                end=end / 1e9,
                gap=gap,
                ascii_only=ascii_only(),
                show=show,
            )

        self._make, self._range = make, (start, end)
        self.redraw()

    def draw_heat(
        self,
        title: str,
        columns: Sequence[Sequence[float]],
        labels: Sequence[str],
        start: int,
        end: int,
    ) -> None:
        self._title = title

        def make(width: int, height: int) -> list[Row]:
            return heat_map(columns, labels, width=width, height=height, ascii_only=ascii_only())

        self._make, self._range = make, (start, end)
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        width, height = self.size.width, self.size.height
        if self._make is None or width < 8 or height < 3:
            return
        shown = Text(self._title[:width], HEAD)
        shown.append("\n")
        shown.append(coloured(self._make(width, height - 2)))
        shown.append("\n")
        shown.append(clock_line(*self._range, width), DIM)
        self.update(shown)
