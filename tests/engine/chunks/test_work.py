"""Working memory for chunks is used again from call to call; here, that it does not grow with use."""

from __future__ import annotations

import numpy as np
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE, HISTOGRAM
from helpers.series_points import EVER, SECOND, T0, append, histogram


def test_a_reader_takes_memory_once() -> None:
    """The rows of `decode_points` keep their working memory from one call to the next."""
    buffers = SeriesBuffers([GAUGE])
    times = np.arange(2000, dtype=np.int64) * SECOND + T0
    buffers.append(0, times, np.ones(2000).view(np.uint64))
    buffers.seal(0)
    assert buffers.decode_points(*EVER) == 2000
    held, calls = buffers.memory()
    for _ in range(5):
        assert buffers.decode_points(*EVER) == 2000
    assert buffers.memory()[0] == held
    # One a call for the snapshot, and no more for what is decoded.
    assert buffers.memory()[1] - calls <= 10


def test_what_one_seal_needed_serves_the_next() -> None:
    """Wide rows make the output grow; from then on it is large enough."""
    buffers = SeriesBuffers([HISTOGRAM] * 6)
    calls = []
    for series in range(6):
        for i in range(10):
            row = [i + series] * 101
            append(buffers, series, histogram(T0 + i * SECOND, row, [float(i) for i in range(100)]))
        _, before = buffers.memory()
        buffers.seal(series)
        calls.append(buffers.memory()[1] - before)
    assert max(calls[1:]) < calls[0]


def test_working_memory_is_given_back() -> None:
    buffers = SeriesBuffers([HISTOGRAM])
    append(buffers, 0, histogram(T0, [1] * 101, [float(i) for i in range(100)]))
    buffers.seal(0)
    buffers.decode_points(*EVER)
    assert buffers.close() == 0
