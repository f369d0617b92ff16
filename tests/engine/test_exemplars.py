"""From a point's payload to the exemplars of its series: each message, and whose time it has."""

from __future__ import annotations

from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE, HISTOGRAM
from helpers.series_points import EVER, T0, append, exemplar, histogram, number


def test_exemplars_are_read_by_their_own_time_or_their_points() -> None:
    buffers = SeriesBuffers([GAUGE])
    first, second, third = exemplar(T0 + 9), exemplar(0), exemplar(T0 - 5)
    append(buffers, 0, number(T0, 1.0), (first, second))
    append(buffers, 0, number(T0 + 1, 1.0), (third,))
    assert buffers.exemplars(0, *EVER) == [(T0 - 5, third), (T0, second), (T0 + 9, first)]
    assert buffers.exemplars(0, T0, T0) == [(T0, second)]


def test_exemplars_stand_behind_layout_and_row() -> None:
    buffers = SeriesBuffers([HISTOGRAM])
    messages = (exemplar(0, b"a"), exemplar(0, b"of another length"), exemplar(T0 + 1))
    point = histogram(T0, [3, 1], [1.0])
    append(buffers, 0, point, messages)
    assert buffers.read(0, *EVER) == [point]
    assert sorted(message for _, message in buffers.exemplars(0, *EVER)) == sorted(messages)
    assert [time for time, _ in buffers.exemplars(0, *EVER)] == [T0, T0, T0 + 1]


def test_a_payload_without_exemplars_keeps_none() -> None:
    buffers = SeriesBuffers([HISTOGRAM])
    append(buffers, 0, histogram(T0, [3, 1], [1.0]))
    assert buffers.exemplars(0, *EVER) == []
