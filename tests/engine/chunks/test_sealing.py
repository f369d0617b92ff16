"""Which points share a chunk."""

from __future__ import annotations

from drivers.series_buffers import SeriesBuffers
from helpers.series_model import EXPONENTIAL, HISTOGRAM
from helpers.series_points import T0, Pair, append, exponential, histogram


def test_a_change_of_bounds_begins_a_new_chunk_and_layouts_are_stored_once() -> None:
    buffers = SeriesBuffers([HISTOGRAM] * 3)
    wide = [float(b) for b in range(14)]
    for i in range(60):
        for series in range(3):
            bounds = wide if i < 30 else wide[:5]
            append(buffers, series, histogram(T0 + i, [i] * (len(bounds) + 1), bounds))
    for series in range(3):
        buffers.seal(series)
        assert [c[2] for c in buffers.chunks(series)] == [30, 30]
    assert buffers.counters()["layouts"] == 2
    for series in range(3):
        buffers.clear(series)
    assert buffers.counters()["layouts"] == 0


def test_growing_exponential_ranges_share_a_chunk_and_another_scale_does_not() -> None:
    pair = Pair(EXPONENTIAL)
    pair.append(*[exponential(T0 + i, 3, -i, [1] * (2 * i + 1), i, (i, 1)) for i in range(100)])
    pair.append(*[exponential(T0 + 100 + i, 2, -i, [1] * (2 * i + 1)) for i in range(100)])
    pair.append(exponential(T0 + 50, 3, 300, [5]))
    pair.check()
    pair.real.seal(0)
    pair.check()
    assert [c[2] for c in pair.real.chunks(0)] == [100, 100]


def test_ranges_far_apart_do_not_share_a_chunk() -> None:
    pair = Pair(EXPONENTIAL)
    pair.append(exponential(T0, 20, -1_000_000, [1]), exponential(T0 + 1, 20, 1_000_000, [1]))
    pair.check()
    pair.real.seal(0)
    pair.check()
    assert [c[2] for c in pair.real.chunks(0)] == [1, 1]
