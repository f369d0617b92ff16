"""Series of one exporter share their times, and only as long as they need them."""

from __future__ import annotations

import numpy as np
import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE
from numpy.typing import NDArray

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
EVER = (-(2**63), 2**63 - 1)
Times = NDArray[np.int64]


def jittered(n: int, seed: int = 1, step: int = SECOND) -> Times:
    """Times like a real exporter's: a millisecond or so off the second."""
    jitter = np.random.default_rng(seed).normal(0, 1e6, n).astype(np.int64)
    return T0 + np.arange(n, dtype=np.int64) * step + jitter


def ones(times: Times) -> NDArray[np.uint64]:
    return np.ones(len(times)).view(np.uint64)


def check_times(buffers: SeriesBuffers, series: int, times: Times) -> None:
    assert [p[0] for p in buffers.read(series, *EVER)] == times.tolist()


def seal_all(buffers: SeriesBuffers) -> None:
    for series in range(buffers.count):
        buffers.seal(series)


def clocks_used(buffers: SeriesBuffers) -> set[int]:
    return {chunk[0] for s in range(buffers.count) for chunk in buffers.chunks(s)}


def test_series_of_one_group_share_one_clock() -> None:
    buffers = SeriesBuffers([GAUGE] * 50)
    times = jittered(1000)
    buffers.append_requests(times, np.ones((1000, 50)).view(np.uint64))
    seal_all(buffers)
    assert clocks_used(buffers) == {1}
    assert buffers.clock_blocks() == (3, 1)
    # The clock costs some 3 bytes a tick, the series a header and a constant every 480 points.
    assert buffers.counters()["chunk_bytes"] / 50_000 < 0.16
    for series in (0, 17, 49):
        check_times(buffers, series, times)


def test_groups_have_clocks_of_their_own() -> None:
    buffers = SeriesBuffers([GAUGE] * 4, [0, 0, 7, 7])
    buffers.append_requests(jittered(10), np.ones((10, 4)).view(np.uint64))
    seal_all(buffers)
    assert [buffers.chunks(s)[0][0] for s in range(4)] == [1, 1, 2, 2]


def test_backfill_in_one_request_shares_ticks() -> None:
    """Many times of one series, then the same times of the next."""
    buffers = SeriesBuffers([GAUGE] * 3)
    times = jittered(2000)
    for series in range(3):
        buffers.append(series, times, ones(times))
    seal_all(buffers)
    assert clocks_used(buffers) == {1}
    for series in range(3):
        check_times(buffers, series, times)


@pytest.mark.parametrize("share", [0.95, 0.5, 0.2])
def test_a_series_that_misses_ticks_has_a_bitmap(share: float) -> None:
    buffers = SeriesBuffers([GAUGE] * 2)
    times = jittered(1500)
    chosen = np.random.default_rng(2).random(1500) < share
    for time, mine in zip(times, chosen, strict=True):
        buffers.append_point(0, int(time), 0, 5, 0)
        if mine:
            buffers.append_point(1, int(time), 0, 5, 0)
    check_times(buffers, 1, times[chosen])
    seal_all(buffers)
    check_times(buffers, 1, times[chosen])
    assert clocks_used(buffers) == {1}
    points = sum(c[2] for c in buffers.chunks(1))
    assert sum(c[4] for c in buffers.chunks(1)) / points < 0.2 + 1 / (8 * share)


def test_a_series_with_few_of_the_ticks_has_times_of_its_own_and_frees_the_clock() -> None:
    buffers = SeriesBuffers([GAUGE] * 2)
    times = jittered(10_000)
    rare = times[::40]
    for i, time in enumerate(times):
        buffers.append_point(0, int(time), 0, 5, 0)
        if i % 40 == 0:
            buffers.append_point(1, int(time), 0, 5, 0)
    check_times(buffers, 1, rare)
    buffers.seal(1)
    check_times(buffers, 1, rare)
    # The first series gave up all but its last chunks; the rare one holds nothing of the clock.
    buffers.expire(0, int(times[9_000]))
    assert buffers.clock_blocks()[0] <= 5


def test_instruments_stamped_apart_get_clocks_of_their_own() -> None:
    """Five instruments, four series each; each instrument is stamped microseconds later."""
    buffers = SeriesBuffers([GAUGE] * 20)
    times = jittered(2400)
    offsets = np.arange(5, dtype=np.int64) * 3000
    for time in times:
        for series in range(20):
            buffers.append_point(series, int(time + offsets[series // 4]), 0, 5, 0)
    for series in (0, 7, 19):
        check_times(buffers, series, times + offsets[series // 4])
    seal_all(buffers)
    for series in range(20):
        check_times(buffers, series, times + offsets[series // 4])
    last = [buffers.chunks(series)[-1] for series in range(20)]
    # In the end the series of one instrument share a clock, contiguous ticks and no bitmap.
    assert all(chunk[0] != 0 and chunk[3] & 3 == 0 for chunk in last)
    for instrument in range(5):
        assert len({last[instrument * 4 + i][0] for i in range(4)}) == 1
    assert len({chunk[0] for chunk in last}) == 5


def test_exporters_out_of_order_in_one_group_stay_right() -> None:
    """Two exporters claim one resource; what the second sends is older than what the first did."""
    buffers = SeriesBuffers([GAUGE] * 2)
    mine, other = jittered(1500, 1), jittered(1500, 2) - 300_000_000
    for a, b in zip(mine, other, strict=True):
        buffers.append_point(0, int(a), 0, 5, 0)
        buffers.append_point(1, int(b), 0, 5, 0)
    for _ in range(2):
        check_times(buffers, 0, mine)
        check_times(buffers, 1, other)
        seal_all(buffers)
    assert len(buffers.chunks(1)) <= 6


def test_blocks_are_freed_with_the_last_chunk_that_needs_them() -> None:
    buffers = SeriesBuffers([GAUGE] * 2)
    times = jittered(4800)
    buffers.append_requests(times, np.ones((4800, 2)).view(np.uint64))
    blocks = [buffers.clock_blocks()[0]]
    for i in range(1, 10):
        for series in (0, 1):
            buffers.expire(series, int(times[i * 480]) + SECOND)
        blocks.append(buffers.clock_blocks()[0])
    assert blocks[0] == 10 and blocks[-1] <= 2 and blocks == sorted(blocks, reverse=True)
    for series in (0, 1):
        buffers.clear(series)
    assert buffers.clock_blocks() == (0, 0)
    assert buffers.counters()["chunk_bytes"] == 0


def test_blocks_that_nobody_refers_to_are_not_kept() -> None:
    """Short-lived series come and go; the clock keeps what the living need."""
    buffers = SeriesBuffers([GAUGE] * 2)
    times = jittered(6000)
    for i, time in enumerate(times):
        buffers.append_point(0, int(time), 0, 5, 0)
        if i % 100 == 99:
            buffers.clear(0)
            buffers.append_point(1, int(time), 0, 5, 0)
    assert buffers.clock_blocks()[0] <= 9
    check_times(buffers, 1, times[99::100])


def test_a_clock_costs_what_its_ticks_cost() -> None:
    buffers = SeriesBuffers([GAUGE])
    buffers.append(0, jittered(4800), ones(jittered(4800)))
    buffers.seal(0)
    chunks = sum(c[4] for c in buffers.chunks(0))
    per_tick = (buffers.counters()["chunk_bytes"] - chunks) / 4800
    assert 2.0 < per_tick < 3.5
