"""Rows with a cursor, sorted by a column. Only what is seen is drawn, however many rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .. import text
from .look import HEAD, Cell


@dataclass(frozen=True, slots=True)
class Column:
    """`grow`: takes the room that is left, and gives it up first. `rank`: of those that do not fit,
    the highest ranks go first."""

    title: str
    align: str = "<"
    grow: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True)
class TableRow:
    """`key` is what the row stands for: the cursor stays with it."""

    key: object
    cells: Sequence[Cell]


class Table(ScrollView, can_focus=True, inherit_bindings=False):
    """`Chosen` is sent by Enter, `Moved` when the cursor is on another row."""

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
        self._rows: list[TableRow] = []
        self._cursor = 0
        self._widths: dict[int, int] = {}

    # ---- what it holds

    @property
    def rows(self) -> Sequence[TableRow]:
        """In the order in which they are shown."""
        return self._rows

    @property
    def current(self) -> object | None:
        return self._rows[self._cursor].key if self._rows else None

    def visible_keys(self) -> list[object]:
        first = int(self.scroll_offset.y)
        return [row.key for row in self._rows[first : first + max(self.size.height - 1, 1)]]

    def update_rows(self, rows: Sequence[TableRow], empty: str = "") -> None:
        """Replaces the rows; the cursor stays with its key. `empty` is shown when there are none."""
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

    def _sorted(self, rows: Sequence[TableRow]) -> list[TableRow]:
        column = self.sort_column

        def order(row: TableRow) -> tuple[int, float, str]:
            value = row.cells[column].sort
            if isinstance(value, str):
                return 1, 0.0, value
            return 0, float(value or 0), row.cells[0].text

        known = [row for row in rows if row.cells[column].sort is not None]
        unknown = [row for row in rows if row.cells[column].sort is None]
        # What is not known comes last, whichever way the others go.
        return sorted(known, key=order, reverse=self.falling) + unknown

    # ---- drawing

    def _lay_out(self) -> None:
        self._widths = self._fit(self.size.width)
        lines = len(self._rows) if self._rows else self.empty.count("\n") + 1
        self.virtual_size = Size(self.size.width, lines + 1)
        self._follow()
        self.refresh()

    def _fit(self, width: int) -> dict[int, int]:
        """Widths of the columns that are shown."""
        widths = {}
        sample = self._rows[:500]
        for index, column in enumerate(self.columns):
            cells = (text.width(row.cells[index].text) for row in sample)
            widths[index] = max([text.width(column.title) + 2, *cells])
        while len(widths) > 1 and sum(widths.values()) + 2 * (len(widths) - 1) > width:
            growing = [i for i in widths if self.columns[i].grow]
            rest = sum(w for i, w in widths.items() if i not in growing) + 2 * (len(widths) - 1)
            if growing and width - rest >= 16 * len(growing):
                share, more = divmod(width - rest, len(growing))
                for place, index in enumerate(growing):
                    widths[index] = share + (place < more)
                break
            least = max(widths, key=lambda i: self.columns[i].rank)
            if self.columns[least].rank == 0:
                break
            del widths[least]
        return widths

    def on_resize(self) -> None:
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        if y == 0:
            return self._strip(self._head(), self.rich_style + HEAD)
        index = int(self.scroll_offset.y) + y - 1
        if not self._rows:
            lines = self.empty.splitlines()
            shown = lines[index] if index < len(lines) else ""
            return self._strip([(shown, Style())], self.rich_style)
        if index >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        at_cursor = index == self._cursor
        base = self.rich_style + Style(reverse=at_cursor and self.has_focus, bold=at_cursor)
        return self._strip(self._cells(self._rows[index]), base)

    def _head(self) -> list[tuple[str, Style]]:
        found = []
        for index, width in self._widths.items():
            column = self.columns[index]
            arrow = (" v" if self.falling else " ^") if index == self.sort_column else ""
            title = f"{column.title}{arrow}"
            found.append((_padded(title, width, column.align), Style()))
        return found

    def _cells(self, row: TableRow) -> list[tuple[str, Style]]:
        return [
            (
                _padded(row.cells[index].text, width, self.columns[index].align),
                row.cells[index].style,
            )
            for index, width in self._widths.items()
        ]

    def _strip(self, cells: Sequence[tuple[str, Style]], base: Style) -> Strip:
        segments = []
        for index, (shown, style) in enumerate(cells):
            if index:
                segments.append(Segment("  ", base))
            segments.append(Segment(shown, base + style))
        return Strip(segments).adjust_cell_length(self.size.width, base).crop(0, self.size.width)

    def plain(self) -> list[str]:
        """The rows as text, for tests and for reading aloud."""
        return ["  ".join(shown for shown, _ in self._cells(row)) for row in self._rows]

    # ---- keys

    def _follow(self) -> None:
        """Scrolls so that the cursor is seen."""
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
        shown = list(self._widths)
        place = shown.index(self.sort_column) if self.sort_column in shown else 0
        self.sort_column = shown[(place + by) % len(shown)]
        # The greatest figures are what one looks for; names go from A to Z.
        self.falling = self.columns[self.sort_column].align == ">"
        self.update_rows(self._rows, self.empty)

    def action_reverse(self) -> None:
        self.falling = not self.falling
        self.update_rows(self._rows, self.empty)


def _padded(shown: str, width: int, align: str) -> str:
    shown = text.printable(shown)
    while text.width(shown) > width:
        # Cut by characters, since a wide one takes two columns.
        shown = shown[: -2 if shown.endswith("…") else -1] + "…"
    space = " " * (width - text.width(shown))
    return space + shown if align == ">" else shown + space
