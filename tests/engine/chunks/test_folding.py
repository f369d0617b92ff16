"""Late points go into the chunks they belong to."""

from __future__ import annotations

import numpy as np
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE
from helpers.series_points import EVER, SECOND, T0, Pair, append, number


def test_one_late_point_does_not_cost_a_chunk_its_shared_clock() -> None:
    buffers = SeriesBuffers([GAUGE, GAUGE])
    for i in range(300):
        for series in (0, 1):
            append(buffers, series, number(T0 + i * SECOND, float(i)))
    for series in (0, 1):
        buffers.seal(series)
    append(buffers, 0, number(T0 + 100 * SECOND + 7, 1.0))
    buffers.seal(0)
    own, shared = [[c for c in buffers.chunks(0) if (c[0] == 0) == own] for own in (True, False)]
    assert sorted(c[2] for c in shared) + [c[2] for c in own] == [101, 199, 1]


def test_a_late_point_at_a_tick_of_the_clock_goes_into_the_shared_chunk() -> None:
    buffers = SeriesBuffers([GAUGE, GAUGE])
    for i in range(300):
        append(buffers, 0, number(T0 + i * SECOND, 1.0))
        if i != 150:
            append(buffers, 1, number(T0 + i * SECOND, 1.0))
    buffers.seal(1)
    append(buffers, 1, number(T0 + 150 * SECOND, 1.0))
    buffers.seal(1)
    ((clock, _, points, _, size),) = buffers.chunks(1)
    assert clock != 0 and points == 300 and size < 40


def test_reversed_backfill_is_right_and_not_quadratic() -> None:
    pair = Pair()
    n = 20_000
    times = np.arange(n, dtype=np.int64)[::-1] * SECOND + T0
    assert pair.real.append(0, times, np.arange(n, dtype=np.uint64)) == 0
    found = pair.real.read(0, *EVER)
    assert [p[0] for p in found] == sorted(times.tolist())
    assert [p[2] for p in found] == list(range(n))[::-1]
    pair.real.seal(0)
    # Each chunk is made about once: 42 full ones, and what is left at either end.
    assert len(pair.real.chunks(0)) <= n // 480 + 3
