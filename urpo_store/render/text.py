"""Numbers, ages and columns as text for people; pure functions, except for `ascii_only`."""

from __future__ import annotations

import math
import os
import sys
import unicodedata
from collections.abc import Sequence

#: Stands for what is not known.
UNKNOWN = "-"

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
_UNITS = ("", "k", "M", "G", "T", "P")


def number(value: float | int | None) -> str:
    """A value with three significant digits and a decimal prefix: 12.4, 1.25k, 3."""
    if value is None:
        return UNKNOWN
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    size = abs(value)
    if size and size < 0.001:
        return f"{value:.1e}"
    power = 0
    while size >= 999.5 and power < len(_UNITS) - 1:
        size, value, power = size / 1000, value / 1000, power + 1
    if float(value).is_integer() and abs(value) < 1000:
        return f"{int(value)}{_UNITS[power]}"
    return f"{_significant(value)}{_UNITS[power]}"


def _significant(value: float) -> str:
    """Three significant digits, no exponent."""
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{min(decimals, 3)}f}"


def rate(value: float | None) -> str:
    if value is None or not 0.1 <= value < 1000:
        return number(value)
    return f"{value:.1f}"


def ratio(value: float | None) -> str:
    """A share of one in per cent: 1.9 %."""
    return UNKNOWN if value is None else f"{value * 100:.1f} %"


def seconds(value: float | None) -> str:
    """A length of time: 38 ms, 0.9 s, 2.5 min."""
    if value is None or not math.isfinite(value):
        return UNKNOWN if value is None else number(value)
    if abs(value) >= 120:
        return f"{value / 60:.1f} min"
    if abs(value) >= 0.8:
        return f"{value:.1f} s"
    if abs(value) >= 0.001:
        return f"{value * 1000:.0f} ms" if abs(value) >= 0.01 else f"{value * 1000:.1f} ms"
    return f"{value * 1e6:.0f} us"


#: Units of UCUM whose values are lengths of time, in seconds.
_TIMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
_SIZES = {"By": 1, "KiBy": 1024, "MiBy": 1024**2, "GiBy": 1024**3}


def value(amount: float | None, unit: str) -> str:
    """A value with its UCUM unit as people write it: 38 ms, 2.5 MiB, 12.4 °C; "{thing}" is left out."""
    if amount is None or not math.isfinite(amount):
        return number(amount)
    base, slash, per = unit.partition("/")
    behind = f"/{per}" if slash else ""
    if base in _TIMES:
        length = amount * _TIMES[base]
        return ("0 s" if length == 0 else seconds(length)) + behind
    if base in _SIZES:
        amount *= _SIZES[base]
        return f"{'-' if amount < 0 else ''}{size(round(abs(amount)))}{behind}"
    if base in ("", "1") or base.startswith("{"):
        return number(amount) + behind
    return f"{number(amount)} {base}{behind}"


def age(nanoseconds: int | None) -> str:
    """How long ago: 2 s ago, 4 min ago."""
    if nanoseconds is None:
        return UNKNOWN
    past = nanoseconds / 1e9
    if past < 0.5:
        return "now"
    if past < 100:
        return f"{past:.0f} s ago"
    if past < 5400:
        return f"{past / 60:.0f} min ago"
    return f"{past / 3600:.0f} h ago"


def short_age(nanoseconds: int | None) -> str:
    """How long ago, for a narrow column: now, 2 s, 4 min."""
    return age(nanoseconds).removesuffix(" ago")


def size(count: int) -> str:
    """Bytes: 512 B, 2.5 MiB."""
    value = float(count)
    for unit in _BYTES:
        if value < 1024 or unit == _BYTES[-1]:
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def width(text: str) -> int:
    """Columns that a terminal gives the text; wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def cut(text: str, room: int, mark: str = "…") -> str:
    """The text in at most `room` columns; `mark`, one column wide, stands for what is cut."""
    if width(text) <= room:
        return text
    # By characters, since a wide one takes two columns.
    text = text[: max(room, 0)]
    while text and width(text) > room - 1:
        text = text[:-1]
    return text + mark if room > 0 else ""


def printable(text: str) -> str:
    """The text without control characters, which could move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """Rows under a head, each column as wide as its widest cell.

    `align` has one of < and > for each column.
    """
    cells = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(width(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        padded = []
        for cell, room, side in zip(row, widths, align, strict=True):
            space = " " * (room - width(cell))
            padded.append(space + cell if side == ">" else cell + space)
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def ascii_only() -> bool:
    """Whether the terminal may not have braille and block characters."""
    if os.environ.get("URPO_STORE_ASCII", "").lower() in ("1", "true", "yes", "on"):
        return True
    encoding = (getattr(sys.__stdout__, "encoding", None) or "utf-8").lower()
    return "utf" not in encoding
