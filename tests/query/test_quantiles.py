"""Quantiles of the values of gauges and sums."""

from __future__ import annotations

import math

import pytest
from helpers.memory_reader import MemoryReader
from helpers.questions import ask, gauge, only

from urpo_store.model import Aggregation


@pytest.mark.parametrize(("q", "expected"), [(-0.1, -math.inf), (1.1, math.inf), (0, 1), (1, 6)])
def test_a_quantile_below_0_is_minus_infinity_and_above_1_infinity(
    q: float, expected: float
) -> None:
    reader = MemoryReader()
    reader.add(gauge((3, 1), (8, 2), (9, 6)))
    assert only(ask(reader, Aggregation.RAW, quantile=q)) == [(10, expected)]
