"""How answers look: as text for the terminal, and as HTML or matplotlib axes in a notebook.

`urpo_store` hands this package to `MetricTable` for its notebook methods. The drawing code is imported
when a table is drawn.

question                                              file
what does `urpo-store query` print?                   answers
how are rows printed for people? as JSON, as CSV?     listings, records
how is a line chart or a heat map drawn?              charts
which values does a chart of a series show?           drawing
how is a number, an age, a series written?            text, labels
what does Jupyter show?                               notebook
what should one set, and what was lost?               advice
"""

from __future__ import annotations

from typing import Any

from ..model import MetricTable


def html_table(table: MetricTable) -> str:
    """The table as HTML; see `notebook.html_table`."""
    from .notebook import html_table

    return html_table(table)


def plot_table(table: MetricTable, ax: Any, options: dict[str, Any]) -> Any:
    """The table in matplotlib axes; see `notebook.plot_table`."""
    from .notebook import plot_table

    return plot_table(table, ax, options)
