"""Columns come back bit for bit, are small where they should be, and bad bytes do no harm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from urpo_store.engine.codec import ColumnCodec
from urpo_store.errors import CorruptionError

KINDS = ("doubles", "ints", "times")
DOUBLES, INTS, TIMES = (ColumnCodec(kind) for kind in KINDS)
WORD = 2**64


def round_trip(codec: ColumnCodec, values: np.ndarray) -> bytes:
    data = codec.encode(values)
    assert len(data) <= 1 + 8 * len(values)
    back = codec.decode(data, len(values))
    assert back.dtype == values.dtype
    assert np.array_equal(back.view(np.uint64), values.view(np.uint64))
    return data


def edges() -> list[int]:
    """Powers of two and their neighbours, of either sign, as 64-bit patterns."""
    near = {2**p + d for p in range(64) for d in (-1, 0, 1)}
    return sorted({x % WORD for x in near} | {-x % WORD for x in near})


@pytest.mark.parametrize("codec", [DOUBLES, INTS, TIMES], ids=KINDS)
def test_every_edge_pattern_comes_back(codec: ColumnCodec) -> None:
    patterns = np.array(edges(), np.uint64)
    dtype = np.float64 if codec is DOUBLES else np.int64
    for column in (patterns, patterns[::-1], np.repeat(patterns, 3), np.cumsum(patterns)):
        round_trip(codec, np.ascontiguousarray(column).view(dtype))
    for pattern in patterns:
        round_trip(codec, np.full(5, pattern).view(dtype))
        round_trip(codec, np.array([0, pattern, 1, 0, pattern], np.uint64).view(dtype))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=200))
def test_any_ints(values: list[int]) -> None:
    round_trip(INTS, np.array(values, np.int64))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(width=64), min_size=1, max_size=200))
def test_any_doubles(values: list[float]) -> None:
    round_trip(DOUBLES, np.array(values, np.float64))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 100), st.sampled_from([DOUBLES, INTS, TIMES]))
def test_random_bytes_do_no_harm(data: bytes, count: int, codec: ColumnCodec) -> None:
    try:
        assert len(codec.decode(data, count)) == count
    except CorruptionError:
        pass
