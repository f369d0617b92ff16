"""Whether two answers are the same, all the way down."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


def assert_same(found: Any, expected: Any) -> None:
    """Equal in type, value and dtype, all the way down; NaN equals NaN."""
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype and found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)
        if expected.dtype.kind == "f":
            numbers = ~np.isnan(expected)
            np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))
    elif dataclasses.is_dataclass(expected):
        assert type(found) is type(expected)
        for item in dataclasses.fields(expected):
            assert_same(getattr(found, item.name), getattr(expected, item.name))
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert type(found) is type(expected) and found == expected


def typed(value: object) -> object:
    """Tells 1, True, 1.0 and -0.0 apart, all the way down."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return type(value), repr(value)
