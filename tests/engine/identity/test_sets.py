"""Attribute sets: values are typed, order means nothing, the last of equal keys counts."""

import itertools
from typing import Any

from drivers.series_index import SeriesIndex
from helpers.identity import resolve


def test_nine_values_that_look_alike_are_nine_series() -> None:
    """Values are typed: 1, "1", 1.0, true, b"1", ["1"], {"1": ""}, "" and absent."""
    index = SeriesIndex()
    values = [1, "1", 1.0, True, b"1", ["1"], {"1": ""}, ""]
    ids = [resolve(index, {"k": value}) for value in values] + [resolve(index)]
    assert len(set(ids)) == 9
    assert [resolve(index, {"k": value}) for value in values] + [resolve(index)] == ids
    found = [index.identity(number)[6] for number in ids]
    assert [(type(item.get("k")), item.get("k")) for item in found[:-1]] == [
        (type(value), value) for value in values
    ]
    assert found[-1] == {}


def test_values_that_are_nearly_the_same_are_different() -> None:
    values = [0, 0.0, -0.0, False, "0", b"0", None, [], {}, b"", [0], [[0]], [None], {"": None}]
    values += [float("nan"), float("inf"), [1, 2], [2, 1], [1.0, 2.0], {"a": 1}, {"a": [1]}]
    index = SeriesIndex()
    assert len({resolve(index, {"k": value}) for value in values}) == len(values)


def test_the_order_of_attributes_means_nothing() -> None:
    index = SeriesIndex()
    pairs = [("a", 1), ("b", "x"), ("c", True)]
    ids = {resolve(index, order) for order in itertools.permutations(pairs)}
    assert len(ids) == 1
    assert index.counts["series"] == 1


def test_the_order_inside_a_map_means_nothing_and_inside_a_list_it_does() -> None:
    index = SeriesIndex()
    assert resolve(index, {"k": {"a": 1, "b": 2}}) == resolve(index, {"k": {"b": 2, "a": 1}})
    assert resolve(index, {"k": ["a", "b"]}) != resolve(index, {"k": ["b", "a"]})


def test_of_equal_keys_the_last_one_counts() -> None:
    index = SeriesIndex()
    assert resolve(index, [("k", 1), ("x", 0), ("k", 2)]) == resolve(index, {"x": 0, "k": 2})
    assert resolve(index, [("k", 2), ("k", 1)]) == resolve(index, {"k": 1})


def test_keys_and_values_do_not_run_into_one_another() -> None:
    index = SeriesIndex()
    sets: list[Any] = [{"ab": "c"}, {"a": "bc"}, {"a": "b", "c": ""}, {"": "abc"}, {"abc": ""}]
    sets += [{"a": "sb"}, {"sa": "b"}, {"s": "s"}, {"s": ""}, {"": "s"}]
    assert len({resolve(index, pairs) for pairs in sets}) == len(sets)
