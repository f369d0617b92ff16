"""A widget for text."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static


class TextBox(Static):
    """Shows text without reading it as markup. Its size is fixed, so that writing lays out nothing."""

    def write(self, shown: str | Text) -> None:
        self.update(Text(shown) if isinstance(shown, str) else shown, layout=False)
