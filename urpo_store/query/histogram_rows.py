"""Windows of histograms, explicit and exponential: totals, quantiles and buckets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model import (
    ExponentialHistogramColumns,
    Float64Array,
    HistogramColumns,
    Int64Array,
    MetricKind,
)
from .explicit import Explicit
from .exponential import Exponential
from .histograms import totals
from .plans import Plan
from .question import Question
from .rows import BucketColumns, BucketsOf, Rows
from .select import Groups
from .stored import padded

_Array = npt.NDArray[Any]

#: The columns of totals that are those of a histogram too.
_HEAD = ("count", "sum", "min", "max", "has_sum", "has_min", "has_max")


def histogram_rows(question: Question, plan: Plan, groups: Groups) -> tuple[Rows, BucketsOf | None]:
    increases = question.increases(plan.counted)
    scanned = question.scan(question.stream.ids, increases=increases)
    explicit = question.stream.kind is MetricKind.HISTOGRAM
    points = (Explicit if explicit else Exponential)(scanned, question.whole)
    bases = points.increases() if increases else question.whole_points(scanned, plan.counted)
    edges, window, newest, columns = totals(scanned, bases, groups, question.whole)
    if question.quantile is not None:
        if isinstance(points, Explicit):
            known = np.where(columns["max_known"], columns["max"], np.nan)
            values = points.quantiles(bases, groups, question.quantile, known)
        else:
            values = points.quantiles(bases, groups, question.quantile, len(window))
        return Rows(edges, window, newest, values), None
    if plan.result in ("count", "buckets"):
        rows = _counts(edges, window, newest, columns)
        if plan.result == "count":
            return rows, None
        head = {name: columns[name] for name in _HEAD}
        if isinstance(points, Explicit):
            return rows, _explicit_buckets(edges, head, points.columns(bases, groups, edges))
        return rows, _exponential_buckets(edges, head, points.columns(bases, groups))
    values = _mean(columns) if plan.result == "mean" else columns[plan.result]
    if plan.per_second:
        values = values / question.step_seconds
    rows = Rows(edges, window, newest, values)
    if plan.result in ("min", "max"):
        return rows.where(columns[f"has_{plan.result}"]), None
    return rows, None


def _counts(
    edges: Int64Array, window: Int64Array, newest: Int64Array, columns: Mapping[str, _Array]
) -> Rows:
    """Rows of counts: ints, where an int64 holds them."""
    fits = columns["count_fits"]
    ints = np.where(fits, columns["count"], 0).astype(np.int64)
    over = np.array([not fits[a:b].all() for a, b in pairwise(edges.tolist())], np.bool_)
    return Rows(edges, window, newest, columns["count_float"], ints, fits, over)


def _mean(columns: Mapping[str, _Array]) -> Float64Array:
    """NaN where nothing was counted."""
    count = columns["count_float"]
    mean = np.full(len(count), np.nan)
    np.divide(columns["sum"], count, out=mean, where=count > 0)
    return mean


def _explicit_buckets(
    edges: Int64Array,
    head: Mapping[str, _Array],
    buckets: Sequence[tuple[Float64Array, _Array]],
) -> BucketsOf:
    def buckets_of(g: int) -> BucketColumns:
        bounds, counts = buckets[g]
        part = slice(edges[g], edges[g + 1])
        return HistogramColumns(
            bounds=bounds,
            bucket_counts=counts,
            **{name: column[part] for name, column in head.items()},
        )

    return buckets_of


def _exponential_buckets(
    edges: Int64Array,
    head: Mapping[str, _Array],
    buckets: Sequence[tuple[int, int, float, int, _Array, int, _Array]],
) -> BucketsOf:
    def buckets_of(g: int) -> BucketColumns:
        part = slice(edges[g], edges[g + 1])
        scale, zeros, threshold, positive, positives, negative, negatives = zip(
            *buckets[part], strict=True
        )
        return ExponentialHistogramColumns(
            scale=np.array(scale, np.int32),
            zero_count=np.array(zeros, np.uint64),
            zero_threshold=np.array(threshold, np.float64),
            positive_offset=np.array(positive, np.int32),
            positive_counts=padded(positives),
            negative_offset=np.array(negative, np.int32),
            negative_counts=padded(negatives),
            **{name: column[part] for name, column in head.items()},
        )

    return buckets_of
