"""Codes are Huffman's, limited to 12 bits."""

import numpy as np
from helpers import reference_codec as reference
from helpers.columns import reference_bytes, round_trip


def test_codes_are_limited_to_12_bits_as_in_the_reference() -> None:
    """Counts like the Fibonacci numbers make Huffman's longest codes: 15 bits for 16 symbols."""
    counts = [1, 1]
    while len(counts) < 16:
        counts.append(counts[-2] + counts[-1])
    assert max(reference.code_lengths({s: c for s, c in enumerate(counts[:13])}).values()) == 12
    assert max(reference.code_lengths(dict(enumerate(counts))).values()) == 12
    column = np.repeat(np.arange(16), counts[::-1])
    np.random.default_rng(1).shuffle(column)
    data = round_trip(column)
    assert data == reference_bytes(column)
    # Without a limit the code would take: 1 bit for the most frequent, 2 for the next, ...
    assert len(data) < sum(c * (min(i, 14) + 1) for i, c in enumerate(counts[::-1])) / 8 * 1.02
