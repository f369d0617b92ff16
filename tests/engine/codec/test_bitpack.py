"""Packed blocks: each as wide as its largest number."""

import numpy as np
import pytest
from helpers.columns import decoded_words, reference_words, round_trip


def packed(widths: list[int], rest: bytes = b"") -> bytes:
    """A column of integers whose stream is packed blocks of zeros, of these widths."""
    blocks = b"".join(bytes([width]) + bytes(4 * width) for width in widths)
    return b"\x04\x00\x00\x01" + blocks + rest


def test_numbers_whose_size_wanders_are_packed() -> None:
    column = np.random.default_rng(1).integers(0, 2 ** (1 + np.arange(480) // 32 * 11 % 50))
    column[0] = 0
    assert round_trip(column)[:4] == b"\x04\x00\x00\x01"


@pytest.mark.parametrize("width", [0, 1, 7, 57, 58, 63, 64])
def test_blocks_of_any_width_end_where_they_should(width: int) -> None:
    column = np.zeros(1, np.int64)
    data = packed([width, 0])
    assert decoded_words(column, data, 64) == [0] * 64
    assert decoded_words(column, data[:-1], 64) is None
    assert decoded_words(column, data + b"\0", 64) is None


def test_a_block_of_more_than_64_bits_is_refused() -> None:
    column = np.zeros(1, np.int64)
    for width in (65, 255):
        assert decoded_words(column, packed([width]), 32) is None
        assert reference_words(column, packed([width]), 32) is None
