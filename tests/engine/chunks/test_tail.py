"""A tail is the newest points of a series; here, how much room its stream takes as it grows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import EXPONENTIAL, GAUGE, HISTOGRAM
from helpers.series_points import EVER, SECOND, T0, append, exponential, histogram, number

FULL = 480
FIRST_ROOM = 56


def test_a_decimal_takes_a_few_bytes_while_it_is_open() -> None:
    """Nine with its control, if the bits that change were written."""
    buffers = SeriesBuffers([GAUGE])
    values = np.random.default_rng(3).normal(50, 20, 300).round(1)
    times = np.arange(300, dtype=np.int64) * SECOND + T0
    buffers.append(0, times, values.view(np.uint64))
    count, length, _ = buffers.tail_bytes(0)
    assert count == 300
    assert length < 3.2 * count


def test_room_grows_by_steps_and_ends_near_what_a_full_tail_takes() -> None:
    buffers = SeriesBuffers([GAUGE])
    values = np.random.default_rng(3).normal(50, 20, FULL - 1).round(1).tolist()
    rooms = []
    for i, value in enumerate(values):
        append(buffers, 0, number(T0 + i * SECOND, value))
        if buffers.chunks(0):
            break
        _, length, room = buffers.tail_bytes(0)
        # The newest point stands beside the stream, so the first one takes no room.
        assert length <= room or i == 0
        rooms.append(room)
    steps = sorted(set(rooms))
    assert rooms == sorted(rooms)
    assert steps[1] == FIRST_ROOM or steps[0] == FIRST_ROOM
    assert len(steps) <= 7
    assert all(b >= 1.1 * a for a, b in pairwise(steps))


def test_the_next_tail_begins_with_half_of_what_the_last_one_took() -> None:
    buffers = SeriesBuffers([GAUGE])
    values = np.random.default_rng(3).normal(50, 20, 2 * FULL).round(1).tolist()
    last = 0
    for i, value in enumerate(values):
        append(buffers, 0, number(T0 + i * SECOND, value))
        _, length, room = buffers.tail_bytes(0)
        if buffers.chunks(0) and length:
            break
        last = length or last
    assert last > 10 * FIRST_ROOM
    assert last // 2 <= room <= last // 2 + 32


def test_the_newest_point_can_be_replaced_and_the_stream_does_not_grow() -> None:
    buffers = SeriesBuffers([HISTOGRAM])
    for i in range(5):
        append(buffers, 0, histogram(T0 + i * SECOND, [i, 1], [1.0]))
    before = buffers.tail_stream(0)
    for i in range(5):
        last = histogram(T0 + 4 * SECOND, [100 + i, 1], [1.0])
        append(buffers, 0, last)
    assert buffers.tail_stream(0) == before
    assert buffers.read(0, *EVER)[-1] == last
    assert buffers.counters()["replaced_points"] == 5


@pytest.mark.parametrize("kind", [GAUGE, HISTOGRAM, EXPONENTIAL])
def test_without_room_the_stream_is_as_before(kind: int) -> None:
    """Every allocation of every append fails once."""
    buffers = SeriesBuffers([kind])
    failed = 0
    points = []
    for i in range(100):
        if kind == GAUGE:
            point = number(T0 + i * SECOND, i / 3)
        elif kind == HISTOGRAM:
            point = histogram(T0 + i * SECOND, [i, 3 * i, i * i], [1.0, 2.0], i / 3)
        else:
            point = exponential(T0 + i * SECOND, 3, -i // 4, [i] * (i // 4 + 1))
        buffers.fail_at(1)
        if not buffers.append_point(0, *point):
            failed += 1
            buffers.fail_at(0)
            assert [p[0] for p in buffers.read(0, *EVER)] == [p[0] for p in points]
            append(buffers, 0, point)
        buffers.fail_at(0)
        points.append(point)
    assert failed >= 3
    assert [p[:3] for p in buffers.read(0, *EVER)] == [p[:3] for p in points]
    assert buffers.close() == 0
