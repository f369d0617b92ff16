"""Points that come again, and points that come late."""

from __future__ import annotations

import numpy as np
import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import SUM
from helpers.series_points import SECOND, T0, Pair, number


@pytest.mark.parametrize("seal", [False, True])
def test_same_value_again_is_idempotent(seal: bool) -> None:
    pair = Pair()
    points = [number(T0 + i * SECOND, float(i)) for i in range(30)]
    pair.append(*points)
    if seal:
        pair.real.seal(0)
    pair.append(*points)
    pair.check()
    assert pair.model.duplicates == 30


@pytest.mark.parametrize("seal", [False, True])
def test_another_value_replaces_the_earlier_and_is_counted(seal: bool) -> None:
    pair = Pair()
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in range(30)])
    if seal:
        pair.real.seal(0)
    pair.append(*[number(T0 + i * SECOND, i + 0.5) for i in (29, 3, 0, 3, 15)])
    pair.check()
    pair.real.seal(0)
    pair.check()
    assert pair.model.replaced == 4 and pair.model.duplicates == 1


def test_late_points_are_merged_and_counted() -> None:
    pair = Pair()
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in range(0, 1000, 2)])
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in (1, 501, 997)])
    pair.check()
    pair.real.seal(0)
    pair.check()
    assert pair.model.late == 3


def test_a_resent_request_allocates_nothing() -> None:
    buffers = SeriesBuffers([SUM] * 50)
    times = np.arange(300, dtype=np.int64) * SECOND + T0
    values = np.arange(300 * 50, dtype=np.uint64).reshape(300, 50)
    buffers.append_requests(times, values)
    buffers.append_requests(times[-1:], values[-1:])
    _, before = buffers.memory()
    buffers.append_requests(times[-1:], values[-1:])
    assert buffers.memory()[1] == before
    assert buffers.counters()["duplicate_points"] == 100
