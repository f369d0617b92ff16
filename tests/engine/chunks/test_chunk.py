"""The header of a chunk says what is in it, and contradicts neither itself nor its series.

Its first and last time decide, to the nanosecond, what expires.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.chunk_cases import (
    BLOCK,
    EXPONENTIAL,
    GAUGE,
    HEADER,
    HISTOGRAM,
    SUMMARY,
    WHOLE,
    decide,
    with_header,
)
from helpers.series_points import SECOND, T0, append, number

NAMES = sorted(WHOLE)


@pytest.mark.parametrize(
    "fields",
    [
        {"count": 0},
        {"count": BLOCK + 1},
        {"count": 0xFFFF},
        {"length": 0},
        {"length": 0xFFFFFFFF},
        {"flags": 0xFFFF},
        {"flags": 3},
        {"flags": 2 | 5 << 2},
        {"flags": 2 | 1 << 9},
        {"flags": 2 | 1 << 10},
        {"flags": 2 | 1 << 11},
        # Times of its own on a clock, and ticks without one.
        {"clock": 1},
        {"flags": 0},
    ],
    ids=str,
)
def test_a_header_that_contradicts_itself_is_refused(fields: dict[str, int]) -> None:
    assert not decide(with_header(WHOLE["doubles"][1], **fields))


@pytest.mark.parametrize("name", NAMES)
def test_a_chunk_of_another_kind_is_refused(name: str) -> None:
    case = WHOLE[name][1]
    for kind in (GAUGE, HISTOGRAM, EXPONENTIAL, SUMMARY):
        if (kind >= HISTOGRAM) != (case.kind >= HISTOGRAM):
            assert not decide(replace(case, kind=kind))
    if case.layout is None:
        assert not decide(replace(case, layout=(), row_words=3))
    else:
        assert not decide(replace(case, layout=None))


@pytest.mark.parametrize("name", NAMES)
def test_a_header_that_is_cut_is_refused(name: str) -> None:
    case = WHOLE[name][1]
    for end in range(HEADER):
        assert not decide(replace(case, data=case.data[:end]))


@pytest.mark.parametrize("name", NAMES)
def test_a_chunk_longer_than_its_room_is_refused(name: str) -> None:
    case = WHOLE[name][1]
    assert decide(case)
    assert not decide(with_header(case, length=len(case.data) - HEADER + 1))


@pytest.mark.parametrize("own", [False, True], ids=["on a clock", "times of its own"])
def test_a_chunk_expires_when_its_last_time_is_before(own: bool) -> None:
    """To the nanosecond, whether the time stands in the chunk or is a tick of a clock."""
    count = 20 if own else 1
    buffers = SeriesBuffers([GAUGE] * count)
    # A group has few clocks: the series that come after have times of their own.
    for series in range(count):
        for i in range(50):
            append(buffers, series, number(T0 + series * 1000 + i * SECOND + i * series, i))
        buffers.seal(series)
    series = count - 1
    assert (buffers.chunks(series)[0][0] == 0) == own
    last = T0 + series * 1000 + 49 * SECOND + 49 * series
    assert buffers.expire(series, last) == 0
    assert buffers.points(series) == 50
    buffers.expire(series, last + 1)
    assert buffers.points(series) == 0
