"""The application: global keys, and switching between screens."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ScreenStackError, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender

from ..interfaces import MetricStorage
from ..render import text
from .arrived import ArrivedView
from .keys import Help, bindings_of
from .metrics import MetricsView
from .query import QueryView
from .services import ServicesView
from .state import State
from .view import View, export_file

#: Seconds from switching to a screen until it is painted.
_SWITCHING = 0.015
#: Seconds between two refreshes; + and - step through them.
INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class _PlainScrollBar(ScrollBarRender):
    """A scroll bar without the characters that smooth its ends."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


class UrpoApp(App[None]):
    """Shows a storage. `endpoint` is the URL that exporters should send to.

    `clock` returns Unix nanoseconds. `interval`: seconds between refreshes; 0: on a key only.
    """

    TITLE = "urpo-store"
    ENABLE_COMMAND_PALETTE = True
    CSS_PATH = "urpo.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "view('services')", "Services"),
        Binding("2", "view('metrics')", "Metrics"),
        Binding("3", "view('arrived')", "Arrived"),
        Binding("4,colon", "view('query')", "Query"),
        Binding("left_square_bracket", "range(-1)", "Narrower range", show=False),
        Binding("right_square_bracket", "range(1)", "Wider range", show=False),
        Binding("left,h", "pan(-0.5)", "Earlier (while paused)", show=False),
        Binding("right,l", "pan(0.5)", "Later (while paused)", show=False),
        Binding("0", "now", "Back to now", show=False),
        Binding("p", "pause", "Pause"),
        Binding("plus", "interval(-1)", "Look more often", show=False),
        Binding("minus", "interval(1)", "Look less often", show=False),
        Binding("R", "look", "Look now", show=False),
        Binding("w", "picture", "Picture (SVG)", show=False),
        Binding("question_mark,f1", "keys", "All keys"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+q,ctrl+c", "quit", "Quit", show=False, priority=True),
    ]
    MODES: ClassVar[dict[str, Any]] = {
        "services": ServicesView,
        "metrics": MetricsView,
        "arrived": ArrivedView,
        "query": QueryView,
    }
    DEFAULT_MODE = "services"

    def __init__(
        self,
        storage: MetricStorage,
        *,
        endpoint: str = "http://127.0.0.1:4318",
        clock: Callable[[], int] = time.time_ns,
        interval: float = 2.0,
        directory: Path | None = None,
    ) -> None:
        super().__init__(ansi_color=True)
        self.storage = storage
        self.endpoint = endpoint
        self.state = State(clock)
        self.trace_url = os.environ.get("URPO_STORE_TRACE_URL", "")
        self._interval = interval
        self._directory = directory or Path.cwd()
        if text.ascii_only():
            ScrollBar.renderer = _PlainScrollBar
            self.add_class("-plain")

    def clear_selection(self) -> None:
        # The text box of the first screen calls this when it is mounted. From Python 3.12 on that may be
        # before the screen is on the stack.
        with contextlib.suppress(ScreenStackError):
            super().clear_selection()

    def on_mount(self) -> None:
        self._timer = self.set_interval(
            self._interval or 3600, self._tick, pause=not self._interval
        )

    def delay_update(self, delay: float = 0.05) -> None:
        """Textual waits 50 ms before it paints a new screen; ours are ready sooner."""
        super().delay_update(min(delay, _SWITCHING))

    @property
    def view(self) -> View | None:
        """The screen in front, if it shows the store."""
        return self.screen if isinstance(self.screen, View) else None

    def _tick(self) -> None:
        if self.view is not None:
            self.view.tick()

    def _changed(self) -> None:
        if self.view is not None:
            self.view.reload()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield SystemCommand("Quit", "Leave urpo-store", self.exit)
        yield SystemCommand("Keys", "Every key of this screen", self.action_keys)
        yield SystemCommand("Picture", "Save the screen as SVG", self.action_picture)

    # ---- keys

    def action_view(self, name: str) -> None:
        if self.current_mode != name:
            self.switch_mode(name)
        # Back to where the mode begins.
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def action_range(self, steps: int) -> None:
        self.state.wider(steps)
        self._changed()

    def action_pan(self, share: float) -> None:
        if self.state.paused_at is not None:
            self.state.pan(share)
            self._changed()

    def action_now(self) -> None:
        self.state.paused_at = None
        self._changed()

    def action_pause(self) -> None:
        self.state.toggle_pause()
        self._changed()

    def action_look(self) -> None:
        self._changed()

    def action_interval(self, steps: int) -> None:
        nearest = min(range(len(INTERVALS)), key=lambda i: abs(INTERVALS[i] - self._interval))
        self._interval = INTERVALS[min(max(nearest + steps, 0), len(INTERVALS) - 1)]
        self._timer.stop()
        self._timer = self.set_interval(self._interval, self._tick)
        self.notify(f"looks every {self._interval:g} s")

    def action_keys(self) -> None:
        self.push_screen(Help(bindings_of(self.screen)))

    def action_picture(self) -> None:
        name = self.view.NAME if self.view is not None else "keys"
        path = self.export_path(name, "svg")
        path.write_text(self.export_screenshot(title="urpo-store"))
        self.notify(f"picture in {path}")

    def export_path(self, name: str, shape: str) -> Path:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.state.clock() // 10**9))
        return export_file(self._directory, name, shape, stamp)
