"""Charts as text: pure functions from data to lines, for the command line and the terminal.

A gap (no point, NaN or infinity) is drawn as a gap. Braille characters carry two by four dots each;
with `ascii_only` a chart uses plain characters. What is drawn is rows of runs: a text and the number of
the series that it belongs to, by which a terminal may colour it; `plain` leaves the colours out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from .text import number

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"
_SHADES = " ░▒▓█"
_ASCII_SHADES = " .:*#"
# Bit of the dot in column x (0, 1) and row y (0..3, from the top) of a braille character.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
# What marks the series in plain characters, where colours may be missing.
_MARKS = "*+ox#@%&"

#: One line: texts, each with the number of its series, or None for scales and blanks.
Row = list[tuple[str, int | None]]


@dataclass(frozen=True, slots=True)
class Line:
    """Values over times (seconds); a value that is not finite ends what is joined."""

    times: Sequence[float]
    values: Sequence[float]


def plain(rows: Sequence[Row]) -> list[str]:
    return ["".join(text for text, _ in row) for row in rows]


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
    lines: Sequence[Line],
    *,
    width: int = 60,
    height: int = 8,
    start: float | None = None,
    end: float | None = None,
    gap: float = math.inf,
    ascii_only: bool = False,
    show: Callable[[float], str] = number,
) -> list[Row]:
    """The lines as `height` rows of `width` columns, with a scale on the left.

    Points further apart than `gap` are not joined, nor those with something not finite between them.
    Where lines cross, the one that comes last is seen. Without a finite point the chart says so.
    `show` writes the values of the scale.
    """
    runs = [_runs(line, gap) for line in lines]
    points = [point for parts in runs for part in parts for point in part]
    if not points:
        return [[("(no points)", None)]]
    left = min(t for t, _ in points) if start is None else start
    right = max(t for t, _ in points) if end is None else end
    low, high = min(0.0, min(v for _, v in points)), max(v for _, v in points)
    # A share of a span beyond the largest double would be NaN.
    low, high = max(low, -8e307), min(high, 8e307)
    if high <= low:
        high = low + (abs(low) or 1.0)
    scale = [""] * height
    scale[0], scale[-1] = show(high), show(low)
    if height >= 5:
        scale[(height - 1) // 2] = show(high - (high - low) * ((height - 1) // 2) / (height - 1))
    margin = max(len(label) for label in scale)
    columns = max(4, width - margin - 2)
    canvas = _Canvas(columns, height, ascii_only)

    def place(t: float, v: float) -> tuple[int, int]:
        x = (t - left) / (right - left) if right > left else 1.0
        y = (min(max(v, low), high) - low) / (high - low)
        return round(x * (canvas.wide - 1)), round((1 - y) * (canvas.high - 1))

    for index, parts in enumerate(runs):
        for part in parts:
            places = [place(t, v) for t, v in part]
            canvas.dot(*places[0], index)
            for before, after in pairwise(places):
                canvas.join(before, after, index)
    side = "|" if ascii_only else "│"
    return [
        [(f"{label:>{margin}} {side}", None), *row]
        for label, row in zip(scale, canvas.rows(), strict=True)
    ]


def _runs(line: Line, gap: float) -> list[list[tuple[float, float]]]:
    """The stretches of a line that are joined."""
    runs: list[list[tuple[float, float]]] = []
    joined = False
    for t, v in zip(line.times, line.values, strict=True):
        if not (math.isfinite(t) and math.isfinite(v)):
            joined = False
            continue
        if joined and t - runs[-1][-1][0] <= gap:
            runs[-1].append((t, v))
        else:
            runs.append([(t, v)])
        joined = True
    return runs


class _Canvas:
    """Dots, 2 by 4 a character (or 1 by 1 in plain characters), and whose they are."""

    def __init__(self, columns: int, rows: int, ascii_only: bool) -> None:
        self._ascii = ascii_only
        self._across, self._down = (1, 1) if ascii_only else (2, 4)
        self.wide, self.high = columns * self._across, rows * self._down
        self._bits = [[0] * columns for _ in range(rows)]
        self._owners: list[list[int | None]] = [[None] * columns for _ in range(rows)]

    def dot(self, x: int, y: int, owner: int) -> None:
        if 0 <= x < self.wide and 0 <= y < self.high:
            row, column = y // self._down, x // self._across
            self._bits[row][column] |= 1 if self._ascii else _DOTS[x % 2][y % 4]
            self._owners[row][column] = owner

    def join(self, before: tuple[int, int], after: tuple[int, int], owner: int) -> None:
        """A straight line; what lies outside is not walked through."""
        (x0, y0), (x, y) = before, after
        steps = max(abs(x - x0), abs(y - y0), 1)
        first = max(0, -x0) if x > x0 else 0
        last = steps
        if x > x0:
            last = min(steps, max(0, (self.wide - x0) * steps // (x - x0)))
            first = first * steps // (x - x0)
        for step in range(first, last + 1):
            share = step / steps
            self.dot(round(x0 + (x - x0) * share), round(y0 + (y - y0) * share), owner)

    def rows(self) -> list[Row]:
        found: list[Row] = []
        for bits, owners in zip(self._bits, self._owners, strict=True):
            cells = [(self._character(b, o), o) for b, o in zip(bits, owners, strict=True)]
            found.append(
                [
                    ("".join(text for text, _ in run), owner)
                    for owner, run in groupby(cells, key=lambda cell: cell[1])
                ]
            )
        return found

    def _character(self, bits: int, owner: int | None) -> str:
        if not self._ascii:
            return chr(0x2800 + bits) if bits else " "
        return _MARKS[(owner or 0) % len(_MARKS)] if bits else " "


def heat_map(
    columns: Sequence[Sequence[float]],
    labels: Sequence[str],
    *,
    width: int = 60,
    height: int = 12,
    ascii_only: bool = False,
) -> list[Row]:
    """How often each bucket was hit over time: windows from left to right, lowest bucket at the bottom.

    `columns[i][j]` is the count of bucket j in window i; an empty column is a gap. `labels[j]` names
    bucket j. The darkest shade is the greatest count of all. Buckets beyond `height` rows are added up
    in neighbours; those that nothing fell into, at both ends, are left out.
    """
    used = [j for j in range(len(labels)) if any(column and column[j] > 0 for column in columns)]
    if not used:
        return [[("(no points)", None)]]
    first, last = used[0], used[-1]
    together = -(-(last + 1 - first) // max(height, 1))
    shades = _ASCII_SHADES if ascii_only else _SHADES
    rows = []
    for low in range(first, last + 1, together):
        high = min(low + together, last + 1)
        rows.append((labels[high - 1], [sum(column[low:high]) for column in columns]))
    greatest = max(count for _, counts in rows for count in counts)
    margin = max(len(label) for label, _ in rows)
    wide = max(1, (width - margin - 2) // len(columns))
    side = "|" if ascii_only else "│"
    found: list[Row] = []
    for label, counts in reversed(rows):
        cells = "".join(
            # Whatever happened at all is seen.
            wide
            * (shades[max(1, round(count / greatest * (len(shades) - 1)))] if count > 0 else " ")
            for count in counts
        )
        found.append([(f"{label:>{margin}} {side}", None), (cells, 0)])
    return found


def bar(share: float, width: int, *, ascii_only: bool = False) -> str:
    """A share of one as a bar of `width` columns."""
    filled = round(min(max(share, 0.0), 1.0) * width) if math.isfinite(share) else 0
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    return full * filled + empty * (width - filled)
