"""Charts as text: pure functions from data to lines, for the command line and the terminal.

A gap (no point, NaN or infinity) is drawn as a gap. Braille characters carry two by four dots each;
with `ascii_only` a chart uses plain characters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .text import number

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"
# Bit of the dot in column x (0, 1) and row y (0..3, from the top) of a braille character.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def sparkline(values: Sequence[float], width: int = 0, *, ascii_only: bool = False) -> str:
    """One character a value, scaled from 0 (or the least, if negative) to the greatest.

    With `width`, the last `width` values. A gap is a space.
    """
    shown = list(values)[-width:] if width else list(values)
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return " " * len(shown)
    bars = _ASCII_BARS if ascii_only else _BARS
    low, high = min(0.0, *finite), max(finite)
    reach = high - low
    line = []
    for value in shown:
        if not math.isfinite(value):
            line.append(" ")
        else:
            share = (value - low) / reach if reach else 0.0
            line.append(bars[min(len(bars) - 1, int(share * len(bars)))])
    return "".join(line)


def line_chart(
    times: Sequence[float],
    values: Sequence[float],
    *,
    width: int = 60,
    height: int = 8,
    start: float | None = None,
    end: float | None = None,
    gap: float = math.inf,
    ascii_only: bool = False,
) -> list[str]:
    """`values` over `times` as `height` lines of `width` columns, with a scale on the left.

    Points further apart than `gap` are not joined. Without a finite point the chart says so.
    """
    points = [
        (t, v) for t, v in zip(times, values, strict=True) if math.isfinite(t) and math.isfinite(v)
    ]
    if not points:
        return ["(no points)"]
    left = points[0][0] if start is None else start
    right = points[-1][0] if end is None else end
    low, high = min(0.0, min(v for _, v in points)), max(v for _, v in points)
    if high <= low:
        high = low + 1.0
    scale = [number(high), *[""] * (height - 2), number(low)] if height > 1 else [number(high)]
    margin = max(len(label) for label in scale)
    columns, rows = max(4, width - margin - 2), height
    across, down = (1, 1) if ascii_only else (2, 4)
    dots = [[0] * columns for _ in range(rows)]

    def place(t: float, v: float) -> tuple[int, int]:
        x = (t - left) / (right - left) if right > left else 1.0
        y = (v - low) / (high - low)
        return round(x * (columns * across - 1)), round((1 - y) * (rows * down - 1))

    def dot(x: int, y: int) -> None:
        if 0 <= x < columns * across and 0 <= y < rows * down:
            bit = 1 if ascii_only else _DOTS[x % 2][y % 4]
            dots[y // down][x // across] |= bit

    before: tuple[float, int, int] | None = None
    for t, v in points:
        x, y = place(t, v)
        if before is not None and t - before[0] <= gap:
            _, x0, y0 = before
            steps = max(abs(x - x0), abs(y - y0), 1)
            for step in range(steps + 1):
                dot(round(x0 + (x - x0) * step / steps), round(y0 + (y - y0) * step / steps))
        dot(x, y)
        before = (t, x, y)
    blank, mark = (" ", "*") if ascii_only else ("", "")
    side = "|" if ascii_only else "│"
    return [
        f"{label:>{margin}} {side}"
        + "".join((mark if bits else blank) if ascii_only else chr(0x2800 + bits) for bits in row)
        for label, row in zip(scale, dots, strict=True)
    ]
