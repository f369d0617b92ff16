"""Attribute values as text: the rules of OpenTelemetry for systems that know text alone."""

from __future__ import annotations

import math
from typing import Any

import pytest

from urpo_store.query.text import attributes_json, typed_json, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ("a", "a"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (-(2**63), "-9223372036854775808"),
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (-1.5, "-1.5"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (0.000001, "0.000001"),
        (9e-7, "9e-7"),
        (5e-324, "5e-324"),
        (100.0, "100"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (b"\x00\xff", "AP8="),
        (["b", 1, True, None], '["b",1,true,null]'),
        ({"b": 1, "a": [math.nan, -math.inf]}, '{"a":["NaN","-Infinity"],"b":1}'),
        ({"k": b"1"}, '{"k":"MQ=="}'),
        (["é"], '["é"]'),
    ],
)
def test_value_to_text(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_typed_json_tells_every_type_from_every_other() -> None:
    values = [1, "1", 1.0, True, b"1", ["1"], {"1": ""}, "", None, [1], [1.0], {"int": 1}, [{}]]
    assert len({typed_json(value) for value in values}) == len(values)


def test_attributes_as_json() -> None:
    assert attributes_json({"b": 1, "a": "x"}) == '{"a":"x","b":{"int":1}}'
