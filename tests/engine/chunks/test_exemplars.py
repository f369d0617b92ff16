"""Exemplars stand beside the points of their series."""

from __future__ import annotations

from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE, HISTOGRAM
from helpers.series_points import EVER, T0, append, exemplar, histogram, number


def test_a_resent_exemplar_is_not_doubled() -> None:
    buffers = SeriesBuffers([GAUGE])
    for _ in range(3):
        append(buffers, 0, number(T0, 1.0), (exemplar(T0), exemplar(T0, b"other")))
    assert len(buffers.exemplars(0, *EVER)) == 2


def test_the_oldest_exemplars_are_dropped_and_counted() -> None:
    buffers = SeriesBuffers([HISTOGRAM])
    messages = [exemplar(T0 + i, b"x" * 100) for i in range(400)]
    for i, message in enumerate(messages):
        append(buffers, 0, histogram(T0 + i, [1], []), (message,))
    kept = [message for _, message in buffers.exemplars(0, *EVER)]
    assert kept == messages[-len(kept) :] and 100 < len(kept) < 150
    assert buffers.counters()["dropped_exemplars"] == 400 - len(kept)
    append(buffers, 0, histogram(T0 + 500, [1], []), (exemplar(0, b"y" * 20_0),))


def test_expired_exemplars_go() -> None:
    buffers = SeriesBuffers([GAUGE])
    for i in range(10):
        append(buffers, 0, number(T0 + i, 1.0), (exemplar(T0 + i),))
    buffers.expire(0, T0 + 4)
    assert [t for t, _ in buffers.exemplars(0, *EVER)] == list(range(T0 + 4, T0 + 10))
