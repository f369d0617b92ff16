"""Reading a series, beside the drain and without memory."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE, SeriesModel
from helpers.series_points import EVER, KINDS, SECOND, T0, Pair, append, number, read, script


def test_the_predecessor_is_the_newest_point_before_the_range_however_old() -> None:
    pair = Pair()
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in range(1000)])
    pair.append(number(T0 + 2000 * SECOND, 1.0))
    for start in (0, 1, 500, 999, 1000, 1500, 2000, 2001):
        for width in (0, 1, 700):
            low = T0 + start * SECOND
            range_ = (low, low + width * SECOND, True)
            assert read(pair.real, 0, GAUGE, *range_) == pair.model.read(*range_)
    pair.append(number(T0 + 1200 * SECOND, 5.0), number(T0 + 1200 * SECOND, 6.0))
    range_ = (T0 + 1500 * SECOND, T0 + 1600 * SECOND, True)
    assert read(pair.real, 0, GAUGE, *range_) == [number(T0 + 1200 * SECOND, 6.0)]


def test_readers_beside_the_drain_see_all_that_was_there_and_nothing_wrong() -> None:
    """Values tell their times, so a reader can check each point; points only ever become more."""
    buffers = SeriesBuffers([GAUGE] * 4)
    n = 12_000
    times = np.arange(n, dtype=np.int64) * SECOND + T0
    values = np.repeat((times - T0).astype(np.uint64), 4).reshape(n, 4)
    barrier = threading.Barrier(3)
    done = threading.Event()
    wrong: list[object] = []

    def check(series: int) -> None:
        barrier.wait()
        most = 0
        while not (last := done.is_set()) or most < n:
            found = buffers.read(series, *EVER)
            if [p[2] for p in found] != [i * SECOND for i in range(len(found))]:
                wrong.append(found)
            if len(found) < most or (last and len(found) != n):
                wrong.append((most, len(found)))
                return
            most = len(found)

    readers = [threading.Thread(target=check, args=(series,)) for series in (0, 3)]
    for reader in readers:
        reader.start()
    barrier.wait()
    for i in range(0, n, 50):
        buffers.append_requests(times[i : i + 50], values[i : i + 50])
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_that_finds_no_memory_says_so_and_harms_nothing(kind: int) -> None:
    for n in range(1, 60):
        buffers = SeriesBuffers(KINDS)
        model = SeriesModel(kind)
        for series, step in script():
            if series != KINDS.index(kind):
                continue
            if step == "seal":
                buffers.seal(series)
            else:
                append(buffers, series, step)
                model.append(step)
        series = KINDS.index(kind)
        buffers.fail_at(n)
        try:
            found = read(buffers, series, kind)
        except MemoryError:
            found = read(buffers, series, kind)
        assert found == model.read(*EVER)
        assert buffers.close() == 0
