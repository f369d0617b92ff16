"""What the series of an answer are called, and how rows become series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model import MetricSeries
from .question import Question
from .rows import BucketsOf, Rows
from .select import Groups

_NO_TIMES = np.zeros(0, np.int64)
_NO_VALUES = np.zeros(0)

#: Makes a series that has its identity and no columns yet.
_Identity = Callable[[], MetricSeries]


def identities(question: Question, groups: Groups | None) -> Iterator[tuple[int, _Identity]]:
    """(index, identity) of each group; without groups, of each series of the stream.

    Identities are made when asked for: a series without points needs none.
    """
    ids = question.stream.ids
    if groups is None:
        for index, series in enumerate(ids.tolist()):
            yield index, partial(_of_series, question, series)
        return
    service, resource, scope = (
        _agreed(groups, column)
        for column in (
            question.reader.service_column(ids),
            question.reader.resource_column(ids),
            question.reader.scope_column(ids),
        )
    )
    for g in range(len(groups)):

        def identity(g: int = g) -> MetricSeries:
            one = _of_series(question, int(ids[groups.order[groups.offsets[g]]]))
            return replace(
                one,
                attributes=groups.attributes[g],
                service=one.service if service[g] else None,
                resource=one.resource if resource[g] else {},
                scope=one.scope if scope[g] else None,
            )

        yield g, identity


def _of_series(question: Question, series_id: int) -> MetricSeries:
    info = question.reader.identity(series_id)
    return MetricSeries(
        metric=info.metric,
        kind=info.kind,
        unit=info.unit,
        temporality=info.temporality,
        service=info.service,
        attributes=info.attributes,
        resource=info.resource,
        scope=info.scope,
        timestamps=_NO_TIMES,
        start_timestamps=_NO_TIMES,
        values=_NO_VALUES,
    )


def _agreed(groups: Groups, column: npt.NDArray[Any]) -> Sequence[bool]:
    """For each group, whether all members have the same number in the column."""
    ordered = column[groups.order]
    begins = groups.offsets[:-1]
    agreed: list[bool] = (
        np.minimum.reduceat(ordered, begins) == np.maximum.reduceat(ordered, begins)
    ).tolist()
    return agreed


def series_of_rows(
    question: Question, groups: Groups | None, rows: Rows, buckets_of: BucketsOf | None
) -> Iterator[MetricSeries]:
    """A series for each group that has rows."""
    if question.windows is None:
        timestamps = rows.newest
        starts = np.zeros(len(timestamps), np.int64)
    else:
        timestamps = question.windows.first + rows.window * question.windows.step
        starts = np.maximum(timestamps - question.windows.step, 0)
    edges = rows.rows.tolist()
    for g, identity in identities(question, groups):
        begin, end = edges[g], edges[g + 1]
        if begin == end:
            continue
        ints = is_int = None
        if rows.is_int is not None and rows.ints is not None and rows.is_int[begin:end].any():
            is_int = rows.is_int[begin:end]
            ints = rows.ints[begin:end]
        yield replace(
            identity(),
            timestamps=timestamps[begin:end],
            start_timestamps=starts[begin:end],
            values=rows.values[begin:end],
            int_values=ints,
            is_int=is_int,
            histogram=None if buckets_of is None else buckets_of(g),
            overflowed=rows.overflowed is not None and bool(rows.overflowed[g]),
        )
