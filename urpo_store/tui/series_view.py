"""The base of screens whose rows belong to one metric: a detail line, a filter of attributes."""

from __future__ import annotations

from ..errors import QueryError
from ..render import text
from .metric_data import split_filter
from .row_list import RowList
from .text_box import TextBox
from .view import View


class SeriesView(View):
    """Has a list of rows, and a TextBox `#detail` that shows the row of the cursor in full."""

    def detail(self, key: object) -> str:
        """The row in full: nothing cut, the value as it is stored."""
        return ""

    def show_detail(self, key: object) -> None:
        self._write(self.detail(key))

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        self.show_detail(event.key)

    def filter_changed(self) -> None:
        try:
            split_filter(self.filter)
        except QueryError as error:
            self._write(f"! {error}")
            return
        self.reload()

    def _write(self, shown: str) -> None:
        self.query_one("#detail", TextBox).write(text.printable(shown))
