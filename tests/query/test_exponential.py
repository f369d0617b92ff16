"""Exponential buckets: quantiles, increases, merges at the smallest scale."""

from __future__ import annotations

import math
from typing import Any

import pytest
from helpers import reference_query as exact
from helpers.memory_reader import MemoryReader
from helpers.questions import S, T, ask, at, only_floats, quantile_of
from hypothesis import given, settings
from hypothesis import strategies as st

from urpo_store import model
from urpo_store.model import (
    Aggregation,
    ExponentialHistogram,
    ExponentialHistogramColumns,
)


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
    ((_, low),) = only_floats(ask(reader, Aggregation.P50, by=()))
    ((_, high),) = only_floats(ask(reader, Aggregation.P99, by=()))
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
    assert only_floats(ask(reader, Aggregation.COUNT)) == [(10, 3), (20, 2)]
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
