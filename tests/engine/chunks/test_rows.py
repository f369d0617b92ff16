"""Rows hold decoded points in columns; here, they are compared with a list of the same points."""

from __future__ import annotations

import random
from functools import partial

import pytest
from drivers.point_rows import PointRows
from helpers.series_model import HISTOGRAM, Point
from helpers.series_points import histogram, number

LARGEST = 2**63 - 1


def some_point(chance: random.Random, time: int) -> Point:
    """A number, or a histogram of one of three layouts."""
    width = chance.randrange(4)
    if width == 0:
        return number(time, chance.randrange(100), start=time - 1)
    counts = [chance.randrange(9) for _ in range(width)]
    return histogram(time, counts, [float(i) for i in range(width - 1)], chance.random(), 5)


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_what_a_list_of_the_points_is(seed: int) -> None:
    chance = random.Random(seed)
    rows = PointRows(HISTOGRAM)
    # Points of a rowed series are rowed from the first on: only then may one be replaced.
    points: list[Point] = [histogram(-1, [1], [])]
    assert rows.append(points[0])
    for time in range(400):
        point = some_point(chance, time)
        at = chance.randrange(len(points) + 1)
        what = chance.randrange(6) if points else 0
        if what <= 1:
            assert rows.append(point)
            points.append(point)
        elif what <= 3:
            assert rows.insert(at, point)
            points.insert(at, point)
        elif what == 4:
            at %= len(points)
            assert rows.replace(at, point)
            points[at] = (points[at][0], *point[1:])
        else:
            end = min(at + chance.randrange(3), len(points))
            rows.drop(at, end)
            del points[at:end]
        assert rows.listed() == points
    rows.clear()
    assert rows.listed() == [] and rows.layouts == 0
    assert rows.close() == 0


def test_numbers_that_came_before_the_first_histogram_stay_numbers() -> None:
    """Until then the columns of layout and row are missing."""
    rows = PointRows(HISTOGRAM)
    points = [*(number(i, i) for i in range(20)), histogram(20, [1, 2], [1.0]), number(21, 5)]
    for point in points:
        rows.append(point)
    assert rows.listed() == points


def test_a_layout_is_kept_once_while_it_is_one_of_the_last_16() -> None:
    rows = PointRows(HISTOGRAM)
    for turn in range(3):
        for i in range(16):
            rows.append(histogram(turn * 16 + i, [1, 1], [float(i)]))
    assert rows.layouts == 16
    rows.append(histogram(90, [1, 1], [99.0]))
    rows.append(histogram(91, [1, 1], [0.0]))
    assert rows.layouts == 18
    assert rows.listed()[-1] == histogram(91, [1, 1], [0.0])


def test_the_same_bounds_with_rows_of_another_width_are_another_layout() -> None:
    rows = PointRows(HISTOGRAM)
    points = [histogram(0, [1, 1], [1.0]), histogram(1, [1, 1, 1], [1.0])]
    for point in points:
        rows.append(point)
    assert rows.layouts == 2
    assert rows.listed() == points


def test_a_time_is_found_among_times_that_ascend() -> None:
    rows = PointRows()
    assert rows.find(5) == (0, 0)
    for time in (-(2**63), 10, 20, LARGEST):
        rows.append(number(time, 1))
    assert rows.find(-(2**63)) == (0, 1)
    assert rows.find(10) == (1, 2)
    assert rows.find(11) == (2, 2)
    # Behind the largest time there is none, and one more would wrap around.
    assert rows.find(LARGEST) == (3, 4)


@pytest.mark.parametrize("what", ["append", "insert", "replace"])
def test_without_memory_the_points_are_as_before(what: str) -> None:
    points = [number(i, i) for i in range(8)]
    new = histogram(8, [4] * 40, [float(i) for i in range(39)])
    failed = 0
    for n in range(1, 20):
        rows = PointRows(HISTOGRAM)
        for point in points:
            rows.append(point)
        if what == "replace":
            # What is replaced has room for a layout already.
            rows.append(histogram(8, [], []))
            rows.drop(8, 9)
        call = {
            "append": rows.append,
            "insert": partial(rows.insert, 3),
            "replace": partial(rows.replace, 3),
        }[what]
        rows.fail_at(n)
        done = call(new)
        rows.fail_at(0)
        if done:
            break
        failed += 1
        assert rows.listed() == points
        assert call(new)
        assert len(rows.listed()) == 8 + (what != "replace")
        assert rows.close() == 0
    assert failed >= 2
