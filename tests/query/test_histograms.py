"""SEMANTICS "Aggregations": histograms, exponential histograms, summaries, quantiles."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers import reference_query as exact
from helpers.memory_reader import STALE, MemoryReader
from hypothesis import given, settings
from hypothesis import strategies as st

from urpo_store import model
from urpo_store.errors import QueryError
from urpo_store.model import (
    Aggregation,
    ExponentialHistogram,
    ExponentialHistogramColumns,
    Histogram,
    HistogramColumns,
    MetricQuery,
    Summary,
)

S = 10**9
T = 1_000 * S


def ask(reader: MemoryReader, aggregation: Aggregation, **options: Any) -> list[model.MetricSeries]:
    fields = {"start": T + 10 * S, "end": T + 60 * S, "step": "10s"} | options
    return list(reader.query(MetricQuery("m", aggregation=aggregation, **fields)))


def rows(answer: list[model.MetricSeries]) -> list[tuple[float, float]]:
    assert len(answer) == 1
    times = ((answer[0].timestamps - T) / S).tolist()
    return list(zip(times, answer[0].values.tolist(), strict=True))


def explicit(
    counts: list[int], bounds: list[float], total: float | None = 0.0, **extremes: float
) -> Histogram:
    return Histogram(sum(counts), total, counts, bounds, **extremes)


def at(seconds: float, value: Any, start: int = T - 100 * S) -> tuple[int, int, Any]:
    return int(T + seconds * S), start, value


# ---- "COUNT, SUM, AVG, RATE (of count), INCREASE and quantiles from the increases"


def two_points() -> MemoryReader:
    reader = MemoryReader()
    reader.add(
        [
            at(-5, explicit([1, 1, 0], [1, 2], 2.5)),
            at(5, explicit([1, 3, 2], [1, 2], 12.5)),
            at(15, explicit([4, 3, 2], [1, 2], 14.0)),
        ]
    )
    return reader


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        (Aggregation.COUNT, [(10, 4), (20, 3)]),
        (Aggregation.INCREASE, [(10, 4), (20, 3)]),
        (Aggregation.RATE, [(10, 0.4), (20, 0.3)]),
        (Aggregation.SUM, [(10, 10.0), (20, 1.5)]),
        (Aggregation.AVG, [(10, 2.5), (20, 0.5)]),
        (Aggregation.LAST, [(10, 6), (20, 9)]),
        (Aggregation.P50, [(10, 2.0), (20, 0.5)]),
    ],
)
def test_histograms_are_answered_from_increases(
    aggregation: Aggregation, expected: list[tuple[float, float]]
) -> None:
    assert rows(ask(two_points(), aggregation)) == expected


def test_increase_has_the_increases_of_buckets_too() -> None:
    (series,) = ask(two_points(), Aggregation.INCREASE)
    assert isinstance(series.histogram, HistogramColumns)
    assert series.histogram.bounds.tolist() == [1, 2]
    assert series.histogram.bucket_counts.tolist() == [[0, 2, 2], [3, 0, 0]]
    assert series.histogram.count.tolist() == [4, 3]
    assert series.histogram.sum.tolist() == [10.0, 1.5]
    assert series.int_values is not None and series.int_values.tolist() == [4, 3]


def test_last_has_the_buckets_of_the_last_points() -> None:
    reader = two_points()
    reader.add([at(7, explicit([0, 5, 0], [1, 2], 7.0))], attributes={"i": 1})
    (series,) = ask(reader, Aggregation.LAST, by=())
    assert isinstance(series.histogram, HistogramColumns)
    assert series.histogram.bucket_counts.tolist() == [[1, 8, 2], [4, 3, 2]]


def test_a_delta_histogram_counts_as_it_is() -> None:
    reader = MemoryReader()
    reader.add(
        [at(5, explicit([1, 1], [1], 1.0)), at(6, explicit([0, 2], [1], 5.0))], temporality="delta"
    )
    assert rows(ask(reader, Aggregation.COUNT)) == [(10, 4)]
    assert rows(ask(reader, Aggregation.SUM)) == [(10, 6.0)]


def test_a_count_that_falls_is_a_reset() -> None:
    reader = MemoryReader()
    reader.add([at(5, explicit([5, 5], [1], 9.0), 0), at(15, explicit([1, 2], [1], 4.0), 0)])
    assert rows(ask(reader, Aggregation.COUNT)) == [(10, 0), (20, 3)]
    assert rows(ask(reader, Aggregation.SUM)) == [(10, 0), (20, 4.0)]


def test_a_bucket_that_falls_is_a_reset_although_the_count_grew() -> None:
    reader = MemoryReader()
    reader.add([at(5, explicit([5, 0], [1], 9.0), 0), at(15, explicit([1, 6], [1], 4.0), 0)])
    assert rows(ask(reader, Aggregation.COUNT)) == [(10, 0), (20, 7)]
    (series,) = ask(reader, Aggregation.INCREASE)
    assert isinstance(series.histogram, HistogramColumns)
    assert series.histogram.bucket_counts.tolist() == [[0, 0], [1, 6]]


def test_an_absent_sum_is_unknown_and_not_0() -> None:
    reader = MemoryReader()
    reader.add(
        [
            at(5, explicit([1], [], 3.0)),
            at(15, explicit([2], [], None)),
            at(25, explicit([3], [], 5.0)),
            at(35, explicit([4], [], 6.0)),
        ]
    )
    sums = ask(reader, Aggregation.SUM)[0].values
    assert sums[0] == 3.0 and np.isnan(sums[1:3]).all() and sums[3] == 1.0
    (series,) = ask(reader, Aggregation.INCREASE)
    assert series.histogram is not None
    assert series.histogram.has_sum.tolist() == [True, False, False, True]


def test_avg_of_nothing_is_nan() -> None:
    reader = MemoryReader()
    reader.add([at(5, explicit([1, 0], [1], 1.0)), at(15, explicit([1, 0], [1], 1.0))])
    mean = ask(reader, Aggregation.AVG)[0].values
    assert mean[0] == 1.0 and math.isnan(mean[1])


def test_a_count_beyond_int64_becomes_float_and_is_flagged() -> None:
    reader = MemoryReader()
    for index in range(3):
        reader.add(
            [at(5, Histogram(2**63, 1.0)), at(15, Histogram(2**63 + 7, 1.0))],
            attributes={"i": index},
        )
    (series,) = ask(reader, Aggregation.COUNT, by=())
    assert series.values.tolist() == [3.0 * 2**63, 21.0]
    assert series.is_int is not None and series.is_int.tolist() == [False, True]
    assert series.overflowed


# ---- "MIN and MAX of points where present"


def test_min_and_max_are_those_of_the_points_that_have_them() -> None:
    reader = MemoryReader()
    reader.add(
        [
            at(3, explicit([1], [], 1.0, min=0.5, max=4.0)),
            at(5, explicit([2], [], 1.0)),
            at(15, explicit([3], [], 1.0)),
        ]
    )
    reader.add([at(6, explicit([1], [], 1.0, min=0.25, max=2.0))], attributes={"i": 1})
    assert rows(ask(reader, Aggregation.MIN, by=())) == [(10, 0.25)]
    assert rows(ask(reader, Aggregation.MAX, by=())) == [(10, 4.0)]
    assert ask(reader, Aggregation.MIN, start=T + 20 * S, by=()) == []


# ---- quantiles of explicit buckets


def quantile_of(value: Histogram | ExponentialHistogram, q: float) -> float:
    reader = MemoryReader()
    reader.add([at(5, value)], temporality="delta")
    ((_, found),) = rows(ask(reader, Aggregation.RAW, quantile=q))
    return found


def test_quantiles_are_linear_inside_a_bucket() -> None:
    assert quantile_of(explicit([0, 4, 0], [1, 3]), 0.25) == 1.5


def test_0_is_the_lower_bound_of_the_first_bucket_if_its_bound_is_positive() -> None:
    assert quantile_of(explicit([4, 0], [2]), 0.5) == 1.0
    assert quantile_of(explicit([4, 0], [-2]), 0.5) == -2.0


def test_the_last_finite_bound_stands_for_the_last_bucket() -> None:
    assert quantile_of(explicit([1, 9], [2]), 0.99) == 2.0


def test_the_maximum_stands_for_the_last_bucket_when_the_points_carry_it() -> None:
    assert quantile_of(explicit([1, 9], [2], max=7.5), 0.99) == 7.5
    reader = MemoryReader()
    reader.add([at(5, explicit([1, 9], [2], max=7.5))], temporality="delta")
    reader.add([at(5, explicit([1, 9], [2]))], temporality="delta", attributes={"i": 1})
    assert rows(ask(reader, Aggregation.P99, by=())) == [(10, 2.0)]


def test_a_quantile_of_nothing_is_nan() -> None:
    assert math.isnan(quantile_of(explicit([0, 0], [1]), 0.5))
    assert math.isnan(quantile_of(explicit([3], []), 0.5))
    assert math.isnan(quantile_of(Histogram(3, 1.0), 0.5))


@pytest.mark.parametrize(("q", "expected"), [(-1, -math.inf), (2, math.inf)])
def test_a_quantile_outside_0_to_1_is_infinite(q: float, expected: float) -> None:
    assert quantile_of(explicit([1, 1], [1]), q) == expected
    assert quantile_of(ExponentialHistogram(1, 1.0, 0, 0, 0, [1]), q) == expected


def test_different_sets_of_bounds_merge_at_the_bounds_they_share() -> None:
    reader = MemoryReader()
    reader.add([at(5, explicit([1, 2, 3, 4], [1, 2, 4]))])
    reader.add([at(5, explicit([10, 20, 30], [2, 8]))], attributes={"i": 1})
    (series,) = ask(reader, Aggregation.INCREASE, by=())
    assert isinstance(series.histogram, HistogramColumns)
    assert series.histogram.bounds.tolist() == [2]
    assert series.histogram.bucket_counts.tolist() == [[13, 57]]


def test_bounds_changed_without_a_reset_are_compared_at_what_they_share() -> None:
    reader = MemoryReader()
    reader.add([at(5, explicit([1, 2, 3], [1, 2])), at(15, explicit([4, 4, 3], [2, 8]))])
    assert rows(ask(reader, Aggregation.COUNT)) == [(10, 6), (20, 5)]
    (series,) = ask(reader, Aggregation.INCREASE, start=T + 20 * S)
    assert isinstance(series.histogram, HistogramColumns)
    assert series.histogram.bounds.tolist() == [2]
    assert series.histogram.bucket_counts.tolist() == [[1, 4]]


def test_a_stale_predecessor_is_replaced_by_the_value_before_it() -> None:
    reader = MemoryReader()
    reader.add(
        [
            at(-20, explicit([1, 2], [1], 3.0), 0),
            at(-1, STALE, 0),
            at(5, explicit([4, 2], [1], 5.0), 0),
        ]
    )
    (series,) = ask(reader, Aggregation.INCREASE)
    assert isinstance(series.histogram, HistogramColumns)
    assert series.histogram.bucket_counts.tolist() == [[3, 0]]
    assert series.histogram.sum.tolist() == [2.0]


# ---- exponential


def test_exponential_quantiles_are_geometric_inside_a_bucket() -> None:
    # Scale 0: bucket 1 is (2, 4]; half of it is at 2 * 2**0.5.
    assert quantile_of(ExponentialHistogram(4, 1.0, 0, 0, 1, [4]), 0.5) == pytest.approx(2**1.5)


def test_exponential_histograms_merge_at_the_smallest_scale() -> None:
    reader = MemoryReader()
    reader.add([at(5, ExponentialHistogram(6, 1.0, 1, 1, -1, [1, 2, 2]))])
    reader.add([at(5, ExponentialHistogram(3, 1.0, 0, 0, 0, [3]))], attributes={"i": 1})
    (series,) = ask(reader, Aggregation.INCREASE, by=())
    columns = series.histogram
    assert isinstance(columns, ExponentialHistogramColumns)
    assert columns.scale.tolist() == [0]
    assert columns.positive_offset.tolist() == [-1]
    assert columns.positive_counts.tolist() == [[1, 7]]
    assert columns.zero_count.tolist() == [1]


def test_sources_far_apart_at_a_fine_scale_merge_exactly() -> None:
    reader = MemoryReader()
    reader.add([at(5, ExponentialHistogram(1, 1.0, 20, 0, -(2**29), [1]))])
    reader.add([at(5, ExponentialHistogram(1, 1.0, 20, 0, 2**29, [1]))], attributes={"i": 1})
    ((_, low),) = rows(ask(reader, Aggregation.P50, by=()))
    ((_, high),) = rows(ask(reader, Aggregation.P99, by=()))
    assert low == pytest.approx(2**-512.0) and high == pytest.approx(2**512.0)
    (series,) = ask(reader, Aggregation.INCREASE, by=())
    assert isinstance(series.histogram, ExponentialHistogramColumns)
    assert series.histogram.positive_counts.sum() == 2
    assert series.histogram.positive_counts.shape[1] <= 4096


def test_the_greatest_zero_threshold_takes_in_what_lies_below_it() -> None:
    reader = MemoryReader()
    # Buckets (1/2, 1], (1, 2], (2, 4]; a threshold of 1.5 cuts the second and is raised to 2.
    reader.add([at(5, ExponentialHistogram(7, 1.0, 0, 1, -1, [1, 2, 3]))])
    reader.add([at(5, ExponentialHistogram(1, 1.0, 0, 1, zero_threshold=1.5))], attributes={"i": 1})
    (series,) = ask(reader, Aggregation.INCREASE, by=())
    columns = series.histogram
    assert isinstance(columns, ExponentialHistogramColumns)
    assert columns.zero_threshold.tolist() == [2.0]
    assert columns.zero_count.tolist() == [5]
    assert columns.positive_counts.tolist() == [[3]]


def test_a_zero_threshold_cuts_both_sides_alike() -> None:
    reader = MemoryReader()
    # Of the positive side nothing lies at the threshold; the negative (1, 2] is cut.
    reader.add([at(5, ExponentialHistogram(9, 1.0, 0, 0, -1, [1, 0, 3], 0, [2, 3]))])
    reader.add([at(5, ExponentialHistogram(0, 0.0, 0, zero_threshold=1.5))], attributes={"i": 1})
    (series,) = ask(reader, Aggregation.INCREASE, by=())
    columns = series.histogram
    assert isinstance(columns, ExponentialHistogramColumns)
    assert columns.zero_threshold.tolist() == [2.0] and columns.zero_count.tolist() == [3]
    assert columns.positive_counts.tolist() == [[3]]
    assert columns.negative_counts.tolist() == [[3]]


def test_a_threshold_that_grows_within_a_run_is_no_reset() -> None:
    reader = MemoryReader()
    reader.add(
        [
            at(5, ExponentialHistogram(3, 1.0, 0, 0, -1, [1, 2])),
            at(15, ExponentialHistogram(5, 1.0, 0, 1, 0, [4], zero_threshold=1.0)),
        ]
    )
    assert rows(ask(reader, Aggregation.COUNT)) == [(10, 3), (20, 2)]
    (series,) = ask(reader, Aggregation.INCREASE, start=T + 20 * S)
    columns = series.histogram
    assert isinstance(columns, ExponentialHistogramColumns)
    assert columns.zero_count.tolist() == [0] and columns.positive_counts.tolist() == [[2]]


def test_a_scale_that_falls_within_a_run_is_no_reset() -> None:
    reader = MemoryReader()
    reader.add(
        [
            at(5, ExponentialHistogram(3, 1.0, 2, 0, 4, [1, 2])),
            at(15, ExponentialHistogram(5, 1.0, 0, 0, 1, [4, 1])),
        ]
    )
    (series,) = ask(reader, Aggregation.INCREASE)
    columns = series.histogram
    assert isinstance(columns, ExponentialHistogramColumns)
    assert columns.scale.tolist() == [2, 0]
    assert columns.positive_counts.tolist() == [[1, 2], [1, 1]]


def test_a_stale_mark_yields_no_quantile() -> None:
    reader = MemoryReader()
    reader.add([at(5, explicit([1, 1], [1])), at(15, STALE)])
    assert [t for t, _ in rows(ask(reader, Aggregation.P99))] == [10]
    other = MemoryReader()
    other.add([at(5, ExponentialHistogram(1, 1.0, 0, 0, 0, [1])), at(15, STALE)])
    assert [t for t, _ in rows(ask(other, Aggregation.P99))] == [10]


# ---- summaries


def summary(*pairs: tuple[float, float], count: int = 1) -> Summary:
    return Summary(count, 5.0, pairs)


def test_a_stored_quantile_of_a_single_summary_is_answered() -> None:
    reader = MemoryReader()
    reader.add([at(4, summary((0.5, 1.0), (0.99, 8.0))), at(5, summary((0.5, 2.0), (0.99, 9.0)))])
    assert rows(ask(reader, Aggregation.P99)) == [(10, 9.0)]
    assert rows(ask(reader, Aggregation.P50, by=())) == [(10, 2.0)]


def test_other_questions_of_a_summary_are_a_query_error() -> None:
    reader = MemoryReader()
    reader.add([at(5, summary((0.5, 2.0), (0.99, 9.0)))], attributes={"i": 1})
    with pytest.raises(QueryError, match=r"computed the quantiles 0\.5, 0\.99; 0\.9 cannot"):
        ask(reader, Aggregation.P90)
    for name in ("SUM", "AVG", "MIN", "MAX", "COUNT", "RATE", "INCREASE"):
        with pytest.raises(QueryError, match=f"'m' is a summary: .*{name} cannot"):
            ask(reader, Aggregation[name])
    reader.add([at(5, summary((0.5, 2.0)))], attributes={"i": 2})
    with pytest.raises(QueryError, match="quantiles of several series cannot be merged"):
        ask(reader, Aggregation.P50, by=())
    assert len(ask(reader, Aggregation.P50)) == 2


def test_last_of_a_summary_is_its_last_point() -> None:
    reader = MemoryReader()
    reader.add([at(4, summary((0.5, 1.0))), at(15, summary((0.5, 2.0), count=7))])
    (series,) = ask(reader, Aggregation.LAST)
    assert rows([series]) == [(10, 1), (20, 7)]
    assert series.summary is not None and series.summary.values.tolist() == [[1.0], [2.0]]


# ---- against exact arithmetic

BOUNDS = [(1.0, 2.0, 5.0), (1.0, 5.0), (2.0, 5.0, 10.0), (-1.0, 2.0), ()]


@st.composite
def explicit_points(draw: st.DrawFn) -> list[Any]:
    times = draw(st.lists(st.integers(T - 20 * S, T + 70 * S), max_size=10, unique=True))
    points: list[Any] = []
    total: dict[tuple[float, ...], list[int]] = {}
    for time in sorted(times):
        bounds = draw(st.sampled_from(BOUNDS[:2] if points else BOUNDS))
        # Mostly growing, sometimes anything: resets that only the buckets tell.
        counts = total.get(bounds, [0] * (len(bounds) + 1))
        if draw(st.booleans()):
            counts = [count + draw(st.integers(0, 3)) for count in counts]
        else:
            counts = [draw(st.integers(0, 4)) for _ in counts]
        total[bounds] = counts
        start = draw(st.sampled_from([0, T - 30 * S, T + 15 * S]))
        stale = draw(st.integers(0, 9)) == 0
        points.append((time, start, None if stale else (bounds, tuple(counts))))
    return points


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(explicit_points(), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(3, 4), Fraction(1)]),
)
def test_explicit_histograms_agree_with_exact_arithmetic(
    members: list[Any], delta: bool, q: Fraction
) -> None:
    """Resets, gaps, changed bounds and merges, against lists and fractions."""
    reader = MemoryReader()
    found = []
    for index, points in enumerate(members):
        reader.add(
            [
                (t, s, STALE if v is None else explicit(list(v[1]), list(v[0])))
                for t, s, v in points
            ],
            kind=model.MetricKind.HISTOGRAM,
            temporality="delta" if delta else "cumulative",
            attributes={"i": index},
        )
        found += exact.increments(points, delta, exact.buckets_fell, exact.buckets_less)
    expected = []
    for t in exact.windows(T + 10 * S, T + 60 * S, 10 * S):
        inside = [value for time, value in found if t - 10 * S < time <= t]
        counted = [value for value in inside if value is not None]
        if inside:
            merged = exact.merged(counted) if counted else ((), (0,))
            expected.append((t, sum(merged[1]), exact.explicit_quantile(q, merged, None)))
    counts = ask(reader, Aggregation.COUNT, by=())
    quantiles = ask(reader, Aggregation.RAW, by=(), quantile=float(q))
    assert [t for one in counts for t in one.timestamps.tolist()] == [t for t, _, _ in expected]
    assert [v for one in counts for v in one.values.tolist()] == [c for _, c, _ in expected]
    values = [v for one in quantiles for v in one.values.tolist()]
    for value, (_, _, right) in zip(values, expected, strict=True):
        if right is None:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(float(right), rel=1e-12)


@st.composite
def exponential_points(draw: st.DrawFn) -> list[Any]:
    times = draw(st.lists(st.integers(T - 20 * S, T + 70 * S), max_size=8, unique=True))
    points: list[Any] = []
    vector: exact.Exponential = (3, 0, {}, {})
    for time in sorted(times):
        side = st.dictionaries(st.integers(-40, 40), st.integers(1, 5), max_size=4)
        fresh = (draw(st.integers(-1, 4)), draw(st.integers(0, 2)), draw(side), draw(side))
        vector = exact.combine(vector, fresh, 1) if draw(st.integers(0, 3)) else fresh
        start = draw(st.sampled_from([0, T - 30 * S, T + 15 * S]))
        points.append((time, start, vector))
    return points


def exponential(vector: exact.Exponential) -> ExponentialHistogram:
    scale, zeros, positive, negative = vector
    sides = []
    for side in (positive, negative):
        low, high = min(side, default=0), max(side, default=-1)
        sides.append((low if side else 0, [side.get(i, 0) for i in range(low, high + 1)]))
    count = zeros + sum(positive.values()) + sum(negative.values())
    return ExponentialHistogram(count, 0.0, scale, zeros, *sides[0], *sides[1])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(exponential_points(), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
)
def test_exponential_histograms_agree_with_exact_arithmetic(
    members: list[Any], delta: bool, q: float
) -> None:
    """Resets, mixed scales and merges, against dictionaries and fractions."""
    reader = MemoryReader()
    found = []
    for index, points in enumerate(members):
        reader.add(
            [(t, s, exponential(v)) for t, s, v in points],
            kind=model.MetricKind.EXPONENTIAL_HISTOGRAM,
            temporality="delta" if delta else "cumulative",
            attributes={"i": index},
        )
        found += exact.increments(
            points, delta, exact.exponential_fell, lambda new, old: exact.combine(new, old, -1)
        )
    expected = []
    for t in exact.windows(T + 10 * S, T + 60 * S, 10 * S):
        inside = [value for time, value in found if t - 10 * S < time <= t]
        counted = [value for value in inside if value is not None]
        if inside:
            merged: exact.Exponential | None = counted[0] if counted else None
            for value in counted[1:]:
                merged = exact.combine(merged, value, 1)
            expected.append((t, merged))
    quantiles = ask(reader, Aggregation.RAW, by=(), quantile=q)
    increases = ask(reader, Aggregation.INCREASE, by=())
    values = [v for one in quantiles for v in one.values.tolist()]
    assert len(values) == len(expected)
    for row, (value, (_, right)) in enumerate(zip(values, expected, strict=True)):
        wanted = None if right is None else exact.exponential_quantile(q, right)
        if wanted is None:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(wanted, rel=1e-12)
        if right is not None:
            columns = increases[0].histogram
            assert isinstance(columns, ExponentialHistogramColumns)
            assert columns.scale[row] == right[0] and columns.zero_count[row] == right[1]
            assert columns.positive_counts[row].sum() == sum(right[2].values())
            assert columns.negative_counts[row].sum() == sum(right[3].values())
