"""Chunks are given up by age, or the oldest first."""

from __future__ import annotations

import numpy as np
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE
from helpers.series_points import EVER, SECOND, T0, Pair, number, read


def test_retention_drops_whole_chunks_and_an_idle_series_entirely() -> None:
    pair = Pair()
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in range(1500)])
    before = T0 + 1000 * SECOND
    dropped = pair.real.expire(0, before)
    found = read(pair.real, 0, GAUGE)
    assert dropped == 1500 - len(found) and 500 <= len(found) <= 980
    assert found == pair.model.read(found[0][0], EVER[1])
    assert pair.real.points(0) == len(found) == pair.real.counters()["points"]
    assert pair.real.expire(0, T0 + 1500 * SECOND) == len(found)
    assert pair.real.points(0) == 0 and read(pair.real, 0, GAUGE) == []


def test_late_points_leave_with_the_chunk_they_belong_to() -> None:
    pair = Pair()
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in range(1500)])
    late = [number(T0 + 5 * SECOND, 0.25), number(T0 + 6 * SECOND + 1, 0.25)]
    pair.append(*late, number(T0 + 1400 * SECOND, 0.25))
    pair.real.expire(0, T0 + 700 * SECOND)
    found = read(pair.real, 0, GAUGE)
    assert found == pair.model.read(found[0][0], EVER[1])
    assert pair.real.points(0) == len(found)


def test_the_oldest_chunks_of_all_series_go_first() -> None:
    buffers = SeriesBuffers([GAUGE] * 8)
    rng = np.random.default_rng(5)
    for series in range(8):
        times = np.arange(2400, dtype=np.int64) * SECOND + T0 + series * 600 * SECOND
        buffers.append(series, times, rng.normal(0, 1, 2400).view(np.uint64))
        buffers.seal(series)
    before, total = buffers.counters(), sum(buffers.points(s) for s in range(8))
    dropped = buffers.evict(before["chunk_bytes"] // 3)
    after = buffers.counters()
    freed = before["chunk_bytes"] - after["chunk_bytes"]
    assert before["chunk_bytes"] // 3 <= freed * 1.05 + 8000 and freed < before["chunk_bytes"] // 2
    assert after["evicted_points"] == dropped == total - after["points"]
    kept = [[p[0] for p in buffers.read(s, *EVER)] for s in range(8)]
    assert [len(times) for times in kept] == [buffers.points(s) for s in range(8)]
    # What went is older than what stayed, by whole chunks and blocks of clocks.
    ends = [T0 + (s * 600 + 2399 - len(kept[s])) * SECOND for s in range(8)]
    newest_gone = max(ends[s] for s in range(8) if len(kept[s]) < 2400)
    oldest_kept = min(times[0] for times in kept if times)
    assert newest_gone - oldest_kept < 2 * 480 * SECOND
    assert len(kept[7]) == 2400


def test_eviction_of_everything_leaves_series_that_still_work() -> None:
    pair = Pair()
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in range(1000)])
    pair.real.seal(0)
    assert pair.real.evict(1 << 40) == 1000
    assert pair.real.clock_blocks() == (0, 0)
    assert read(pair.real, 0, GAUGE) == []
    again = Pair()
    for buffers in (pair, again):
        buffers.append(number(T0 + 5 * SECOND, 1.0), number(T0 + 2000 * SECOND, 2.0))
    assert read(pair.real, 0, GAUGE) == read(again.real, 0, GAUGE)
