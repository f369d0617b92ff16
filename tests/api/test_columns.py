"""Columns of numbers in JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from urpo_store.api.columns import column_codec
from urpo_store.api.scalars import JsonError, decode_as, decode_float, decode_int

numbers = st.sampled_from(
    [0, 1, -1, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 10**400, 0.5, -0.0, 1e308]
)
others = st.sampled_from(
    [
        None,
        True,
        False,
        "1",
        "-1",
        "",
        " 1",
        "1_0",
        "\u0661",
        "9" * 40,
        "9" * 41,
        "NaN",
        "Infinity",
        {},
    ]
)
columns = st.lists(numbers, max_size=4) | st.lists(others, max_size=4) | st.lists(numbers | others)
SCALARS = {"f": decode_float, "b": decode_as(bool), "i": decode_int, "u": decode_int}


@given(columns | st.lists(columns, max_size=3), st.sampled_from(["<f8", "<i8", "<u8", "<i4", "?"]))
def test_a_column_is_read_as_its_numbers_one_by_one(tree: list[Any], form: str) -> None:
    dtype = np.dtype(form)
    scalar = SCALARS[dtype.kind]
    nested = bool(tree) and isinstance(tree[0], list)
    read = column_codec(dtype, 2 if nested else 1)[1]
    try:
        if nested:
            expected = np.array([[scalar(item) for item in row] for row in tree], dtype)
        else:
            expected = np.array([scalar(item) for item in tree], dtype)
    except (JsonError, OverflowError, ValueError):
        with pytest.raises(JsonError):
            read(tree)
        return
    found = read(tree)
    assert found.dtype == dtype and found.tobytes() == expected.tobytes()


@given(st.lists(st.integers(-(2**63), 2**63 - 1)) | st.lists(st.integers(2**60, 2**61)))
def test_integers_come_back(values: list[int]) -> None:
    write, read = column_codec(np.dtype(np.int64), 1)
    assert read(json.loads(json.dumps(write(np.array(values, np.int64))))).tolist() == values
