"""How figures are written and coloured. Trouble has a sign as well as a colour."""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style

from ..render import text

#: Colours of series, of the sixteen that every terminal has; without colours, marks or order tell.
SERIES = ("cyan", "yellow", "green", "magenta", "blue", "red", "bright_cyan", "bright_yellow")
#: Marks of series in lists, and in charts of plain characters.
MARKS = "*+ox#@%&"

BAD = Style(color="red", bold=True)
WARN = Style(color="yellow")
DIM = Style(dim=True)
HEAD = Style(bold=True)
PLAIN = Style()

_KEYS = {
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "plus": "+",
    "minus": "-",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "shift+tab": "Shift-Tab",
}


def key_name(key: str) -> str:
    """A key as it is printed on keyboards: [, Esc, Ctrl-Q."""
    if key in _KEYS:
        return _KEYS[key]
    if key.startswith("ctrl+"):
        return "Ctrl-" + key_name(key.removeprefix("ctrl+")).upper()
    return key if len(key) == 1 else key.capitalize()


def series_style(index: int | None) -> Style:
    return DIM if index is None else Style(color=SERIES[index % len(SERIES)])


def mark_of(index: int) -> str:
    return MARKS[index % len(MARKS)]


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a row, its style, and what it is sorted by (None: it comes last)."""

    text: str
    style: Style = PLAIN
    sort: float | str | None = None


def errors_cell(ratio: float | None) -> Cell:
    shown = text.ratio(ratio)
    if ratio is None:
        return Cell(shown, DIM, None)
    if ratio >= 0.05:
        return Cell(shown + " !!", BAD, ratio)
    if ratio >= 0.01:
        return Cell(shown + " !", WARN, ratio)
    return Cell(shown, PLAIN, ratio)


def latency_cell(seconds: float | None) -> Cell:
    return Cell(text.seconds(seconds), DIM if seconds is None else PLAIN, seconds)


def full_cell(share: float | None) -> Cell:
    """How full something is, as a share of one."""
    if share is None:
        return Cell(text.UNKNOWN, DIM, None)
    return Cell(
        f"{share * 100:.0f} %" + (" !" if share > 0.9 else ""),
        WARN if share > 0.9 else PLAIN,
        share,
    )
