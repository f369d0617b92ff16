"""Answers that are stored points: RAW, LAST of single series, and everything about summaries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import QueryError
from ..model import Int64Array, MetricKind, MetricSeries
from . import contributions
from .identities import identities
from .plans import Counted
from .question import Question
from .select import Groups
from .source import Scanned
from .stored import StoredColumns


def raw_points(question: Question, groups: Groups | None) -> list[MetricSeries]:
    """The points of the range, as they are."""
    scanned = question.reader.scan(question.stream.ids, question.start, question.end)
    return _answer(question, groups, scanned, None)


def newest_points(question: Question, groups: Groups | None) -> list[MetricSeries]:
    """The last point of each window, at the window's instant; without windows, of the range."""
    groups = _single(question, groups)
    if question.windows is None:
        scanned = question.reader.scan(question.stream.ids, question.start, question.end)
    else:
        scanned = question.scan(question.stream.ids)
    bases = question.whole_points(scanned, Counted.NEWEST)
    picked = np.flatnonzero(bases != contributions.SKIP)
    return _answer(question, groups, scanned, picked)


def stored_quantile(
    question: Question, quantile: float, groups: Groups | None
) -> list[MetricSeries]:
    """A quantile of summaries: one of those that their source computed."""
    answer = []
    known: set[float] = set()
    found = False
    for series in newest_points(question, groups):
        if series.summary is None:
            continue
        known |= set(series.summary.quantiles.tolist())
        at = np.flatnonzero(series.summary.quantiles == quantile)
        if len(at):
            found = True
            values = series.summary.values[:, at[0]].copy()
            answer.append(replace(series, values=values, summary=None))
    if known and not found:
        stored = ", ".join(f"{q:g}" for q in sorted(known))
        raise QueryError(
            f"{question.stream.metric!r} is a summary whose source computed the quantiles "
            f"{stored}; {quantile:g} cannot be told from them. Ask for one of these with "
            "quantile=."
        )
    return answer


def _single(question: Question, groups: Groups | None) -> Groups | None:
    """The groups; of summaries each must be one series."""
    if groups is None or question.stream.kind is not MetricKind.SUMMARY:
        return groups
    sizes = np.diff(groups.offsets)
    if (sizes > 1).any():
        large = int(sizes.argmax())
        raise QueryError(
            f"{question.stream.metric!r} is a summary, and quantiles of several series cannot be "
            f"merged; the group {groups.attributes[large]!r} has {sizes[large]}. Leave out "
            "`by`, or group by what tells the series apart."
        )
    return groups


def _answer(
    question: Question, groups: Groups | None, scanned: Scanned, picked: Int64Array | None
) -> list[MetricSeries]:
    """The points of the scan, or those that were picked, a group's in order of time."""
    columns = StoredColumns(scanned, question.stream.kind)
    begins, ends = scanned.first, scanned.offsets[1:]
    if picked is not None:
        begins, ends = np.searchsorted(picked, begins), np.searchsorted(picked, ends)
    answer: list[MetricSeries] = []
    for g, identity in identities(question, groups):
        members = [g] if groups is None else groups.members(g).tolist()
        parts = [(int(begins[m]), int(ends[m])) for m in members if begins[m] < ends[m]]
        if not parts:
            continue
        if len(parts) == 1 and picked is None:
            answer += columns.series(slice(*parts[0]), identity())
            continue
        points = np.concatenate([np.arange(begin, end) for begin, end in parts])
        if picked is not None:
            points = picked[points]
        if len(parts) > 1:
            points = points[np.argsort(scanned.times[points], kind="stable")]
        found = columns.series(points, identity())
        if picked is not None and question.windows is not None:
            found = (_at_instants(question, one) for one in found)
        answer += found
    return answer


def _at_instants(question: Question, series: MetricSeries) -> MetricSeries:
    """Points that stand for their windows, at the instants of these."""
    first, step = question.whole.first, question.whole.step
    window = -((first - series.timestamps) // step)
    return replace(series, timestamps=first + window * step)
