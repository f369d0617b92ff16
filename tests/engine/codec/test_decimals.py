"""Doubles with few digits are integers over a power of ten; any others come back all the same."""

import numpy as np
import pytest
from helpers.columns import round_trip


@pytest.mark.parametrize("digits", range(9))
def test_the_exponent_is_the_number_of_decimals(digits: int) -> None:
    random = np.random.default_rng(digits)
    values = random.integers(1, 10**6, 480) * 10 + random.integers(1, 10, 480)
    data = round_trip(values / 10.0**digits)
    assert data[0] >> 4 == digits
    assert data[0] & 15 == 4


def test_what_is_no_decimal_is_a_correction() -> None:
    column = np.round(np.random.default_rng(2).normal(50, 20, 480), 2)
    column[[7, 300]] = np.nan, -0.0
    data = round_trip(column)
    assert data[0] == 5 | 2 << 4


@pytest.mark.parametrize(("shift", "tag"), [(1.0, 6), (0.0, 7)])
def test_floats_go_by_their_order_or_by_their_rotated_bits(shift: float, tag: int) -> None:
    random = np.random.default_rng(4)
    magnitudes = shift + random.random(480) / 3
    signs = 1 if shift else random.choice([-1.0, 1.0], 480)
    assert round_trip(magnitudes * signs)[0] == tag
