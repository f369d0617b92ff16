"""A chart that fills its widget: series as lines, or a heat map."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from rich.text import Text

from ..render import text
from ..render.charts import Line, Row, heat_map, line_chart
from .look import DIM, HEAD, mark_of, series_style
from .text_box import TextBox

#: The most lines of one chart: more cannot be told apart, and take long to draw.
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
    """The labels of a time axis (Unix ns), in local time: both ends, and the middle if it fits."""
    form = "%H:%M:%S" if end - start < 86_400 * 10**9 else "%m-%d %H:%M"
    left, middle, right = (
        time.strftime(form, time.localtime(moment // 10**9))
        for moment in (start, (start + end) // 2, end)
    )
    if width < len(left) + len(right) + 1:
        return right.rjust(width)
    line = left + right.rjust(width - len(left))
    place = (width - len(middle)) // 2
    if place < len(left) + 2:
        return line
    return line[:place] + middle + line[place + len(middle) :]


class Chart(TextBox):
    """`draw_lines` and `draw_heat` set its content; it is redrawn when the size changes."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._title = Text()
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
        names: Sequence[str] = (),
    ) -> None:
        """`start` and `end` in Unix ns; `names` of the lines make a legend with the last values."""
        many = len(lines) - MOST_LINES
        shown = lines[:MOST_LINES]
        self._title = Text.assemble((title, HEAD))
        for index, (name, line) in enumerate(zip(names, shown, strict=False)):
            known = [value for value in line.values if math.isfinite(value)]
            mark = f"{mark_of(index)} " if text.ascii_only() else ""
            last = f" {show(known[-1])}" if known else ""
            between = "  " if self._title else ""
            self._title.append(f"{between}{mark}{name}{last}", series_style(index))
        if many > 0:
            self._title.append(f"  and {many} more, not drawn", DIM)

        def make(width: int, height: int) -> list[Row]:
            return line_chart(
                shown,
                width=width,
                height=height,
                start=start / 1e9,
                end=end / 1e9,
                gap=gap,
                ascii_only=text.ascii_only(),
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
        self._title = Text.assemble((title, HEAD))

        def make(width: int, height: int) -> list[Row]:
            return heat_map(
                columns, labels, width=width, height=height, ascii_only=text.ascii_only()
            )

        self._make, self._range = make, (start, end)
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        width, height = self.content_size.width, self.content_size.height
        if self._make is None or width < 8 or height < 3:
            return
        title = self._title.copy()
        title.truncate(width, overflow="crop" if text.ascii_only() else "ellipsis")
        rows = self._make(width, height - 2)
        shown = Text.assemble(title, "\n", coloured(rows))
        # The axis begins where the lines do, behind the scale.
        margin = len(rows[0][0][0]) if len(rows[0]) > 1 else 0
        shown.append("\n" + " " * margin)
        shown.append(clock_line(*self._range, width - margin), DIM)
        self.write(shown)
