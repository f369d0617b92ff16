"""Damaged bytes are read as the reference reads them, or refused as it refuses them."""

from typing import Any

import numpy as np
import pytest
from helpers.columns import SHAPES, codec_of, decoded_words, reference_words, shape
from hypothesis import given, settings
from hypothesis import strategies as st


# Columns of few numbers, and of so many that they are coded in halves.
@pytest.mark.parametrize("count", [120, 160])
@pytest.mark.parametrize("name", SHAPES)
def test_every_truncation_is_refused(name: str, count: int) -> None:
    column = shape(name, count)
    data = codec_of(column).encode(column)
    for end in range(len(data)):
        assert decoded_words(column, data[:end], count) is None
    assert decoded_words(column, data + b"\0", count) is None


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutated_bytes_are_read_as_the_reference_reads_them(draw: st.DataObject) -> None:
    column = shape(
        draw.draw(st.sampled_from(sorted(SHAPES))), draw.draw(st.integers(3, 60) | st.just(160))
    )
    data = bytearray(codec_of(column).encode(column))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, min(len(data) - 1, 40)))
        data[at] = draw.draw(st.integers(0, 255))
    count = draw.draw(st.sampled_from([len(column), len(column) + 1, 1, 2]))
    found = decoded_words(column, bytes(data), count)
    assert found == reference_words(column, bytes(data), count)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"", b"\x04\x00\x00", b"\x05\x02\x00", b"\x04\x01\x00\x00\x03\x02"]),
    st.binary(max_size=120),
    st.integers(1, 200),
    st.sampled_from([np.float64, np.int64]),
)
def test_random_bytes_are_read_as_the_reference_reads_them(
    head: bytes, rest: bytes, count: int, dtype: Any
) -> None:
    column = np.zeros(1, dtype)
    found = decoded_words(column, head + rest, count)
    assert found == reference_words(column, head + rest, count)
