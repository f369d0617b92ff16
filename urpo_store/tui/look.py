"""How figures are written and coloured. Trouble has a sign too, for those who see no colours."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from rich.style import Style

#: Colours of series, of the sixteen that every terminal has; marks or order tell them apart without.
SERIES = ("cyan", "yellow", "green", "magenta", "blue", "red", "bright_cyan", "bright_yellow")

BAD = Style(color="red", bold=True)
WARN = Style(color="yellow")
DIM = Style(dim=True)
HEAD = Style(bold=True)
PLAIN = Style()


def series_style(index: int | None) -> Style:
    return DIM if index is None else Style(color=SERIES[index % len(SERIES)])


def ascii_only() -> bool:
    """Whether the terminal may not have braille and block characters."""
    if os.environ.get("URPO_STORE_ASCII", "").lower() in ("1", "true", "yes", "on"):
        return True
    encoding = (getattr(sys.__stdout__, "encoding", None) or "utf-8").lower()
    return "utf" not in encoding


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of a table, its style, and what it is sorted by."""

    text: str
    style: Style = PLAIN
    sort: float | str | None = None


def errors_cell(ratio: float | None) -> Cell:
    from .. import text

    shown = text.ratio(ratio)
    if ratio is None:
        return Cell(shown, DIM, None)
    if ratio >= 0.05:
        return Cell(shown + " !!", BAD, ratio)
    if ratio >= 0.01:
        return Cell(shown + " !", WARN, ratio)
    return Cell(shown, PLAIN, ratio)
