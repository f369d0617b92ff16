"""The keys of a screen, from its bindings: a line at the bottom, and a help screen with all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from .look import DIM, HEAD, key_name
from .text_box import TextBox

#: The line at the bottom always has these.
_ALWAYS = ("keys", "quit")
_COLUMN = 36


def bindings_of(screen: Screen[Any]) -> list[Binding]:
    """The bindings that are active, those of the focused widget first, without Textual's own."""
    return [
        bound.binding
        for bound in screen.active_bindings.values()
        if bound.binding.description
        and not bound.binding.system
        and "copy_text" not in bound.binding.action
    ]


class KeyLine(TextBox):
    """The most useful keys that fit, and always the key of the help screen."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.show_keys())

    def on_resize(self) -> None:
        self.show_keys()

    def show_keys(self) -> None:
        shown: dict[str, Binding] = {}
        for binding in bindings_of(self.screen):
            if binding.show:
                shown.setdefault(binding.action, binding)
        last = [shown.pop(action) for action in _ALWAYS if action in shown]
        tail = _line(last)
        line = Text()
        for binding in shown.values():
            one = _line([binding])
            if line.cell_len + one.cell_len + tail.cell_len > self.size.width:
                break
            line.append_text(one)
        line.append_text(tail)
        self.write(line)


def _line(bindings: Sequence[Binding]) -> Text:
    line = Text()
    for binding in bindings:
        line.append(key_name(binding.key), HEAD)
        line.append(f" {binding.description.lower()}  ", DIM)
    return line


class Help(ModalScreen[None]):
    """Every key that works on the screen below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,f1", "dismiss", "Close")
    ]

    def __init__(self, bindings: Sequence[Binding]) -> None:
        super().__init__()
        found: dict[str, list[str]] = {}
        for binding in bindings:
            what = binding.description[:1].upper() + binding.description[1:]
            found.setdefault(what, []).append(key_name(binding.key))
        self.lines = [f"{' '.join(keys):>11}  {what}" for what, keys in found.items()]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(id="keys", markup=False)

    def on_resize(self) -> None:
        self.write()

    def on_mount(self) -> None:
        self.write()

    def write(self) -> None:
        """Write the keys, in two columns if they fit."""
        lines = self.lines
        if self.size.width >= 2 * _COLUMN + 6:
            half = -(-len(lines) // 2)
            right = [*lines[half:], ""]
            lines = [f"{left:<{_COLUMN}}{right[i]}" for i, left in enumerate(lines[:half])]
        self.query_one("#keys", Static).update(
            Text("\n".join(["KEYS (Esc closes)", "", *(line.rstrip() for line in lines)]))
        )
