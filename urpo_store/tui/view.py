"""The base of all screens: loading in a thread, title, filter, status, export."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widgets import Input

from ..errors import UrpoStoreError
from ..interfaces import MetricStorage
from ..model import StoreStats
from ..render import text
from .keys import KeyLine
from .look import BAD, DIM, HEAD, PLAIN, WARN
from .row_list import RowList
from .state import Moment, State
from .text_box import TextBox

if TYPE_CHECKING:
    from .app import UrpoApp


#: A terminal with fewer lines has no room for details.
_LOW = 16


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of a load: the store's figures and the screen's data, or what went wrong."""

    moment: Moment
    stats: StoreStats | None = None
    data: Any = None
    error: str = ""


class FilterInput(Input):
    """The input of a filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Keep the filter"),
        Binding("escape", "screen.back", "No filter"),
    ]


class View(Screen[None]):
    """A screen that loads in a thread and shows in the event loop.

    `load` runs in a thread and may ask the storage; `show` draws what it returns. A load that is asked
    for while another runs follows it. While the view is paused, only a new filter or range loads, and
    the time stands still.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("escape", "back", "Back", show=False),
        Binding("tab", "app.focus_next", "Next pane", show=False),
        Binding("shift+tab", "app.focus_previous", "Pane before", show=False),
        Binding("x", "export('csv')", "Export CSV", show=False),
        Binding("X", "export('json')", "Export JSON", show=False),
    ]
    #: The name in the title.
    NAME: ClassVar[str] = ""
    #: What a filter matches, for its prompt; "" if the screen has no filter.
    FILTERS: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.filter = ""
        self._loading = False
        self._again = False
        self._last: Loaded | None = None

    @property
    def urpo(self) -> UrpoApp:
        return cast("UrpoApp", self.app)

    @property
    def storage(self) -> MetricStorage:
        return self.urpo.storage

    @property
    def state(self) -> State:
        return self.urpo.state

    @property
    def ascii_only(self) -> bool:
        return text.ascii_only()

    # ---- what a screen says

    def content(self) -> ComposeResult:
        raise NotImplementedError

    def load(self, moment: Moment) -> Any:
        """Ask the storage, in a thread. May raise UrpoStoreError."""
        raise NotImplementedError

    def show(self, loaded: Loaded) -> None:
        """Draw what was loaded and matches the filter, in the event loop."""
        raise NotImplementedError

    def subject(self) -> str:
        """The subject of the screen, after its name in the title."""
        return ""

    def export(self) -> list[Mapping[str, object]]:
        """The content of the screen, as records."""
        row_list = self.row_list()
        if row_list is None:
            return []
        titles = [column.title.lower() for column in row_list.columns]
        return [
            dict(zip(titles, (cell.text for cell in row.cells), strict=True))
            for row in row_list.rows
        ]

    def row_list(self) -> RowList | None:
        found = self.query(RowList)
        return found.first() if found else None

    # ---- life

    def compose(self) -> ComposeResult:
        yield TextBox(id="title")
        yield from self.content()
        yield FilterInput(id="filter", placeholder=self.FILTERS)
        with Vertical(id="foot"):
            yield TextBox(id="status")
            yield KeyLine(id="keyline")

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self.focus_first()
        self.write_title()

    def focus_first(self) -> None:
        """Set the first focus. Not in `on_mount`, since Textual calls that of every class."""
        row_list = self.row_list()
        if row_list is not None:
            row_list.focus()

    def on_screen_resume(self) -> None:
        # Draw first what is there: a load competes with the drawing.
        self.call_after_refresh(self.reload)

    def tick(self) -> None:
        """Called by the app at each refresh interval."""
        if self.state.paused_at is None:
            self.reload()

    def reload(self) -> None:
        self.write_title()
        if self._loading:
            self._again = True
            return
        self._loading = True
        moment = self.state.moment()
        self.run_worker(lambda: self._load(moment), thread=True, exit_on_error=False)

    def _load(self, moment: Moment) -> None:
        try:
            loaded = Loaded(moment, self.storage.stats(), self.load(moment))
        except UrpoStoreError as error:
            loaded = Loaded(moment, error=str(error))
        if self.app.is_running:
            self.app.call_from_thread(self._loaded, loaded)

    def _loaded(self, loaded: Loaded) -> None:
        self._loading = False
        if not self.is_attached:
            return
        if loaded.error and self._last is not None:
            # The last figures stay, so that a server's restart does not blank the screen.
            loaded = Loaded(self._last.moment, self._last.stats, self._last.data, loaded.error)
        self._last = loaded
        self.redraw()
        if self._again:
            self._again = False
            self.reload()

    def redraw(self) -> None:
        """Draw the last load again: the filter has changed, or the size."""
        self.write_title()
        if self._last is not None:
            self.write_status(self._last)
            if self._last.stats is not None:
                self.show(self._last)

    # ---- title, status, filter

    def write_title(self) -> None:
        """The name and the subject, which may be cut; the right part is never cut."""
        try:
            title = self.query_one("#title", TextBox)
        except NoMatches:
            return  # before the first drawing
        state = self.state
        right = Text(f"  last {state.range}")
        if state.paused_at is not None:
            right.append(f" to {clock_time(state.paused_at)}")
            right.append("  PAUSED", WARN)
        if self.filter:
            right.append(f"  /{self.filter}", WARN)
        name = f"urpo-store  {self.NAME}" if title.size.width >= 60 else self.NAME
        parts = Text.assemble((name, HEAD))
        if self.subject():
            parts.append(f"  {text.printable(self.subject())}", PLAIN)
        room = max(title.size.width - right.cell_len, len(self.NAME))
        parts.truncate(room, overflow="crop" if self.ascii_only else "ellipsis", pad=True)
        title.write(parts.append_text(right))

    def on_resize(self) -> None:
        self.set_class(self.size.height < _LOW, "-low")
        self.write_title()

    def write_status(self, loaded: Loaded) -> None:
        line = Text()
        stats = loaded.stats
        if loaded.error:
            line.append(f"! {loaded.error}", BAD)
        elif stats is not None:
            line.append(
                f"{text.number(stats.services)} services, {text.number(stats.series)} series, "
                f"{text.number(stats.points)} points, {text.size(stats.memory_bytes)}",
                DIM,
            )
            for count, what in (
                (stats.rejected_points, "refused"),
                (stats.overflowed_points, "collapsed"),
                (stats.evicted_points, "dropped"),
            ):
                if count:
                    line.append(f"  ! {text.number(count)} {what} (see 3)", WARN)
        self.query_one("#status", TextBox).write(line)

    def action_filter(self) -> None:
        if not self.FILTERS:
            return
        field = self.query_one("#filter", Input)
        field.display = True
        field.value = self.filter
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "filter":
            self.filter = event.value
            self.filter_changed()

    def filter_changed(self) -> None:
        self.redraw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            self._leave_filter()

    def _leave_filter(self) -> None:
        self.query_one("#filter").display = False
        row_list = self.row_list()
        if row_list is not None:
            row_list.focus()

    def action_back(self) -> None:
        """Esc: leave the filter's input, then drop the filter, then return to the screen before."""
        field = self.query_one("#filter", Input)
        if field.display:
            field.value = ""
            self._leave_filter()
        elif self.filter:
            self.filter = ""
            self.filter_changed()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    # ---- export

    def action_export(self, shape: str) -> None:
        records = self.export()
        path = self.urpo.export_path(self.NAME, shape)
        path.write_text(_csv(records) if shape == "csv" else json.dumps(records, indent=2))
        self.app.notify(f"{len(records)} rows in {path}")


def _csv(records: Sequence[Mapping[str, object]]) -> str:
    out = io.StringIO()
    if records:
        writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return out.getvalue()


def matches(pattern: str, *texts: str) -> bool:
    """Every word of the filter is in one of the texts; a word with ! in front is in none."""
    whole = " ".join(texts).lower()
    for word in pattern.lower().split():
        if word.startswith("!"):
            if word[1:] and word[1:] in whole:
                return False
        elif word not in whole:
            return False
    return True


def clock_time(nanoseconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(nanoseconds // 10**9))


def export_file(directory: Path, name: str, shape: str, stamp: str) -> Path:
    """The path of a new file."""
    base = f"urpo-store-{name.lower().replace(' ', '-')}-{stamp}"
    path = directory / f"{base}.{shape}"
    count = 1
    while path.exists():
        count += 1
        path = directory / f"{base}-{count}.{shape}"
    return path
