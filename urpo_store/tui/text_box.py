"""Text in a place of its own."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static


class TextBox(Static):
    """Shows text as it is, markup or not; its size stays, so that the screen is not laid out anew."""

    def write(self, shown: str | Text) -> None:
        self.update(Text(shown) if isinstance(shown, str) else shown, layout=False)
