"""docs/queries.md, "Aggregations": gauges and sums, single and in groups."""

from __future__ import annotations

import math

import numpy as np
from helpers.memory_reader import MemoryReader
from helpers.questions import S, T, ask, counter, gauge, only, rows

from urpo_store.model import Aggregation, UpDownCounter


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


def test_int_and_double_in_one_stream() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 2**53 + 1), (6, 2.0**53 + 4), (15, 2**53 + 7), start=T))
    (series,) = ask(reader, Aggregation.INCREASE)
    assert series.values.tolist() == [2.0**53 + 4, 3.0]
    assert series.is_int is None
    (last,) = ask(reader, Aggregation.LAST)
    assert rows(last) == [(10, 2.0**53 + 4), (20, 2**53 + 7)]
    assert last.is_int is not None and last.is_int.tolist() == [False, True]


def test_many_small_increments_beside_a_large_one_are_all_there() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1e17)), attributes={"i": -1})
    for index in range(200):
        reader.add(gauge((5, 0.25)), attributes={"i": index})
    (series,) = ask(reader, Aggregation.SUM, by=())
    assert series.values.tolist() == [1e17 + 50]


def test_nan_is_a_value_of_sums_and_no_extreme() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1.0), (6, math.nan), (7, 3.0), (15, math.nan)))
    assert np.isnan(ask(reader, Aggregation.AVG)[0].values).all()
    assert ask(reader, Aggregation.MIN)[0].values.tolist()[0] == 1.0
    assert ask(reader, Aggregation.MAX)[0].values.tolist()[0] == 3.0
    assert math.isnan(ask(reader, Aggregation.MAX)[0].values[1])
    assert only(ask(reader, Aggregation.COUNT)) == [(10, 3), (20, 1)]
    assert ask(reader, Aggregation.P50)[0].values.tolist()[0] == 2.0


def test_infinities_add_up_as_such() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, math.inf), (15, math.inf)), attributes={"i": 1})
    reader.add(gauge((5, 1.0), (15, -math.inf)), attributes={"i": 2})
    (series,) = ask(reader, Aggregation.SUM, by=())
    assert series.values[0] == math.inf and math.isnan(series.values[1])


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


def test_count_of_a_counter_is_its_points() -> None:
    reader = MemoryReader()
    reader.add(counter((3, 10), (8, 20)))
    assert only(ask(reader, Aggregation.COUNT)) == [(10, 2)]
