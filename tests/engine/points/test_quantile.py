"""Quantiles of bucket vectors against the formulas written out in fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import pytest
from drivers.bucket_quantiles import (
    explicit_quantile,
    exponential_quantile,
    merge_explicit,
)
from hypothesis import given
from hypothesis import strategies as st


def reference_explicit(q: float, bounds: Sequence[float], counts: Sequence[int]) -> float:
    rank = Fraction(q) * sum(counts)
    i = next(i for i, count in enumerate(counts) if count and sum(counts[: i + 1]) >= rank)
    below, count = sum(counts[:i]), counts[i]
    if i == len(bounds):
        return bounds[-1]
    if i == 0 and bounds[0] <= 0:
        return bounds[0]
    low = Fraction(bounds[i - 1]) if i else Fraction(0)
    return float(low + (Fraction(bounds[i]) - low) * (rank - below) / count)


vectors = st.lists(st.integers(-5, 50), min_size=1, max_size=8, unique=True).flatmap(
    lambda bounds: st.tuples(
        st.just([float(b) for b in sorted(bounds)]),
        st.lists(
            st.sampled_from([0, 0, 1, 2, 20]), min_size=len(bounds) + 1, max_size=len(bounds) + 1
        ),
    )
)


@given(vectors, st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
def test_explicit_is_linear_inside_a_bucket(
    vector: tuple[list[float], list[int]], q: float
) -> None:
    bounds, counts = vector
    got = explicit_quantile(q, bounds, counts)
    if sum(counts) == 0:
        assert math.isnan(got)
    else:
        assert got == pytest.approx(reference_explicit(q, bounds, counts), rel=1e-12, abs=1e-12)


def test_explicit_empty_buckets_hold_no_quantile() -> None:
    assert explicit_quantile(1.0, [1.0, 2.0, 3.0], [4, 0, 0, 0]) == 1.0
    assert explicit_quantile(0.0, [1.0, 2.0, 3.0], [0, 4, 0, 0]) == 1.0
    assert explicit_quantile(0.5, [1.0, 2.0, 3.0], [4, 0, 0, 4]) == 1.0


def test_explicit_first_bucket_begins_at_zero_if_its_bound_is_positive() -> None:
    assert explicit_quantile(0.5, [4.0, 8.0], [10, 0, 0]) == 2.0


def test_explicit_first_bucket_without_lower_bound_is_its_bound() -> None:
    assert explicit_quantile(0.5, [-1.0, 8.0], [10, 0, 0]) == -1.0


def test_explicit_last_bucket_is_the_last_finite_bound_or_the_maximum() -> None:
    assert explicit_quantile(0.99, [1.0, 2.0], [1, 1, 98]) == 2.0
    assert explicit_quantile(0.99, [1.0, 2.0], [1, 1, 98], maximum=7.5) == 7.5
    # A maximum below the last bound contradicts the buckets: the bound stays.
    assert explicit_quantile(0.99, [1.0, 2.0], [1, 1, 98], maximum=0.5) == 2.0


def test_nothing_to_count_is_nan() -> None:
    assert math.isnan(explicit_quantile(0.5, [1.0], [0, 0]))
    assert math.isnan(explicit_quantile(0.5, [], [9]))
    assert math.isnan(exponential_quantile(0.5, 3, 0, 0.0, 0, [0, 0]))


def test_quantile_outside_its_range() -> None:
    assert explicit_quantile(-0.1, [1.0], [1, 0]) == -math.inf
    assert explicit_quantile(1.1, [1.0], [1, 0]) == math.inf
    assert math.isnan(explicit_quantile(math.nan, [1.0], [1, 0]))
    assert exponential_quantile(-0.1, 0, 0, 0.0, 0, [1]) == -math.inf
    assert exponential_quantile(1.1, 0, 0, 0.0, 0, [1]) == math.inf


def test_counts_must_fit_bounds() -> None:
    with pytest.raises(ValueError, match="give 2 counts"):
        explicit_quantile(0.5, [1.0], [1])


def test_exponential_is_geometric_inside_a_bucket() -> None:
    # Scale 0: bucket 3 is (8, 16]; half of it in logarithms is 8 * 2**0.5.
    assert exponential_quantile(0.5, 0, 0, 0.0, 3, [10]) == pytest.approx(8 * 2**0.5)
    assert exponential_quantile(1.0, 0, 0, 0.0, 3, [10]) == 16.0
    # Scale 1: base 2**0.5; scale -1: base 4.
    assert exponential_quantile(0.5, 1, 0, 0.0, 4, [10]) == pytest.approx(2 ** (4.5 / 2))
    assert exponential_quantile(0.5, -1, 0, 0.0, 2, [10]) == pytest.approx(4**2.5)


def test_exponential_zero_bucket_is_linear() -> None:
    assert exponential_quantile(0.5, 0, 10, 0.25, 0, []) == 0.125
    assert exponential_quantile(0.25, 0, 10, 0.25, 0, [10]) == 0.125
    # With negatives only the zero bucket ends at 0, with both it spans the threshold.
    assert exponential_quantile(1.0, 0, 10, 0.25, 0, [], 0, [10]) == 0.0
    assert exponential_quantile(0.5, 0, 10, 0.25, 0, [5], 0, [5]) == 0.0


def test_exponential_negative_buckets_stand_upside_down() -> None:
    # Values -8..-4 (5) and -4..-2 (5): the lower half is the larger bucket.
    assert exponential_quantile(0.5, 0, 0, 0.0, 0, [], 1, [5, 5]) == -4.0
    assert exponential_quantile(0.0, 0, 0, 0.0, 0, [], 1, [5, 5]) == -8.0


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(-3, 12), st.integers(-40, 40)
)
def test_exponential_quantiles_rise_and_stay_inside(
    counts: list[int], scale: int, offset: int
) -> None:
    if not any(counts):
        return
    values = [exponential_quantile(q / 20, scale, 0, 0.0, offset, counts) for q in range(21)]
    base = 2.0 ** (2.0**-scale)
    first = next(i for i, c in enumerate(counts) if c)
    last = max(i for i, c in enumerate(counts) if c)
    assert values == sorted(values)
    assert values[0] == pytest.approx(base ** (offset + first))
    assert values[-1] == pytest.approx(base ** (offset + last + 1))


def test_merge_keeps_only_the_bounds_both_have() -> None:
    bounds, counts = merge_explicit([1, 2, 4], [1, 2, 3, 4], [2, 3, 4], [10, 20, 30, 40])
    assert bounds == [2, 4]
    assert counts == [1 + 2 + 10, 3 + 20 + 30, 4 + 40]


@given(vectors, vectors)
def test_merge_counts_what_is_below_each_shared_bound(
    first: tuple[list[float], list[int]], second: tuple[list[float], list[int]]
) -> None:
    bounds, counts = merge_explicit(*first, *second)
    assert bounds == sorted(set(first[0]) & set(second[0]))
    for i, bound in enumerate(bounds):
        expected = sum(sum(vector[: of.index(bound) + 1]) for of, vector in (first, second))
        assert sum(counts[: i + 1]) == expected
    assert sum(counts) == sum(first[1]) + sum(second[1])
