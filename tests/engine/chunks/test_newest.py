"""Points that come in order of time."""

from __future__ import annotations

import numpy as np
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE
from helpers.series_points import SECOND, T0


def test_series_are_not_all_sealed_at_once() -> None:
    buffers = SeriesBuffers([GAUGE] * 64)
    times = np.arange(480, dtype=np.int64) * SECOND + T0
    values = np.ones((480, 64), np.float64).view(np.uint64)
    buffers.append_requests(times, values)
    first = {buffers.chunks(s)[0][2] if buffers.chunks(s) else 480 for s in range(64)}
    assert len(first) > 50


def test_few_allocations_for_many_points() -> None:
    buffers = SeriesBuffers([GAUGE] * 20)
    n = 4800
    times = np.arange(n, dtype=np.int64) * SECOND + T0
    values = np.random.default_rng(3).normal(0, 1, (n, 20)).round(2).view(np.uint64)
    _, before = buffers.memory()
    buffers.append_requests(times, values)
    assert buffers.memory()[1] - before <= n * 20 / 100
