"""How each aggregation of each kind is computed: the table of docs/queries.md, "Aggregations".

An aggregation is one choice of points (which of them count, and whether whole) and one result of
what they add up to in each window. What is not in the table cannot be asked; rules.py says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from ..model import Aggregation, MetricKind


class Counted(Enum):
    """Which points count in their window; the kernels' words for it are in bases.pxd."""

    EVERY = auto()  # every point, whole
    NEWEST = auto()  # the last point of each window, whole
    INCREASE = auto()  # every point less the one before it; of deltas, every point whole


@dataclass(frozen=True, slots=True)
class Plan:
    """What counts, and what of it is the answer.

    `result` is, of numbers, an operation of numbers.Reduction; of histograms a column of
    histograms.totals, "mean", or "buckets" for the count with all that belongs to a histogram; of
    both "quantile". `per_second`: divided by the length of the window.
    """

    counted: Counted
    result: str
    per_second: bool = False


_RISE = Plan(Counted.INCREASE, "sum")
_RISE_PER_SECOND = Plan(Counted.INCREASE, "sum", per_second=True)

_GAUGE = {
    Aggregation.LAST: Plan(Counted.NEWEST, "newest"),
    Aggregation.SUM: Plan(Counted.NEWEST, "sum"),
    Aggregation.AVG: Plan(Counted.EVERY, "avg"),
    Aggregation.MIN: Plan(Counted.EVERY, "min"),
    Aggregation.MAX: Plan(Counted.EVERY, "max"),
    Aggregation.COUNT: Plan(Counted.EVERY, "count"),
}
_UP_DOWN = _GAUGE | {
    Aggregation.INCREASE: _RISE,
    Aggregation.RATE: _RISE_PER_SECOND,
}
# Deltas have no level that could be summed: their SUM is what they add up to.
_UP_DOWN_DELTAS = _UP_DOWN | {Aggregation.SUM: _RISE}
_COUNTER = {
    Aggregation.LAST: Plan(Counted.NEWEST, "sum"),
    Aggregation.SUM: _RISE,
    Aggregation.COUNT: Plan(Counted.EVERY, "count"),
    Aggregation.INCREASE: _RISE,
    Aggregation.RATE: _RISE_PER_SECOND,
}
_HISTOGRAM = {
    Aggregation.LAST: Plan(Counted.NEWEST, "buckets"),
    Aggregation.SUM: Plan(Counted.INCREASE, "sum"),
    Aggregation.AVG: Plan(Counted.INCREASE, "mean"),
    Aggregation.MIN: Plan(Counted.EVERY, "min"),
    Aggregation.MAX: Plan(Counted.EVERY, "max"),
    Aggregation.COUNT: Plan(Counted.INCREASE, "count"),
    Aggregation.INCREASE: Plan(Counted.INCREASE, "buckets"),
    Aggregation.RATE: Plan(Counted.INCREASE, "count_float", per_second=True),
}

_PLANS: Mapping[MetricKind, Mapping[Aggregation, Plan]] = {
    MetricKind.GAUGE: _GAUGE,
    MetricKind.UP_DOWN_COUNTER: _UP_DOWN,
    MetricKind.COUNTER: _COUNTER,
    MetricKind.HISTOGRAM: _HISTOGRAM,
    MetricKind.EXPONENTIAL_HISTOGRAM: _HISTOGRAM,
    MetricKind.SUMMARY: {},
}
_QUANTILES = {
    MetricKind.GAUGE: Plan(Counted.EVERY, "quantile"),
    MetricKind.UP_DOWN_COUNTER: Plan(Counted.EVERY, "quantile"),
    MetricKind.HISTOGRAM: Plan(Counted.INCREASE, "quantile"),
    MetricKind.EXPONENTIAL_HISTOGRAM: Plan(Counted.INCREASE, "quantile"),
}


def find_plan(
    kind: MetricKind, temporality: str | None, aggregation: Aggregation, quantile: float | None
) -> Plan | None:
    """How windows are answered; None if that question means nothing for this kind.

    RAW and everything about summaries is answered from stored points (stored_points.py): no plan.
    """
    if quantile is not None:
        return _QUANTILES.get(kind)
    if kind is MetricKind.UP_DOWN_COUNTER and temporality == "delta":
        return _UP_DOWN_DELTAS.get(aggregation)
    return _PLANS[kind].get(aggregation)
