"""Windows of gauges and sums: batches of series through the kernels of numbers and quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..model import MetricKind
from . import contributions, numbers, quantiles
from .plans import Plan
from .question import Question
from .rows import Rows
from .select import Groups

# Series read at once at first, and points that a batch of them should have: about a megabyte.
_FIRST_BATCH = 32
_BATCH_POINTS = 32_768


def number_rows(question: Question, plan: Plan, groups: Groups) -> Rows:
    if question.quantile is not None:
        scanned = question.scan(question.stream.ids)
        bases = contributions.every(scanned)
        found = quantiles.quantiles(scanned, bases, groups, question.whole, question.quantile)
        return Rows(*found)
    rows = _reduced(question, plan, groups)
    if plan.per_second:
        return Rows(rows.rows, rows.window, rows.newest, rows.values / question.step_seconds)
    return rows


def _reduced(question: Question, plan: Plan, groups: Groups) -> Rows:
    """Adds up a batch of series at a time.

    What is in hand stays in the caches, and a query of everything does not take the memory of
    everything.
    """
    ids = question.stream.ids[groups.order]
    ends = np.zeros(len(ids), np.uint8)
    ends[groups.offsets[1:] - 1] = 1
    reduction = numbers.Reduction(question.whole, plan.result)
    increases = question.increases(plan.counted)
    monotonic = question.stream.kind is MetricKind.COUNTER

    def add(batch: slice) -> tuple[int, tuple[npt.NDArray[Any], ...]]:
        # The columns are given up on return, so that the next scan can have their memory.
        scanned = question.scan(ids[batch], increases=increases)
        if increases:
            rows = reduction.add_increases(scanned, monotonic, ends[batch])
        else:
            bases = question.whole_points(scanned, plan.counted)
            rows = reduction.add(scanned, bases, ends[batch])
        return len(scanned.times), rows

    parts = []
    begin, size = 0, _FIRST_BATCH
    while begin < len(ids):
        points, rows = add(slice(begin, begin + size))
        parts.append(rows)
        begin += size
        # Series of few points are taken more at a time.
        size = max(_FIRST_BATCH, min(4 * size, size * _BATCH_POINTS // max(points, 1)))
    counts, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Rows(np.concatenate([[0], np.cumsum(counts)]), *columns)
