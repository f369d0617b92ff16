"""docs/queries.md, "Histograms": count, sum and extremes by window."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.memory_reader import MemoryReader
from helpers.questions import S, T, ask, at, explicit, only_floats

from urpo_store.model import (
    Aggregation,
    Histogram,
    HistogramColumns,
)


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
    assert only_floats(ask(two_points(), aggregation)) == expected


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
    assert only_floats(ask(reader, Aggregation.COUNT)) == [(10, 4)]
    assert only_floats(ask(reader, Aggregation.SUM)) == [(10, 6.0)]


def test_a_count_that_falls_is_a_reset() -> None:
    reader = MemoryReader()
    reader.add([at(5, explicit([5, 5], [1], 9.0), 0), at(15, explicit([1, 2], [1], 4.0), 0)])
    assert only_floats(ask(reader, Aggregation.COUNT)) == [(10, 0), (20, 3)]
    assert only_floats(ask(reader, Aggregation.SUM)) == [(10, 0), (20, 4.0)]


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
    assert only_floats(ask(reader, Aggregation.MIN, by=())) == [(10, 0.25)]
    assert only_floats(ask(reader, Aggregation.MAX, by=())) == [(10, 4.0)]
    assert ask(reader, Aggregation.MIN, start=T + 20 * S, by=()) == []
