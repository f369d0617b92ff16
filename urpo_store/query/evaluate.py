"""A `MetricQuery` in, a `MetricTable` out.

    rules, times    is the question well formed; its range and windows
    select          which streams, series and groups it is about
    plans           which points count, and what of them is the answer
    scan            the points, in columns
    number_rows     }  the kernels add them up: a row for each window of each group
    histogram_rows  }
    stored_points   what is answered by stored points as they are
    identities      rows become series

What each aggregation means is in docs/queries.md.
"""

from __future__ import annotations

import math

from ..model import Aggregation, MetricKind, MetricQuery, MetricSeries, MetricTable
from .arrow import arrow_stream
from .histogram_rows import histogram_rows
from .identities import series_of_rows
from .number_rows import number_rows
from .plans import find_plan
from .question import Question
from .rows import BucketsOf
from .rules import check_query, check_stream, has_buckets
from .select import Groups, group, select
from .source import Reader
from .stored_points import newest_points, raw_points, stored_quantile
from .times import parse_range, parse_windows


def evaluate(reader: Reader, query: MetricQuery, now: int) -> MetricTable:
    """Answer `query`; `now` is the wall clock in Unix nanoseconds.

    Raises `QueryError` if the query cannot be answered as asked, `MemoryError` if there is no room.
    """
    quantile = check_query(query)
    start, end = parse_range(query, now)
    windows = parse_windows(query, start, end)
    aggregation = query.aggregation
    streams = select(reader, query)
    for stream in streams:
        check_stream(stream, aggregation, quantile)
    answer: list[MetricSeries] = []
    for stream in streams:
        question = Question(reader, stream, aggregation, quantile, start, end, windows)
        answer += _answer(question, group(reader, stream.ids, query.by))
    if query.limit is not None and len(answer) > query.limit:
        answer = _largest(answer, query.limit)
    return MetricTable(answer, arrow_stream)


def _answer(question: Question, groups: Groups | None) -> list[MetricSeries]:
    summary = question.stream.kind is MetricKind.SUMMARY
    if question.quantile is None:
        if question.aggregation is Aggregation.RAW:
            return raw_points(question, groups)
        of_series = groups is None and question.windows is None
        if question.aggregation is Aggregation.LAST and (of_series or summary):
            return newest_points(question, groups)
    elif summary:
        return stored_quantile(question, question.quantile, groups)
    return _windows(question, groups)


def _windows(question: Question, groups: Groups | None) -> list[MetricSeries]:
    stream = question.stream
    plan = find_plan(stream.kind, stream.temporality, question.aggregation, question.quantile)
    assert plan is not None  # or check_stream would have raised
    members = groups if groups is not None else question.each()
    buckets_of: BucketsOf | None = None
    if has_buckets(stream):
        rows, buckets_of = histogram_rows(question, plan, members)
    else:
        rows = number_rows(question, plan, members)
    return list(series_of_rows(question, groups, rows, buckets_of))


def _largest(series: list[MetricSeries], limit: int) -> list[MetricSeries]:
    """Those with the largest last value, in the order they had; a NaN comes after every number."""
    last = [_last_value(one) for one in series]
    ranked = sorted(range(len(series)), key=last.__getitem__, reverse=True)
    return [series[index] for index in sorted(ranked[:limit])]


def _last_value(series: MetricSeries) -> float | int:
    if series.is_int is not None and series.int_values is not None and series.is_int[-1]:
        return int(series.int_values[-1])
    value = float(series.values[-1])
    return -math.inf if math.isnan(value) else value
