"""The distinct row layouts of a scan.

A reader may give the same bounds under several numbers, since each chunk has its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..model import Float64Array, Int64Array
from .source import RowLayout, Scanned


def distinct_layouts(scanned: Scanned) -> tuple[Int64Array, list[RowLayout]]:
    """(layout number of each point in the list, the distinct layouts)."""
    distinct: dict[tuple[bytes, int], int] = {}
    layouts: list[RowLayout] = []
    numbers = np.zeros(max(1, len(scanned.layouts)), np.int64)
    for index, layout in enumerate(scanned.layouts):
        key = layout.words.tobytes(), layout.row_words
        if key not in distinct:
            distinct[key] = len(layouts)
            layouts.append(layout)
        numbers[index] = distinct[key]
    if scanned.layout is None:
        return np.zeros(len(scanned.times), np.int64), layouts
    return numbers[scanned.layout], layouts


def flat_bounds(layouts: Sequence[RowLayout]) -> tuple[Float64Array, Int64Array]:
    """(all words as float64, layout after layout; where each layout begins, and the end)."""
    offsets = np.zeros(len(layouts) + 1, np.int64)
    if not layouts:
        return np.zeros(0), offsets
    np.cumsum([len(layout.words) for layout in layouts], out=offsets[1:])
    words = np.concatenate([np.asarray(layout.words, np.uint64) for layout in layouts])
    return words.view(np.float64), offsets
