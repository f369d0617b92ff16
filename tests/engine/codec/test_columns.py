"""Columns come back bit for bit, and the reference in helpers/reference_codec.py writes the same bytes."""

import struct
from typing import Any

import numpy as np
import pytest
from drivers.column_codec import ColumnCodec
from helpers.columns import (
    DOUBLES,
    INTS,
    SHAPES,
    WORD,
    codec_of,
    reference_bytes,
    reference_words,
    round_trip,
    shape,
    words,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from urpo_store.errors import CorruptionError

# Around the sizes of the codec: blocks of 32, samples of 32 and 64 values, chunks of 120 and 480.
LENGTHS = (
    1,
    2,
    3,
    4,
    31,
    32,
    33,
    34,
    63,
    65,
    66,
    67,
    119,
    120,
    121,
    479,
    480,
    481,
    1024,
    4095,
    4096,
)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_come_back(name: str) -> None:
    for n in LENGTHS:
        round_trip(shape(name, n))


def edges() -> list[int]:
    """Powers of two and their neighbours, of either sign, as 64-bit patterns."""
    near = {2**p + d for p in range(64) for d in (-1, 0, 1)}
    return sorted({x % WORD for x in near} | {-x % WORD for x in near})


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_every_edge_pattern_comes_back(dtype: Any) -> None:
    patterns = np.array(edges(), np.uint64)
    for column in (patterns, patterns[::-1], np.repeat(patterns, 3), np.cumsum(patterns)):
        round_trip(np.ascontiguousarray(column).view(dtype))
    for pattern in patterns:
        round_trip(np.full(5, pattern).view(dtype))
        round_trip(np.array([0, pattern, 1, 0, pattern], np.uint64).view(dtype))


EXTREME_INTS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    [-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 1, 2**53, -(2**53) - 1]
)
ANY_INTS = st.lists(EXTREME_INTS | st.integers(-9, 9), min_size=1, max_size=150)
ANY_DOUBLES = st.lists(
    st.floats(width=64) | st.integers(-999, 999).map(lambda x: x / 100), min_size=1, max_size=150
)


@settings(max_examples=200, deadline=None)
@given(ANY_INTS)
def test_any_ints_come_back_and_equal_the_reference(values: list[int]) -> None:
    column = np.array(values, np.int64)
    assert round_trip(column) == reference_bytes(column)


@settings(max_examples=200, deadline=None)
@given(ANY_DOUBLES)
def test_any_doubles_come_back_and_equal_the_reference(values: list[float]) -> None:
    column = np.array(values, np.float64)
    assert round_trip(column) == reference_bytes(column)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_equal_the_reference(name: str) -> None:
    for n in (1, 2, 3, 33, 67, 120, 480):
        column = shape(name, n)
        data = codec_of(column).encode(column)
        assert data == reference_bytes(column)
        assert reference_words(column, data, n) == words(column)


# The Python surface


def test_what_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'floats'"):
        ColumnCodec("floats")
    with pytest.raises(ValueError, match="float64"):
        INTS.encode(np.zeros(3))
    for bad in (np.zeros(0), np.zeros(4097), np.zeros((2, 2))):
        with pytest.raises(ValueError, match="1 to 4096"):
            DOUBLES.encode(bad)
    with pytest.raises(ValueError, match="1 to 4096"):
        DOUBLES.decode(b"\x02\x00", 4097)
    with pytest.raises(CorruptionError, match="no column of 2 values"):
        DOUBLES.decode(b"\x00" + struct.pack("<d", 1.0), 2)


def test_columns_of_views_are_encoded_as_what_they_show() -> None:
    values = np.arange(20, dtype=np.float64)
    assert DOUBLES.encode(values[::3]) == DOUBLES.encode(values[::3].copy())
