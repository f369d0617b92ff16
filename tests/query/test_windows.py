"""SEMANTICS "Aggregations": windows, increases, groups of gauges and sums."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers.memory_reader import STALE, MemoryReader
from helpers.reference_query import increase_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from urpo_store import model
from urpo_store.errors import QueryError
from urpo_store.model import Aggregation, Counter, Gauge, MetricKind, MetricQuery, UpDownCounter

S = 10**9
T = 1_000 * S


def ask(reader: MemoryReader, aggregation: Aggregation, **options: Any) -> list[model.MetricSeries]:
    fields = {"start": T + 10 * S, "end": T + 60 * S, "step": "10s"} | options
    return list(reader.query(MetricQuery("m", aggregation=aggregation, **fields)))


def rows(series: model.MetricSeries) -> list[tuple[float, float]]:
    """(seconds after T, value), exact ints where there are."""
    values: list[Any] = series.values.tolist()
    if series.is_int is not None and series.int_values is not None:
        for index in np.flatnonzero(series.is_int):
            values[index] = int(series.int_values[index])
    return [((t - T) / S, v) for t, v in zip(series.timestamps.tolist(), values, strict=True)]


def only(answer: list[model.MetricSeries]) -> list[tuple[float, float]]:
    assert len(answer) == 1
    return rows(answer[0])


def counter(*points: tuple[float, float | int | None], start: int = 0) -> list[Any]:
    return [(int(T + t * S), start, STALE if v is None else Counter(v)) for t, v in points]


def gauge(*points: tuple[float, float | int | None]) -> list[Any]:
    return [(int(T + t * S), 0, STALE if v is None else Gauge(v)) for t, v in points]


# ---- "Instants t = start, start + step, ... <= end; the window is (t - step, t]"


def test_a_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    reader = MemoryReader()
    reader.add(gauge((0, 1), (0.000000001, 2), (10, 4), (10.000000001, 8), (20, 16)))
    answer = ask(reader, Aggregation.AVG, end=T + 20 * S)
    assert only(answer) == [(10, 3.0), (20, 12.0)]


def test_instants_begin_at_start_and_none_is_later_than_end() -> None:
    reader = MemoryReader()
    reader.add(gauge(*((t, t) for t in range(0, 100))))
    answer = ask(reader, Aggregation.LAST, start=T + 7 * S, end=T + 36 * S)
    assert only(answer) == [(7, 7), (17, 17), (27, 27)]
    assert answer[0].start_timestamps.tolist() == [T - 3 * S, T + 7 * S, T + 17 * S]


def test_a_window_without_points_gives_no_row() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1), (55, 2)))
    assert only(ask(reader, Aggregation.LAST)) == [(10, 1), (60, 2)]
    assert ask(reader, Aggregation.LAST, start=T + 1000 * S, end=T + 2000 * S) == []


def test_windows_far_apart_are_found_by_division() -> None:
    reader = MemoryReader()
    reader.add(gauge((1, 1), (9, 2), (11, 3), (9_990, 4), (9_991, 5)))
    answer = ask(reader, Aggregation.COUNT, end=T + 10_000 * S)
    assert only(answer) == [(10, 2), (20, 1), (9_990, 1), (10_000, 1)]


def test_step_is_required_except_for_raw_and_last() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1)))
    for aggregation in Aggregation:
        if aggregation in (Aggregation.RAW, Aggregation.LAST):
            assert len(ask(reader, aggregation, step=None, start=T)) == 1
        else:
            with pytest.raises(QueryError, match=f"{aggregation.name} needs a step"):
                ask(reader, aggregation, step=None)
    with pytest.raises(QueryError, match=r"quantile=0\.5 needs a step"):
        ask(reader, Aggregation.RAW, step=None, quantile=0.5)


def test_last_without_step_is_the_last_point_of_the_range() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 1), (25, 2), (70, 3), start=T))
    (series,) = ask(reader, Aggregation.LAST, step=None)
    assert rows(series) == [(25, 2)]
    assert series.start_timestamps.tolist() == [T]


def test_last_without_step_of_a_group_stands_at_its_newest_point() -> None:
    reader = MemoryReader()
    reader.add(counter((15, 1), (25, 2)), attributes={"i": 1})
    reader.add(counter((17, 10)), attributes={"i": 2})
    (series,) = ask(reader, Aggregation.LAST, step=None, by=())
    assert rows(series) == [(25, 12)]


# ---- INCREASE


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


# ---- stale marks


def test_a_stale_mark_is_no_value_in_an_aggregation() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1), (6, 3), (7, None), (15, None), (25, 7), (26, None)))
    assert only(ask(reader, Aggregation.AVG)) == [(10, 2.0), (30, 7.0)]
    assert only(ask(reader, Aggregation.COUNT)) == [(10, 2), (30, 1)]


def test_last_and_sum_leave_out_a_series_whose_newest_point_is_stale() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1), (15, 2), (16, None), (25, 3)))
    for aggregation in (Aggregation.LAST, Aggregation.SUM):
        assert only(ask(reader, aggregation)) == [(10, 1), (30, 3)]
    assert ask(reader, Aggregation.LAST, step=None, end=T + 18 * S) == []


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


# ---- int64


def test_int64_stays_exact() -> None:
    big = 2**60 + 1
    reader = MemoryReader()
    reader.add(counter((5, big), (15, big + 3), start=T))
    expected = {
        Aggregation.LAST: [(10, big), (20, big + 3)],
        Aggregation.SUM: [(10, big), (20, 3)],
        Aggregation.INCREASE: [(10, big), (20, 3)],
    }
    for aggregation, found in expected.items():
        (series,) = ask(reader, aggregation)
        assert rows(series) == found
        assert series.is_int is not None and series.is_int.all() and not series.overflowed
    gauges = MemoryReader()
    gauges.add(gauge((5, -big), (6, big), (7, 2**63 - 1), (8, -(2**63))))
    assert only(ask(gauges, Aggregation.MAX)) == [(10, 2**63 - 1)]
    assert only(ask(gauges, Aggregation.MIN)) == [(10, -(2**63))]
    (raw,) = ask(gauges, Aggregation.RAW, start=T)
    assert raw.int_values is not None
    assert raw.int_values.tolist() == [-big, big, 2**63 - 1, -(2**63)]


def test_an_overflow_becomes_float_and_is_flagged() -> None:
    reader = MemoryReader()
    for index in range(3):
        reader.add(gauge((5, 2**62), (15, 1)), attributes={"i": index})
    (series,) = ask(reader, Aggregation.SUM, by=())
    assert series.values.tolist() == [3.0 * 2**62, 3.0]
    assert series.is_int is not None and series.is_int.tolist() == [False, True]
    assert series.overflowed


def test_an_intermediate_overflow_is_none() -> None:
    reader = MemoryReader()
    for index, value in enumerate((2**63 - 1, 5, -(2**63 - 1))):
        reader.add(gauge((5, value)), attributes={"i": index})
    (series,) = ask(reader, Aggregation.SUM, by=())
    assert rows(series) == [(10, 5)] and not series.overflowed


def test_a_difference_of_int64_does_not_wrap() -> None:
    reader = MemoryReader()
    reader.add([(T + 5 * S, T, UpDownCounter(-(2**63))), (T + 15 * S, T, UpDownCounter(2**63 - 1))])
    (series,) = ask(reader, Aggregation.INCREASE)
    assert series.values.tolist() == [-(2.0**63), 2.0**64]
    assert series.overflowed


def test_int_and_double_in_one_stream() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 2**53 + 1), (6, 2.0**53 + 4), (15, 2**53 + 7), start=T))
    (series,) = ask(reader, Aggregation.INCREASE)
    assert series.values.tolist() == [2.0**53 + 4, 3.0]
    assert series.is_int is None
    (last,) = ask(reader, Aggregation.LAST)
    assert rows(last) == [(10, 2.0**53 + 4), (20, 2**53 + 7)]
    assert last.is_int is not None and last.is_int.tolist() == [False, True]


def test_int_and_double_compare_as_the_numbers_they_are() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 2**53 + 1), (6, 2.0**53)))
    assert only(ask(reader, Aggregation.MAX)) == [(10, 2**53 + 1)]
    assert only(ask(reader, Aggregation.MIN)) == [(10, 2.0**53)]


def test_many_small_increments_beside_a_large_one_are_all_there() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1e17)), attributes={"i": -1})
    for index in range(200):
        reader.add(gauge((5, 0.25)), attributes={"i": index})
    (series,) = ask(reader, Aggregation.SUM, by=())
    assert series.values.tolist() == [1e17 + 50]


# ---- NaN and infinities


def test_nan_is_a_value_of_sums_and_no_extreme() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1.0), (6, math.nan), (7, 3.0), (15, math.nan)))
    assert np.isnan(ask(reader, Aggregation.AVG)[0].values).all()
    assert ask(reader, Aggregation.MIN)[0].values.tolist()[0] == 1.0
    assert ask(reader, Aggregation.MAX)[0].values.tolist()[0] == 3.0
    assert math.isnan(ask(reader, Aggregation.MAX)[0].values[1])
    assert only(ask(reader, Aggregation.COUNT)) == [(10, 3), (20, 1)]
    assert ask(reader, Aggregation.P50)[0].values.tolist()[0] == 2.0


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


def test_infinities_add_up_as_such() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, math.inf), (15, math.inf)), attributes={"i": 1})
    reader.add(gauge((5, 1.0), (15, -math.inf)), attributes={"i": 2})
    (series,) = ask(reader, Aggregation.SUM, by=())
    assert series.values[0] == math.inf and math.isnan(series.values[1])


# ---- gauges and groups


def test_last_of_a_group_of_gauges_is_the_newest_value() -> None:
    reader = MemoryReader()
    reader.add(gauge((3, 1), (8, 2)), attributes={"i": 1})
    reader.add(gauge((7, 5), (14, 6)), attributes={"i": 2})
    reader.add(gauge((14, 7)), attributes={"i": 3})
    assert only(ask(reader, Aggregation.LAST, by=())) == [(10, 2), (20, 7)]


def test_sum_of_gauges_adds_the_last_value_of_each_series() -> None:
    reader = MemoryReader()
    reader.add(gauge((3, 1), (8, 2)), attributes={"i": 1})
    reader.add(gauge((7, 5), (14, 6)), attributes={"i": 2})
    assert only(ask(reader, Aggregation.SUM, by=())) == [(10, 7), (20, 6)]


def test_avg_min_max_count_and_quantiles_take_every_value() -> None:
    reader = MemoryReader()
    reader.add(gauge((3, 1), (8, 2)), attributes={"i": 1})
    reader.add(gauge((7, 6)), attributes={"i": 2})
    assert only(ask(reader, Aggregation.AVG, by=())) == [(10, 3.0)]
    assert only(ask(reader, Aggregation.MIN, by=())) == [(10, 1)]
    assert only(ask(reader, Aggregation.MAX, by=())) == [(10, 6)]
    assert only(ask(reader, Aggregation.COUNT, by=())) == [(10, 3)]
    assert only(ask(reader, Aggregation.P50, by=())) == [(10, 2.0)]
    assert only(ask(reader, Aggregation.RAW, by=(), quantile=0.25)) == [(10, 1.5)]


@pytest.mark.parametrize(("q", "expected"), [(-0.1, -math.inf), (1.1, math.inf), (0, 1), (1, 6)])
def test_a_quantile_below_0_is_minus_infinity_and_above_1_infinity(
    q: float, expected: float
) -> None:
    reader = MemoryReader()
    reader.add(gauge((3, 1), (8, 2), (9, 6)))
    assert only(ask(reader, Aggregation.RAW, quantile=q)) == [(10, expected)]


def test_an_up_down_counter_is_read_as_a_gauge_is() -> None:
    """The last value of each series for LAST and SUM, every value for the rest."""
    reader = MemoryReader()
    for index, points in enumerate([((3, 1), (8, 2), (14, 9)), ((7, 6),)]):
        reader.add([(T + t * S, T, UpDownCounter(v)) for t, v in points], attributes={"i": index})
    expected = {
        Aggregation.LAST: [(10, 2), (20, 9)],
        Aggregation.SUM: [(10, 8), (20, 9)],
        Aggregation.AVG: [(10, 3.0), (20, 9.0)],
        Aggregation.MIN: [(10, 1), (20, 9)],
        Aggregation.MAX: [(10, 6), (20, 9)],
        Aggregation.COUNT: [(10, 3), (20, 1)],
        Aggregation.P50: [(10, 2.0), (20, 9.0)],
    }
    for aggregation, found in expected.items():
        assert only(ask(reader, aggregation, by=())) == found, aggregation


def test_last_of_a_counter_group_is_the_sum_of_the_last_totals() -> None:
    reader = MemoryReader()
    reader.add(counter((3, 10), (8, 20)), attributes={"i": 1})
    reader.add(counter((7, 5), (14, 6)), attributes={"i": 2})
    assert only(ask(reader, Aggregation.LAST, by=())) == [(10, 25), (20, 6)]


def test_sum_of_a_counter_is_its_increase() -> None:
    reader = MemoryReader()
    reader.add(counter((-3, 10), (8, 20)), attributes={"i": 1})
    reader.add(counter((7, 5), (14, 6), start=T), attributes={"i": 2})
    assert only(ask(reader, Aggregation.SUM, by=())) == [(10, 15), (20, 1)]


def test_count_of_a_counter_is_its_points() -> None:
    reader = MemoryReader()
    reader.add(counter((3, 10), (8, 20)))
    assert only(ask(reader, Aggregation.COUNT)) == [(10, 2)]


@pytest.mark.parametrize("name", ["AVG", "MIN", "MAX", "P50", "P99"])
def test_avg_min_max_and_quantiles_of_a_counter_are_a_query_error(name: str) -> None:
    reader = MemoryReader()
    reader.add(counter((3, 10)))
    with pytest.raises(QueryError, match=r"'m' is a counter, and .* Ask for RATE"):
        ask(reader, Aggregation[name])


@pytest.mark.parametrize("name", ["RATE", "INCREASE"])
def test_a_gauge_has_no_increase(name: str) -> None:
    reader = MemoryReader()
    reader.add(gauge((3, 10)))
    with pytest.raises(QueryError, match=rf"'m' is a gauge: .* has no {name}\. Ask for LAST"):
        ask(reader, Aggregation[name])


def test_sum_of_delta_up_down_counters_is_what_they_add_up_to() -> None:
    reader = MemoryReader()
    reader.add(
        [(T + t * S, 0, UpDownCounter(v)) for t, v in ((3, 5), (8, -2), (14, 1))],
        temporality="delta",
    )
    assert only(ask(reader, Aggregation.SUM)) == [(10, 3), (20, 1)]
    assert only(ask(reader, Aggregation.LAST)) == [(10, -2), (20, 1)]


# ---- against exact arithmetic

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
