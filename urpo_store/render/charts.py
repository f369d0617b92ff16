"""Charts as text: pure functions from data to lines, for the command line and the terminal.

Where there is no point, NaN or infinity, the chart has a gap. A braille character has two by four dots;
with `ascii_only`, charts use plain characters. A chart is rows of runs: a text, and the number of its
series, by which a terminal may colour it. `plain` drops the numbers.
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
# The most lines of one bucket of a heat map.
_TALLEST = 3
# Bit of the dot in column x (0, 1) and row y (0..3, from the top) of a braille character.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
# Marks of the series in plain characters, where there may be no colours.
_MARKS = "*+ox#@%&"

#: One line: texts, each with the number of its series, or None for scales and blanks.
Row = list[tuple[str, int | None]]


@dataclass(frozen=True, slots=True)
class Line:
    """Values over times (seconds); a value that is not finite breaks the line."""

    times: Sequence[float]
    values: Sequence[float]


def plain(rows: Sequence[Row]) -> list[str]:
    return ["".join(text for text, _ in row) for row in rows]


def sparkline(values: Sequence[float], width: int = 0, *, ascii_only: bool = False) -> str:
    """A character for each value, scaled from 0 (or the least, if negative) to the greatest.

    With `width`, the last `width` values. A gap is a space.
    """
    shown = list(values)[-width:] if width else list(values)
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return " " * len(shown)
    bars = _ASCII_BARS if ascii_only else _BARS
    low, high = _span(min(0.0, *finite), max(finite))
    line = []
    for value in shown:
        if not math.isfinite(value):
            line.append(" ")
        else:
            share = (min(max(value, low), high) - low) / (high - low) if high > low else 0.0
            line.append(bars[min(len(bars) - 1, int(share * len(bars)))])
    return "".join(line)


def _span(low: float, high: float) -> tuple[float, float]:
    """Ends of a scale; a share of a span beyond the largest double would be NaN."""
    return max(low, -8e307), min(high, 8e307)


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

    Points further apart than `gap` are not joined, nor are points with a gap between them. Where lines
    cross, the last one is seen. Without a finite point the chart says so. `show` formats the values of
    the scale.
    """
    runs = [_runs(line, gap) for line in lines]
    points = [point for parts in runs for part in parts for point in part]
    if not points:
        return [[("(no points)", None)]]
    left = min(t for t, _ in points) if start is None else start
    right = max(t for t, _ in points) if end is None else end
    low, high = _span(min(0.0, min(v for _, v in points)), max(v for _, v in points))
    if high <= low:
        high = low + (abs(low) or 1.0)
    scale = [""] * height
    scale[0], scale[-1] = show(high), show(low)
    steps = 4 if height >= 13 else 2 if height >= 5 else 1
    for step in range(1, steps):
        row = (height - 1) * step // steps
        scale[row] = show(high - (high - low) * row / (height - 1))
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
        """A straight line; parts outside the chart are skipped, not walked."""
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
    bucket j. The darkest shade is the greatest count of all. The windows fill the width, the buckets
    the height: more than `height` of them are added up with their neighbours, few are drawn taller.
    Empty buckets at both ends are left out.
    """
    used = [j for j in range(len(labels)) if any(column and column[j] > 0 for column in columns)]
    if not used:
        return [[("(no points)", None)]]
    first, last = used[0], used[-1]
    together = -(-(last + 1 - first) // max(height, 1))
    bands = [(low, min(low + together, last + 1)) for low in range(first, last + 1, together)]
    margin = max(len(labels[high - 1]) for _, high in bands)
    across = max(4, width - margin - 2)
    side = "|" if ascii_only else "│"
    shades = _ASCII_SHADES if ascii_only else _SHADES
    drawn = [
        [
            sum(sum(column[low:high]) for column in part if column)
            for part in _parts(columns, across)
        ]
        for low, high in bands
    ]
    greatest = max(max(counts) for counts in drawn)
    tall = min(max(height // len(bands), 1), _TALLEST)
    found: list[Row] = []
    for (_, high), counts in zip(reversed(bands), reversed(drawn), strict=True):
        cells = "".join(
            # Even the least count is seen.
            shades[max(1, round(count / greatest * (len(shades) - 1)))] if count > 0 else " "
            for count in counts
        )
        for line in range(tall):
            label = labels[high - 1] if line == 0 else ""
            found.append([(f"{label:>{margin}} {side}", None), (cells, 0)])
    return found


def _parts(columns: Sequence[Sequence[float]], across: int) -> list[Sequence[Sequence[float]]]:
    """For each of so many columns of the terminal, its windows."""
    count = len(columns)
    parts = []
    for x in range(across):
        begin = x * count // across
        parts.append(columns[begin : max((x + 1) * count // across, begin + 1)])
    return parts


def bar(share: float, width: int, *, ascii_only: bool = False) -> str:
    """A share of one as a bar of `width` columns."""
    filled = round(min(max(share, 0.0), 1.0) * width) if math.isfinite(share) else 0
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    return full * filled + empty * (width - filled)
