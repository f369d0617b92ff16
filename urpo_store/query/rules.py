"""Which questions can be asked of which kind of metric; what to ask instead of the others."""

from __future__ import annotations

import math
from numbers import Real

from ..errors import QueryError
from ..model import Aggregation, MetricKind, MetricQuery
from .plans import find_plan
from .source import Stream

_BUCKETS = (MetricKind.HISTOGRAM, MetricKind.EXPONENTIAL_HISTOGRAM)


def check_query(query: MetricQuery) -> float | None:
    """The quantile that the query asks for, if any; raises `QueryError` for malformed fields."""
    if not isinstance(query.aggregation, Aggregation):
        names = ", ".join(aggregation.name for aggregation in Aggregation)
        raise QueryError(
            f"aggregation={query.aggregation!r} is none. Give a member of Aggregation: {names}."
        )
    limit = query.limit
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise QueryError(
            f"limit={limit!r} is no number of series; give an int of at least 1, or None for all."
        )
    if isinstance(query.by, str):
        raise QueryError(f"by={query.by!r} is a text; give a sequence of keys: by=({query.by!r},).")
    wrong = [key for key in query.by or () if not isinstance(key, str)]
    if wrong:
        raise QueryError(f"by has {wrong[0]!r}, which is no attribute key; keys are text.")
    if query.quantile is None:
        return query.aggregation.quantile
    if isinstance(query.quantile, bool) or not isinstance(query.quantile, Real):
        raise QueryError(
            f"quantile={query.quantile!r} is no number; give 0.95 for the 95th percentile."
        )
    if math.isnan(query.quantile):
        raise QueryError("quantile is NaN; give a number from 0 to 1, such as 0.95.")
    return float(query.quantile)


def check_stream(stream: Stream, aggregation: Aggregation, quantile: float | None) -> None:
    """Raise `QueryError` if the aggregation means nothing for this kind of metric.

    `quantile`, if set, is asked for in place of the aggregation.
    """
    if _has_meaning(stream, aggregation, quantile):
        return
    asked = f"quantile {quantile:g}" if quantile is not None else aggregation.name
    what = f"{stream.metric!r} is a {stream.kind.value.replace('_', ' ')}"
    if stream.kind is MetricKind.COUNTER:
        raise QueryError(
            f"{what}, and {asked} of running totals means nothing. Ask for RATE (per second), "
            "INCREASE (how much was counted), or LAST (the total)."
        )
    if stream.kind is MetricKind.GAUGE:
        raise QueryError(
            f"{what}: its values stand for themselves and are no totals, so it has no {asked}. "
            "Ask for LAST, AVG, MIN, MAX or a quantile."
        )
    raise QueryError(
        f"{what}: its quantiles were computed at the source, and {asked} cannot be told from "
        "them. Ask for RAW or LAST, whose `summary` has count, sum and quantiles, or for one "
        "of the stored quantiles of a single series."
    )


def _has_meaning(stream: Stream, aggregation: Aggregation, quantile: float | None) -> bool:
    if stream.kind is MetricKind.SUMMARY:
        return quantile is not None or aggregation in (Aggregation.RAW, Aggregation.LAST)
    if quantile is None and aggregation is Aggregation.RAW:
        return True
    return find_plan(stream.kind, stream.temporality, aggregation, quantile) is not None


def has_buckets(stream: Stream) -> bool:
    """Whether its points are counts in buckets."""
    return stream.kind in _BUCKETS
