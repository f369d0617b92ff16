"""What was looked up in a chunk or a tail goes with it."""

from __future__ import annotations

from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE
from helpers.series_points import SECOND, T0, Pair, append, number


def test_what_was_looked_up_is_forgotten_with_its_chunk() -> None:
    """A new chunk mostly gets the memory of one that was freed; it is not taken for that."""
    buffers = SeriesBuffers([GAUGE])
    for round_ in range(6):
        points = [number(T0 + i * SECOND, float(round_)) for i in range(300)]
        for point in points:
            append(buffers, 0, point)
        buffers.seal(0)
        replaced = buffers.counters()["replaced_points"]
        append(buffers, 0, number(T0 + 7 * SECOND, round_ - 1.0))
        assert buffers.counters()["replaced_points"] == replaced + 1
        append(buffers, 0, number(T0 + 8 * SECOND, float(round_)))
        assert buffers.counters()["duplicate_points"] == round_ + 1
        buffers.clear(0)


def test_what_was_looked_up_is_forgotten_with_its_tail() -> None:
    """The next tail has the same place and, of a constant series, the same length."""
    pair = Pair()
    points = [number(T0 + i * SECOND, 3.5) for i in range(680)]
    pair.append(*points[:200], points[5], *points[200:], points[485], points[679], points[480])
    pair.check()
    assert pair.model.duplicates == 4
