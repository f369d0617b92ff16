"""Binned streams of every width of bins."""

import numpy as np
import pytest
from helpers.columns import decoded_words, reference_words


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("bins", [*range(4, 8), *range(64, 129)])
def test_every_width_of_bins_is_read_as_the_reference_reads_it(bins: int) -> None:
    """One bin only, so that any bytes are rests; whole, a byte short and a byte too long."""
    chance = np.random.default_rng(bins)
    column = np.zeros(1, np.int64)
    for symbol in (0, 1, 3, 65, 130, 260, 511):
        width = bins - 64 if bins >= 64 else max((symbol >> (bins - 4)) - 1, 0)
        for count in (1, 2, 3, 4, 5, 9, 40, 200):
            data = b"\x04\x00\x00" + bytes([bins]) + varint(symbol) + b"\x00"
            data += chance.bytes((count * width + 7) // 8)
            for each in (data, data[:-1], data + b"x"):
                found = decoded_words(column, each, count)
                assert found == reference_words(column, each, count)
    if bins == 128:
        # A bin of 64 bits is the only one.
        assert decoded_words(column, b"\x04\x00\x00\x80\x01\x00" + bytes(16), 2) is None
