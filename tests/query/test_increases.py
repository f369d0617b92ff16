"""docs/queries.md, "INCREASE": RATE, INCREASE, and the SUM of counters and deltas."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers.memory_reader import STALE, MemoryReader
from helpers.questions import S, T, ask, counter, gauge, only, rows
from helpers.reference_query import increase_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from urpo_store.model import Aggregation, Counter, MetricKind, UpDownCounter


def test_increase_is_the_sum_of_points_less_their_predecessors() -> None:
    reader = MemoryReader()
    reader.add(counter((1, 10), (5, 12), (10, 15), (14, 21), start=T))
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 15), (20, 6)]


def test_the_predecessor_counts_however_old_it_is() -> None:
    reader = MemoryReader()
    reader.add(counter((-900, 100), (35, 107)))
    assert only(ask(reader, Aggregation.INCREASE)) == [(40, 7)]


def test_a_gap_is_counted_where_the_next_point_stands() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 10), (45, 50), start=T))
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 10), (50, 40)]


def test_the_predecessor_is_zero_where_the_start_time_shows_a_reset() -> None:
    reader = MemoryReader()
    points = counter((5, 10), start=T) + counter((15, 12), (18, 13), start=T + 11 * S)
    reader.add(points)
    # 12 > 10: only the new start tells that these are another process' requests.
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 10), (20, 13)]


def test_the_predecessor_is_zero_for_a_first_point_with_a_start_time() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 10), start=T + S))
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 10)]


@pytest.mark.parametrize("start", [0, T + 5 * S, T + 6 * S])
def test_a_first_point_with_unknown_start_is_only_a_baseline(start: int) -> None:
    reader = MemoryReader()
    reader.add(counter((5, 1000), start=start) + counter((15, 1003), start=min(start, T + 5 * S)))
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 0), (20, 3)]


def test_a_value_that_falls_without_a_new_start_time_is_a_reset_too() -> None:
    reader = MemoryReader()
    reader.add(counter((-5, 90), (5, 100), (15, 4), (25, 9)))
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 10), (20, 4), (30, 5)]


def test_a_start_time_that_becomes_known_is_no_reset() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 10)) + counter((15, 12), start=T))
    reader.add(counter((5, 10)) + counter((15, 12), start=T + 5 * S), attributes={"i": 1})
    for series in ask(reader, Aggregation.INCREASE):
        assert rows(series) == [(10, 0), (20, 2)]


def test_a_start_after_the_predecessor_is_a_reset_even_if_its_start_is_unknown() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 10)) + counter((15, 12), start=T + 6 * S))
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 0), (20, 12)]


def test_one_start_shows_a_reset_where_it_lies_between_two_points() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 1), (10, 3), start=T + 8 * S))
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 3)]


def test_a_double_that_is_only_a_baseline_makes_a_row_of_doubles() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 1.0)))
    (series,) = ask(reader, Aggregation.INCREASE)
    assert (series.values.tolist(), series.is_int) == ([0.0], None)


def test_runs_end_where_the_type_changes() -> None:
    reader = MemoryReader()
    points = [(t, float(t)) for t in range(20)] + [(t, t) for t in range(20, 40)]
    reader.add(counter(*points, *((t, t + 0.5) for t in range(40, 60)), start=T - S))
    assert only(ask(reader, Aggregation.INCREASE, by=())) == [
        (10, 10), (20, 10), (30, 10), (40, 10.5), (50, 10), (60, 9)
    ]  # fmt: skip


def test_late_points_count_where_they_belong() -> None:
    reader = MemoryReader()
    points = counter((5, 10), (25, 30), (15, 18), start=T)
    reader.add(points)
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 10), (20, 8), (30, 12)]


def test_a_delta_counts_as_it_is() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 10), (15, 3), (16, 4)), temporality="delta")
    for aggregation in (Aggregation.INCREASE, Aggregation.SUM):
        assert only(ask(reader, aggregation)) == [(10, 10), (20, 7)]


def test_rate_is_increase_per_second_of_step() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 10), (15, 13), start=T))
    (series,) = ask(reader, Aggregation.RATE)
    assert rows(series) == [(10, 1.0), (20, 0.3)]
    assert series.int_values is None


def test_rate_does_not_extrapolate() -> None:
    reader = MemoryReader()
    reader.add(counter((9.9, 10), start=int(T + 9.8 * S)))
    assert only(ask(reader, Aggregation.RATE)) == [(10, 1.0)]


def test_an_up_down_counter_may_fall() -> None:
    reader = MemoryReader()
    points = [(T + t * S, T, UpDownCounter(v)) for t, v in ((5, 10), (15, 4), (25, 6))]
    reader.add(points)
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 10), (20, -6), (30, 2)]


@pytest.mark.parametrize("marks", [(-2,), (-3, -2, -1)])
def test_increase_looks_behind_stale_marks_for_the_predecessor(marks: tuple[int, ...]) -> None:
    reader = MemoryReader()
    reader.add(counter((-100, 40), *((t, None) for t in marks), (5, 50)))
    reader.add(counter((-2, None), (5, 50)), attributes={"i": 1})
    first, second = ask(reader, Aggregation.INCREASE)
    assert rows(first) == [(10, 10)]
    assert rows(second) == [(10, 0)]


def test_increase_looks_behind_stale_marks_inside_the_range() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 10), (15, None), (25, 17), start=T))
    assert only(ask(reader, Aggregation.INCREASE)) == [(10, 10), (30, 7)]


def test_a_difference_of_int64_does_not_wrap() -> None:
    reader = MemoryReader()
    reader.add([(T + 5 * S, T, UpDownCounter(-(2**63))), (T + 15 * S, T, UpDownCounter(2**63 - 1))])
    (series,) = ask(reader, Aggregation.INCREASE)
    assert series.values.tolist() == [-(2.0**63), 2.0**64]
    assert series.overflowed


def test_int_and_double_compare_as_the_numbers_they_are() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 2**53 + 1), (6, 2.0**53)))
    assert only(ask(reader, Aggregation.MAX)) == [(10, 2**53 + 1)]
    assert only(ask(reader, Aggregation.MIN)) == [(10, 2.0**53)]


@pytest.mark.parametrize("kind", [MetricKind.COUNTER, MetricKind.UP_DOWN_COUNTER])
@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_what_is_no_finite_number_shows_in_an_increase(kind: MetricKind, odd: float) -> None:
    """Windows of many points are summed up by their ends, where all between are finite."""
    values = [float(t) for t in range(60)]
    values[15], values[35] = odd, -math.inf if math.isinf(odd) else odd
    values[45:47] = [odd, odd]
    make = Counter if kind is MetricKind.COUNTER else UpDownCounter
    reader = MemoryReader()
    reader.add([(T + t * S, 0, make(v)) for t, v in enumerate(values)], kind=kind)
    sums: dict[int, float] = {}
    for t in range(1, 60):
        fell = kind is MetricKind.COUNTER and values[t] < values[t - 1]
        instant = max(10, -(-t // 10) * 10)
        sums[instant] = sums.get(instant, 0.0) + values[t] - (0.0 if fell else values[t - 1])
    answer = only(ask(reader, Aggregation.INCREASE))
    assert [t for t, _ in answer] == list(sums)
    np.testing.assert_array_equal([v for _, v in answer], list(sums.values()))


def test_sum_of_a_counter_is_its_increase() -> None:
    reader = MemoryReader()
    reader.add(counter((-3, 10), (8, 20)), attributes={"i": 1})
    reader.add(counter((7, 5), (14, 6), start=T), attributes={"i": 2})
    assert only(ask(reader, Aggregation.SUM, by=())) == [(10, 15), (20, 1)]


def test_sum_of_delta_up_down_counters_is_what_they_add_up_to() -> None:
    reader = MemoryReader()
    reader.add(
        [(T + t * S, 0, UpDownCounter(v)) for t, v in ((3, 5), (8, -2), (14, 1))],
        temporality="delta",
    )
    assert only(ask(reader, Aggregation.SUM)) == [(10, 3), (20, 1)]
    assert only(ask(reader, Aggregation.LAST)) == [(10, -2), (20, 1)]


NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 100),
    st.floats(-1e9, 1e9),
    st.integers(2**53 - 2, 2**53 + 2).map(float),
)


@st.composite
def series_points(draw: st.DrawFn) -> list[Any]:
    times = draw(st.lists(st.integers(T - 30 * S, T + 70 * S), max_size=14, unique=True))
    points = []
    for time in times:
        start = draw(st.sampled_from([0, 0, T - 40 * S, T + 9 * S, T + 31 * S, time, time - S]))
        points.append((time, start, draw(st.one_of(st.none(), NUMBERS))))
    return points


@st.composite
def long_runs(draw: st.DrawFn) -> list[Any]:
    """Points as real sums have them: one start, one type, steps that now and then fall."""
    start = draw(st.sampled_from([0, T - 40 * S, T + 9 * S]))
    time, value = T - 5 * S, draw(st.sampled_from([0, 0.5, 2**62, 2.0**53]))
    points = []
    for wait, step in draw(
        st.lists(st.tuples(st.integers(1, 4 * S), st.integers(-1, 9)), min_size=5, max_size=40)
    ):
        time, value = time + wait, value + step
        points.append((time, start, value))
    return points


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.one_of(series_points(), long_runs()), min_size=1, max_size=4),
    st.sampled_from([("cumulative", True), ("cumulative", False), ("delta", True)]),
    st.integers(1, 25),
)
def test_increase_and_rate_agree_with_exact_arithmetic(
    members: list[Any], sort: tuple[str, bool], step: int
) -> None:
    """INCREASE and RATE with resets, gaps, late points, stale marks, ints and doubles mixed."""
    temporality, monotonic = sort
    kind = MetricKind.COUNTER if monotonic else MetricKind.UP_DOWN_COUNTER
    make = Counter if monotonic else UpDownCounter
    reader = MemoryReader()
    for index, points in enumerate(members):
        reader.add(
            [(t, s, STALE if v is None else make(v)) for t, s, v in points],
            kind=kind,
            temporality=temporality,
            attributes={"i": index},
        )
    start, end, length = T + 10 * S, T + 60 * S, step * S
    expected = increase_rows(
        members, start, end, length, delta=temporality == "delta", monotonic=monotonic
    )
    answer = ask(reader, Aggregation.INCREASE, by=(), step=length)
    found = [(t, v) for one in answer for t, v in rows(one)]
    assert [t for t, _ in found] == [(t - T) / S for t, _ in expected]
    largest = max((abs(v) for p in members for _, _, v in p if v is not None), default=0)
    for (_, value), (_, exact) in zip(found, expected, strict=True):
        if isinstance(value, int):
            assert value == exact
        else:
            assert abs(Fraction(value) - exact) <= (Fraction(largest) * 4 + abs(exact)) / 2**52
    rates = ask(reader, Aggregation.RATE, by=(), step=length)
    for one, other in zip(answer, rates, strict=True):
        np.testing.assert_array_equal(other.values, one.values / step)
