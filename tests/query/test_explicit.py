"""Explicit buckets: quantiles, increases, merges at the bounds that are shared."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from helpers import reference_query as exact
from helpers.memory_reader import STALE, MemoryReader
from helpers.questions import S, T, ask, at, explicit, only_floats, quantile_of
from hypothesis import given, settings
from hypothesis import strategies as st

from urpo_store import model
from urpo_store.model import (
    Aggregation,
    ExponentialHistogram,
    Histogram,
    HistogramColumns,
)


def test_a_bucket_that_falls_is_a_reset_although_the_count_grew() -> None:
    reader = MemoryReader()
    reader.add([at(5, explicit([5, 0], [1], 9.0), 0), at(15, explicit([1, 6], [1], 4.0), 0)])
    assert only_floats(ask(reader, Aggregation.COUNT)) == [(10, 0), (20, 7)]
    (series,) = ask(reader, Aggregation.INCREASE)
    assert isinstance(series.histogram, HistogramColumns)
    assert series.histogram.bucket_counts.tolist() == [[0, 0], [1, 6]]


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
    assert only_floats(ask(reader, Aggregation.P99, by=())) == [(10, 2.0)]


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
    assert only_floats(ask(reader, Aggregation.COUNT)) == [(10, 6), (20, 5)]
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


def test_a_stale_mark_yields_no_quantile() -> None:
    reader = MemoryReader()
    reader.add([at(5, explicit([1, 1], [1])), at(15, STALE)])
    assert [t for t, _ in only_floats(ask(reader, Aggregation.P99))] == [10]
    other = MemoryReader()
    other.add([at(5, ExponentialHistogram(1, 1.0, 0, 0, 0, [1])), at(15, STALE)])
    assert [t for t, _ in only_floats(ask(other, Aggregation.P99))] == [10]


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
