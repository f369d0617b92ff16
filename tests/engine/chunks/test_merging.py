"""Points from several places become one ascending run: the later of equal times wins, or their sum.

Python's stable sort is the reference.
"""

from __future__ import annotations

import random

import pytest
from drivers.point_rows import PointRows
from helpers.series_model import HISTOGRAM, SUM, Point
from helpers.series_points import histogram, number


def merged(points: list[Point]) -> list[Point]:
    return [point for _, point in sorted({point[0]: point for point in points}.items())]


def rows_of(points: list[Point], kind: int = SUM) -> PointRows:
    rows = PointRows(kind)
    for point in points:
        assert rows.append(point)
    return rows


def runs(chance: random.Random, shape: str) -> list[Point]:
    """Points of several runs; the value of each tells where it came from."""
    times = {
        "in order": list(range(50)),
        "two runs": [*range(0, 100, 2), *range(31, 60)],
        "backwards": list(range(50, 0, -1)),
        "all alike": [7] * 20,
        "at random": [chance.randrange(60) for _ in range(101)],
        "one": [3],
    }[shape]
    points: list[Point] = []
    for i, time in enumerate(times):
        if i % 3:
            points.append(number(time, i))
        else:
            points.append(histogram(time, [i] * (i % 4 + 1), [float(j) for j in range(i % 4)]))
    return points


@pytest.mark.parametrize("short", [False, True], ids=["", "without memory"])
@pytest.mark.parametrize(
    "shape", ["in order", "two runs", "backwards", "all alike", "at random", "one"]
)
def test_the_last_appended_of_equal_times_is_kept(shape: str, short: bool) -> None:
    points = runs(random.Random(1), shape)
    rows = rows_of(points, HISTOGRAM)
    # It is sorted in place then, and more slowly.
    rows.fail_at(1 if short else 0)
    assert rows.sort()
    assert rows.listed() == merged(points)
    assert rows.close() == 0


def test_points_before_the_first_one_to_sort_stay_where_they_are() -> None:
    points = [number(time, i) for i, time in enumerate([9, 8, 5, 3, 4, 3])]
    rows = rows_of(points)
    assert rows.sort(2)
    assert rows.listed() == points[:2] + merged(points[2:])


def test_no_points_are_sorted_already() -> None:
    rows = PointRows()
    assert rows.sort()
    assert rows.listed() == []


def test_equal_times_are_added_if_asked_for() -> None:
    rows = rows_of([number(time, value) for time, value in [(5, 1), (3, 10), (5, 2), (5, 4)]])
    assert rows.sort(0, True)
    assert rows.listed() == [number(3, 10), number(5, 7)]


def test_buckets_of_equal_times_are_added() -> None:
    rows = rows_of([histogram(5, [1, 2], [1.0]), histogram(5, [10, 20], [1.0])], HISTOGRAM)
    assert rows.sort(0, True)
    (point,) = rows.listed()
    assert point[2] == 33
    assert point[5][3:] == (11, 22)
