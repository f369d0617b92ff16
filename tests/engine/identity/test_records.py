"""Resources, scopes and metrics: what they say of a series, and how long their aliases may be."""

from typing import Any

import numpy as np
import pytest
from drivers.series_index import SeriesIndex
from helpers.identity import attributes, field, resolve, resource, scope

BASE = {"service.name": "shop"}


def test_what_does_not_identify() -> None:
    """Descriptions, dropped counts, the order of envelopes' attributes."""
    index = SeriesIndex()
    first = index.resolve(
        resource=resource({"a": 1, "b": 2}), scope=scope("l", "", {"x": 1, "y": 2})
    )
    again = index.resolve(
        resource=resource({"b": 2, "a": 1}, dropped=7),
        scope=scope("l", "", {"y": 2, "x": 1}, dropped=9),
        description=b"something else",
        attributes=b"",
    )
    assert first[0] == again[0]
    assert (index.counts["resources"], index.counts["scopes"], index.counts["metrics"]) == (1, 1, 1)


def test_the_last_description_that_came_with_something_new_is_kept() -> None:
    index = SeriesIndex()
    resolve(index, {"k": 1}, description=b"old")
    resolve(index, {"k": 2}, description=b"new")
    assert [stream[5] for stream in index.streams("m")] == ["new"]


@pytest.mark.parametrize(
    ("pairs", "service"),
    [
        ({"service.name": "shop"}, "shop"),
        ({"service.name": "shop", "service.namespace": "eu"}, "eu/shop"),
        ({"service.name": "shop", "service.namespace": ""}, "shop"),
        ({"service.name": "shop", "service.namespace": 3}, "shop"),
        ({"service.name": "unknown_service:python"}, "unknown_service:python"),
        ({"service.namespace": "eu"}, "unknown_service"),
        ({"service.name": ""}, "unknown_service"),
        ({"service.name": 5}, "unknown_service"),
        ({}, "unknown_service"),
    ],
)
def test_the_service_is_namespace_and_name(pairs: dict[str, Any], service: str) -> None:
    index = SeriesIndex()
    number = resolve(index, resource=resource(pairs))
    assert index.identity(number)[5] == service
    assert index.services() == {service: 1}
    ids = np.array([number], np.uint32)
    assert index.string(index.service_column(ids)[0]) == b"s" + service.encode()


def test_padding_makes_no_alias() -> None:
    """Unknown fields, which say nothing, do not cost memory."""
    index = SeriesIndex()
    one = attributes({"k": 1})
    said = one[2:]  # the KeyValue
    padded = field(7, said + field(15, b"p" * 4_000))
    number = index.resolve(attributes=one)[0]
    assert index.resolve(attributes=padded)[:2] == (number, 3)
    assert index.aliases(number) == [one]
    before = index.memory
    bodies = [resource(BASE) + field(15, bytes([65 + i]) * 100) for i in range(20)]
    for body in bodies:
        index.resolve(resource=body, attributes=one)
    assert index.counts["envelope_aliases"] <= 1 + 1 + 4
    assert index.memory - before < 20_000
