"""Columns are as small as they should be, in bytes a value."""

import numpy as np
import pytest
from helpers.columns import START, TIMES, round_trip, shape


@pytest.mark.parametrize(
    ("name", "n", "most"),
    [
        ("constant", 480, 2 / 480),
        ("constant, no decimal", 480, 9 / 480),
        ("line", 480, 15 / 480),
        ("counter", 480, 0.67),
        ("counter", 1024, 0.67),
        ("slow counter", 480, 0.06),
        ("slow counter", 1024, 0.04),
        ("counter of floats", 1024, 5.8),
        ("one decimal", 480, 0.53),
        ("two decimals", 1024, 1.68),
        ("averages", 480, 1.75),
        ("pages", 1024, 1.06),
        ("normal", 1024, 7.03),
        ("ratio", 1024, 6.56),
        ("single precision", 480, 2.97),
        ("few distinct", 480, 0.31),
        ("flag", 480, 0.15),
        ("small ints", 480, 0.39),
        ("any ints", 480, 8 + 1 / 480),
        ("any doubles", 480, 8 + 1 / 480),
        ("sine", 480, 2.8),
        ("parabola", 480, 0.45),
    ],
)
def test_size(name: str, n: int, most: float) -> None:
    sizes = [len(round_trip(shape(name, n, seed))) / n for seed in range(5)]
    assert sum(sizes) / len(sizes) <= most


@pytest.mark.parametrize("value", [0.0, 7.0, -63.0])
def test_a_constant_small_number_takes_two_bytes(value: float) -> None:
    assert len(round_trip(np.full(480, value))) == 2
    assert len(round_trip(np.full(480, int(value)))) == 2


def test_jitter_of_a_millisecond_takes_22_bits_and_a_half() -> None:
    random = np.random.default_rng(5)
    times = START + np.arange(480) * 10**9 + random.normal(0, 1.05e6, 480).astype(np.int64)
    assert len(round_trip(times, TIMES)) <= 480 * 2.82
