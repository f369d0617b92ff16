"""The bucket ranges of exponential histograms: read, joined, and rows moved from one to another.

A reference in Python keeps counts by bucket index. Rows that are moved must have the same counts.
"""

from __future__ import annotations

import pytest
from drivers import bucket_ranges as driver
from hypothesis import given, settings
from hypothesis import strategies as st

FIXED = 5
MOST = 1024

#: (scale, first positive, positive count, first negative, negative count)
Ranges = tuple[int, int, int, int, int]


def ranges_of(scale: int) -> st.SearchStrategy[Ranges]:
    index = st.one_of(st.integers(-40, 40), st.integers(-(2**31), 2**31 - 40))
    sides = st.tuples(index, st.integers(0, 12), index, st.integers(0, 12))
    return sides.map(lambda s: (scale, s[0] if s[1] else 0, s[1], s[2] if s[3] else 0, s[3]))


def counts_of(ranges: Ranges, row: list[int]) -> dict[tuple[str, int], int]:
    """The counts that are not 0, by side and bucket index."""
    _, positive, ups, negative, downs = ranges
    assert len(row) == FIXED + ups + downs
    found = {("+", positive + i): row[FIXED + i] for i in range(ups)}
    found |= {("-", negative + i): row[FIXED + ups + i] for i in range(downs)}
    return {key: count for key, count in found.items() if count}


def row_of(ranges: Ranges) -> list[int]:
    return [*range(100, 100 + FIXED), *range(1, ranges[2] + ranges[4] + 1)]


@given(st.integers(-10, 20).flatmap(ranges_of))
def test_ranges_are_read_as_they_were_written(ranges: Ranges) -> None:
    layout, row = driver.written(ranges)
    assert row == FIXED + ranges[2] + ranges[4]
    assert driver.read(layout, row) == ranges


@pytest.mark.parametrize("words", [0, 1, 3])
def test_a_layout_of_other_than_two_words_has_no_ranges(words: int) -> None:
    assert driver.read((3, 0, 0)[:words], FIXED) is None


def test_a_row_too_short_for_its_layout_has_no_ranges() -> None:
    layout, row = driver.written((3, 10, 4, 0, 0))
    assert driver.read(layout, row) == (3, 10, 4, 0, 0)
    assert driver.read(layout, row - 1) is None
    assert driver.read(layout, FIXED - 1) is None
    # What is more than the positive counts are negative ones.
    assert driver.read(layout, row + 2) == (3, 10, 4, 0, 2)


def test_the_union_spans_both_and_what_is_between() -> None:
    assert driver.joined((3, -5, 2, 0, 0), (3, 4, 3, 0, 0)) == (3, -5, 12, 0, 0)
    assert driver.joined((3, 0, 10, 0, 0), (3, 2, 3, 0, 0)) == (3, 0, 10, 0, 0)
    assert driver.joined((3, 1, 2, 0, 0), (3, 0, 0, 7, 1)) == (3, 1, 2, 7, 1)


def test_other_scales_have_no_union() -> None:
    assert driver.joined((3, 0, 4, 0, 0), (2, 0, 4, 0, 0)) is None


def test_a_union_has_at_most_so_many_counts() -> None:
    first = (3, 0, 1, 0, 0)
    assert driver.joined(first, (3, MOST - 1, 1, 0, 0)) == (3, 0, MOST, 0, 0)
    assert driver.joined(first, (3, MOST, 1, 0, 0)) is None
    # Both sides together, and indexes whose distance is beyond 32 bits.
    assert driver.joined(first, (3, MOST - 1, 1, 0, 1)) is None
    assert driver.joined((3, -(2**31), 1, 0, 0), (3, 2**31 - 1, 1, 0, 0)) is None


@settings(max_examples=200)
@given(ranges_of(3), ranges_of(3))
def test_a_row_padded_to_the_union_has_the_same_counts(a: Ranges, b: Ranges) -> None:
    union = driver.joined(a, b)
    assert union == driver.joined(b, a)
    if union is None:
        return
    for ranges in (a, b):
        row = row_of(ranges)
        padded = driver.moved(ranges, row, union)
        assert padded[:FIXED] == row[:FIXED]
        assert counts_of(union, padded) == counts_of(ranges, row)


@settings(max_examples=200)
@given(ranges_of(20), st.integers(1, 40))
def test_a_smaller_scale_adds_what_falls_into_one_bucket(ranges: Ranges, steps: int) -> None:
    coarse = driver.coarsened(ranges, 20 - steps)
    assert coarse[0] == 20 - steps
    row = row_of(ranges)
    folded = driver.moved(ranges, row, coarse)
    expected: dict[tuple[str, int], int] = {}
    for (side, index), count in counts_of(ranges, row).items():
        key = side, index // 2**steps
        expected[key] = expected.get(key, 0) + count
    assert folded[:FIXED] == row[:FIXED]
    assert counts_of(coarse, folded) == expected


def test_indexes_below_zero_are_halved_downwards() -> None:
    assert driver.coarsened((3, -3, 4, -1, 1), 2) == (2, -2, 3, -1, 1)
    assert driver.coarsened((3, -3, 4, 0, 0), -60) == (-60, -1, 2, 0, 0)
