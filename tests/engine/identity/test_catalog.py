"""What queries ask: columns of attributes, and streams by name."""

import numpy as np
from drivers.series_index import SeriesIndex
from helpers.identity import resolve, resource, scope


def test_the_first_of_point_scope_and_resource_that_has_a_key_decides() -> None:
    index = SeriesIndex()
    parts = {"resource": resource({"k": "r", "r": 1}), "scope": scope("l", "", {"k": "s", "s": 1})}
    ids = np.array(
        [
            resolve(index, {"k": "p"}, **parts),
            resolve(index, {"other": 1}, **parts),
            resolve(index, {}, resource=parts["resource"]),
            resolve(index, {}),
        ],
        np.uint32,
    )
    column = index.attribute_column(ids, "k")
    assert [index.string(number) if number else None for number in column] == [
        b"sp",
        b"ss",
        b"sr",
        None,
    ]
    assert list(index.attribute_column(ids, "never seen")) == [0] * 4
    one = index.find_string(b"i" + (1).to_bytes(8, "little"))
    assert list(index.attribute_column(ids, "r")) == [one, one, one, 0]
    assert index.find_string(b"sp") == column[0]
    assert index.find_string(b"snot there") == 0


def test_streams_are_told_apart_and_found_by_name() -> None:
    index = SeriesIndex()
    a = resolve(index, {"k": 1}, name=b"a", unit=b"s", kind=2, temporality=2, monotonic=1)
    b = resolve(index, {"k": 1}, name=b"a", unit=b"ms", kind=2, temporality=1, monotonic=1)
    c = resolve(index, {"k": 1}, name=b"c")
    streams = {(s[0], *s[1:5]): list(s[6]) for s in index.streams()}
    assert streams == {
        ("a", 2, 2, 1, "s"): [a],
        ("a", 2, 1, 1, "ms"): [b],
        ("c", 1, 0, 0, ""): [c],
    }
    assert {tuple(s[6]) for s in index.streams("a")} == {(a,), (b,)}
    assert index.streams("no such metric") == []
