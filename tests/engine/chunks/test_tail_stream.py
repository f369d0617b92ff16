"""A tail's stream is read as it was written, and damage is told."""

from __future__ import annotations

import numpy as np
import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import EXPONENTIAL, GAUGE, HISTOGRAM, SUMMARY, bits
from helpers.series_points import (
    EVER,
    SECOND,
    T0,
    Pair,
    append,
    exponential,
    histogram,
    number,
)


def test_decimals_come_back_bit_for_bit_whatever_stands_between_them() -> None:
    """Digits change, numbers without an end, -0.0, NaN payloads, infinities, int64: while they are open."""
    chance = np.random.default_rng(5)
    odd = [-0.0, 0.0, float("inf"), float("-inf"), 5e-324, 1.7e308, 2.0**53, 2.0**53 + 2, 1 / 3]
    patterns = [*map(bits, odd), 0x7FF8_0000_0000_1234, 0xFFF0_0000_0000_0001, 2**64 - 1]
    for digits in range(9):
        pair = Pair()
        for i in range(300):
            time = T0 + i * SECOND
            if chance.random() < 0.1:
                pair.append((time, 0, patterns[chance.integers(len(patterns))], 0, (), ()))
            elif chance.random() < 0.1:
                pair.append(number(time, int(chance.integers(-(2**62), 2**62))))
            else:
                scale = digits if chance.random() < 0.9 else int(chance.integers(9))
                pair.append(number(time, round(float(chance.normal(50, 20)), scale)))
        pair.check()
        pair.real.seal(0)
        pair.check()


def filled(kind: int) -> SeriesBuffers:
    """A tail with every part of an entry: ticks skipped, flags, starts, rows that widen."""
    buffers = SeriesBuffers([GAUGE, kind])
    for i in range(60):
        time = T0 + i * SECOND
        append(buffers, 0, number(time, 1.0))
        if i % 7 == 3:
            continue
        start = (0, T0, time - SECOND, T0)[i // 4 % 4]
        if kind == GAUGE:
            point = number(time, i / 8 if i % 3 else i, start, i % 5 == 0)
        elif kind == HISTOGRAM:
            point = histogram(time, [i, 0, 0, 7], [1.0, 2.0, 3.0], i * 1.5, start)
        elif kind == EXPONENTIAL:
            point = exponential(time, 3, -i // 4, [1] * (i // 2 + 1), i // 8, (i, 1))
        else:
            point = (time, start, i, 0, (bits(0.5),), (bits(i * 0.25), bits(1.0)))
        append(buffers, 1, point)
    return buffers


@pytest.mark.parametrize("kind", [GAUGE, HISTOGRAM, EXPONENTIAL, SUMMARY])
def test_a_stream_is_decoded_from_its_bytes(kind: int) -> None:
    buffers = filled(kind)
    assert buffers.decode_stream(1, buffers.tail_stream(1)) == buffers.read(1, *EVER)


@pytest.mark.parametrize("kind", [GAUGE, HISTOGRAM, EXPONENTIAL, SUMMARY])
def test_a_stream_that_is_cut_or_too_long_is_bad(kind: int) -> None:
    buffers = filled(kind)
    stream = buffers.tail_stream(1)
    for length in range(len(stream)):
        with pytest.raises(ValueError, match="not the entries"):
            buffers.decode_stream(1, stream[:length])
    with pytest.raises(ValueError, match="not the entries"):
        buffers.decode_stream(1, stream + b"\0")


@pytest.mark.parametrize("kind", [GAUGE, HISTOGRAM, EXPONENTIAL, SUMMARY])
def test_damage_is_told_or_gives_other_points_and_harms_nothing(kind: int) -> None:
    """Under `make sanitize` no byte beside the stream may be touched."""
    chance = np.random.default_rng(kind)
    buffers = filled(kind)
    stream = buffers.tail_stream(1)
    points = buffers.read(1, *EVER)
    bad = 0
    for turn in range(4000):
        damaged = bytearray(stream)
        for _ in range(turn % 4 + 1):
            damaged[chance.integers(len(damaged))] = chance.choice((0, 0x7F, 0x80, 0xFF)) ^ (
                chance.integers(256) if turn % 2 else 0
            )
        try:
            assert len(buffers.decode_stream(1, bytes(damaged))) == len(points)
        except ValueError:
            bad += 1
    assert bad > 1000
    assert buffers.decode_stream(1, stream) == buffers.read(1, *EVER) == points
    assert buffers.close() == 0


@pytest.mark.parametrize("skipped", [2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
def test_ticks_that_the_tail_does_not_have_are_bad(skipped: int) -> None:
    """However many are skipped, and whatever 32 bits make of that."""
    buffers = SeriesBuffers([GAUGE])
    for i in range(3):
        append(buffers, 0, number(T0 + i * SECOND, 1.0, T0))
    stream = buffers.tail_stream(0)
    varint = bytearray()
    while skipped >= 0x80:
        varint.append(skipped & 0x7F | 0x80)
        skipped >>= 7
    varint.append(skipped)
    # The second entry is one byte: nothing but the next tick.
    assert stream[-1] == 0
    with pytest.raises(ValueError, match="not the entries"):
        buffers.decode_stream(0, stream[:-1] + b"\x80\x01" + bytes(varint))


def test_times_of_its_own_are_told_by_their_distances() -> None:
    """A series whose times no other shares, after GROUP_CLOCKS others of its group."""
    count = 20
    buffers = SeriesBuffers([GAUGE] * count)
    chance = np.random.default_rng(4)
    for series in range(count):
        times = np.sort(chance.choice(10**9, 50, replace=False)) + T0
        for i, time in enumerate(times.tolist()):
            append(buffers, series, number(time, i / 4))
        assert [p[0] for p in buffers.read(series, *EVER)] == times.tolist()
    stream = buffers.tail_stream(count - 1)
    assert buffers.decode_stream(count - 1, stream) == buffers.read(count - 1, *EVER)
    with pytest.raises(ValueError, match="not the entries"):
        buffers.decode_stream(count - 1, stream[:-1])
