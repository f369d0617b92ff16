"""The times of a chunk's ticks, gathered from the blocks of its clock; here, from any blocks.

Blocks are decoded once and kept by their serial, so the tests also read one series after another.
"""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.chunk_cases import WHOLE, decide, with_header
from helpers.series_model import GAUGE
from helpers.series_points import EVER, SECOND, T0

CLOCKED = [name for name in sorted(WHOLE) if WHOLE[name][1].spans]


@pytest.mark.parametrize("name", CLOCKED)
def test_ticks_that_are_not_there_are_refused(name: str) -> None:
    case = WHOLE[name][1]
    for i, (held, count, raw) in enumerate(case.spans):
        if held is None:
            continue
        for span in ((None, count, raw), (held[:-1], count, raw), (held, 0, raw), (held, 481, raw)):
            assert not decide(replace(case, spans=(*case.spans[:i], span, *case.spans[i + 1 :])))
        assert not decide(replace(case, spans=case.spans[:i]))


def test_the_tick_behind_the_last_one_is_refused() -> None:
    case = WHOLE["ticks up to the raw block"][1]
    ticks = struct.unpack_from("<IIHHI", case.data)[1]
    assert not decide(with_header(case, tick=ticks + 1))
    assert not decide(with_header(case, tick=2**32 - 3))


def test_times_over_more_blocks_than_are_kept_decoded() -> None:
    """Series of several groups, read in turn, so that blocks take one another's places."""
    groups, n = 6, 3000
    buffers = SeriesBuffers([GAUGE] * groups, list(range(groups)))
    chance = np.random.default_rng(1)
    times = [
        T0 + np.arange(n, dtype=np.int64) * SECOND + chance.integers(0, 10**6, n)
        for _ in range(groups)
    ]
    for series in range(groups):
        buffers.append(series, times[series], np.ones(n).view(np.uint64))
        buffers.seal(series)
    assert buffers.clock_blocks()[1] == groups
    assert buffers.decode_points(*EVER) == groups * n
    for series in (0, 5, 0, 3):
        assert [p[0] for p in buffers.read(series, *EVER)] == times[series].tolist()
        begin, end = times[series][470], times[series][490]
        found = [p[0] for p in buffers.read(series, int(begin), int(end))]
        assert found == times[series][470:491].tolist()
