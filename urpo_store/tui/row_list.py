"""Rows with a cursor, sorted by a column. Only visible rows are drawn, so that their number is free."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ..render import text
from .look import HEAD, Cell


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and how it gives way if not all columns fit. In this order:

    `least`: it shrinks to this width and shows the ends of its texts (0: it does not). `grow`: it
    shrinks to 16 and shows the beginnings. `rank`: columns with the highest rank disappear.
    """

    title: str
    align: str = "<"
    grow: bool = False
    rank: int = 0
    least: int = 0
    sorts: bool = True


#: The width that a shrinking column keeps.
_LEAST = 16
_BETWEEN = 2


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row. The cursor stays with its `key`."""

    key: object
    cells: Sequence[Cell]


class RowList(ScrollView, can_focus=True, inherit_bindings=False):
    """Sends `Chosen` on Enter, and `Moved` when the cursor is on another row.

    With the class "-fits" its height is that of its rows.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "move(-1000000000)", "First", show=False),
        Binding("end,G", "move(1000000000)", "Last", show=False),
        Binding("enter", "choose", "Open"),
        Binding("s", "sort(1)", "Sort by the next column", show=False),
        Binding("S", "reverse", "Reverse the order", show=False),
    ]

    @dataclass
    class Chosen(Message):
        key: object

    @dataclass
    class Moved(Message):
        key: object

    def __init__(
        self, columns: Sequence[Column], *, sort: int = 0, falling: bool = False, **options: object
    ) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.columns = tuple(columns)
        self.sort_column = sort
        self.falling = falling
        self.empty = ""
        self._rows: list[ListRow] = []
        self._cursor = 0
        self._widths: dict[int, int] = {}

    # ---- what it holds

    @property
    def rows(self) -> Sequence[ListRow]:
        """The rows, in the order on the screen."""
        return self._rows

    @property
    def current(self) -> object | None:
        return self._rows[self._cursor].key if self._rows else None

    def visible_keys(self) -> list[object]:
        first = int(self.scroll_offset.y)
        return [row.key for row in self._rows[first : first + max(self.size.height - 1, 1)]]

    def update_rows(self, rows: Sequence[ListRow], empty: str = "") -> None:
        """Replace the rows; the cursor stays with its key. `empty` is shown if there are none."""
        key = self.current
        self.empty = empty
        self._rows = self._sorted(rows)
        self._cursor = next(
            (i for i, row in enumerate(self._rows) if row.key == key),
            min(self._cursor, max(len(self._rows) - 1, 0)),
        )
        self._lay_out()
        if self.current != key:
            self.post_message(self.Moved(self.current))

    def _sorted(self, rows: Sequence[ListRow]) -> list[ListRow]:
        column = self.sort_column

        def order(row: ListRow) -> tuple[int, float, str]:
            value = row.cells[column].sort
            if isinstance(value, str):
                return 1, 0.0, value
            return 0, float(value or 0), row.cells[0].text

        known = [row for row in rows if row.cells[column].sort is not None]
        unknown = [row for row in rows if row.cells[column].sort is None]
        # Unknown values come last in either direction.
        return sorted(known, key=order, reverse=self.falling) + unknown

    # ---- drawing

    @property
    def _room(self) -> int:
        """Columns beside the scroll bar."""
        return self.scrollable_content_region.width

    def _lay_out(self) -> None:
        self._widths = self._fit(self._room)
        lines = len(self._rows) if self._rows else len(self._empty_lines())
        if self.has_class("-fits"):
            self.styles.height = lines + 1
        self.virtual_size = Size(self._room, lines + 1)
        self._follow()
        self.refresh()

    def _fit(self, width: int) -> dict[int, int]:
        """Widths of the columns that are shown."""
        natural = {index: self._natural(index) for index in range(len(self.columns))}
        while True:
            widths = dict(natural)
            excess = sum(widths.values()) + _BETWEEN * (len(widths) - 1) - width
            for index in widths:
                column = self.columns[index]
                floor = column.least or (min(_LEAST, widths[index]) if column.grow else 0)
                if floor:
                    less = min(max(excess, 0), max(widths[index] - floor, 0))
                    widths[index] -= less
                    excess -= less
            least = max(widths, key=lambda i: self.columns[i].rank)
            if excess <= 0 or self.columns[least].rank == 0:
                return widths
            del natural[least]

    def _natural(self, index: int) -> int:
        cells = (text.width(row.cells[index].text) for row in self._rows[:500])
        arrow = 2 if index == self.sort_column else 0
        return max([text.width(self.columns[index].title) + arrow, *cells])

    def on_resize(self) -> None:
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        if y == 0:
            return self._strip(self._head(), self.rich_style + HEAD)
        index = int(self.scroll_offset.y) + y - 1
        if not self._rows:
            lines = self._empty_lines()
            shown = lines[index] if index < len(lines) else ""
            return self._strip([(shown, Style())], self.rich_style)
        if index >= len(self._rows):
            return Strip.blank(self._room, self.rich_style)
        at_cursor = index == self._cursor
        base = self.rich_style + Style(reverse=at_cursor and self.has_focus, bold=at_cursor)
        return self._strip(self._cells(self._rows[index]), base)

    def _empty_lines(self) -> list[str]:
        """The text shown instead of rows, wrapped at blanks, so that lines to paste stay whole."""
        found = []
        for line in self.empty.splitlines():
            indent = line[: len(line) - len(line.lstrip())]
            found += textwrap.wrap(
                line,
                max(self._room, 20),
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            ) or [""]
        return found

    def _head(self) -> list[tuple[str, Style]]:
        found = []
        for index, width in self._widths.items():
            column = self.columns[index]
            arrow = (" v" if self.falling else " ^") if index == self.sort_column else ""
            found.append((_padded(column.title + arrow, width, column), Style()))
        return found

    def _cells(self, row: ListRow) -> list[tuple[str, Style]]:
        return [
            (
                _padded(row.cells[index].text, width, self.columns[index]),
                row.cells[index].style,
            )
            for index, width in self._widths.items()
        ]

    def _strip(self, cells: Sequence[tuple[str, Style]], base: Style) -> Strip:
        """One segment for adjacent cells of one style, so that the terminal gets fewer bytes."""
        between = " " * _BETWEEN
        segments: list[Segment] = []
        for style, run in groupby(cells, key=itemgetter(1)):
            shown = between.join(text for text, _ in run)
            if segments:
                segments.append(Segment(between, base))
            segments.append(Segment(shown, base + style))
        return Strip(segments).adjust_cell_length(self._room, base)

    def plain(self) -> list[str]:
        """The rows as text, for tests and for reading aloud."""
        return ["  ".join(shown for shown, _ in self._cells(row)) for row in self._rows]

    # ---- keys

    def _follow(self) -> None:
        """Scroll to the cursor."""
        top, height = int(self.scroll_offset.y), max(self.size.height - 1, 1)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False)

    def action_move(self, by: int) -> None:
        cursor = min(max(self._cursor + by, 0), max(len(self._rows) - 1, 0))
        if cursor != self._cursor:
            self._cursor = cursor
            self._follow()
            self.refresh()
            self.post_message(self.Moved(self.current))

    def action_page(self, by: int) -> None:
        self.action_move(by * max(self.size.height - 2, 1))

    def on_click(self, event: Click) -> None:
        """A click moves the cursor; one on the cursor's row opens it."""
        index = int(self.scroll_offset.y) + event.y - 1
        if event.y < 1 or index >= len(self._rows):
            return
        if index == self._cursor:
            self.action_choose()
        else:
            self.action_move(index - self._cursor)

    def action_choose(self) -> None:
        if self._rows:
            self.post_message(self.Chosen(self.current))

    def action_sort(self, by: int) -> None:
        shown = [index for index in self._widths if self.columns[index].sorts]
        place = shown.index(self.sort_column) if self.sort_column in shown else 0
        self.sort_column = shown[(place + by) % len(shown)]
        # Figures: the greatest first. Names: from A to Z.
        self.falling = self.columns[self.sort_column].align == ">"
        self.update_rows(self._rows, self.empty)

    def action_reverse(self) -> None:
        self.falling = not self.falling
        self.update_rows(self._rows, self.empty)


def _padded(shown: str, width: int, column: Column) -> str:
    shown = text.printable(shown)
    mark = "~" if text.ascii_only() else "…"
    shown = shown[-width:] if column.least else text.cut(shown, width, mark)
    space = " " * (width - text.width(shown))
    return space + shown if column.align == ">" else shown + space
