"""Deltas of collapsed sources (DATA_ADD) are added."""

from __future__ import annotations

import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import (
    ADD,
    EXPONENTIAL,
    HAS_MIN,
    HAS_SUM,
    HISTOGRAM,
    SUM,
    bits,
    canonical,
    exponential_layout,
)
from helpers.series_points import EVER, SECOND, T0, Pair, append, exponential, histogram, number


@pytest.mark.parametrize("seal", [False, True])
def test_equal_times_are_added_with_data_add(seal: bool) -> None:
    pair = Pair(SUM, ADD)
    for i in range(40):
        for value in (1, 2, 3.5, 4):
            pair.append(number(T0 + i * SECOND, value, start=T0 - SECOND))
    if seal:
        pair.real.seal(0)
    pair.append(*[number(T0 + i * SECOND, 7) for i in (3, 39, 3, 0)])
    pair.check()
    pair.real.seal(0)
    pair.check()


def test_an_integer_sum_that_overflows_becomes_a_double() -> None:
    pair = Pair(SUM, ADD)
    pair.append(number(T0, 2**63 - 1), number(T0, 2**63 - 1))
    pair.check()
    assert pair.real.read(0, *EVER)[0][2:4] == (bits(2.0**64), 0)


def test_histograms_are_added_bucket_by_bucket_and_without_buckets_if_bounds_differ() -> None:
    buffers = SeriesBuffers([HISTOGRAM], [0], [ADD])
    append(buffers, 0, histogram(T0, [1, 2, 3], [1.0, 2.0], total=4.0))
    append(buffers, 0, histogram(T0, [10, 20, 30], [1.0, 2.0], total=6.0))
    ((_, _, count, flags, bounds, row),) = buffers.read(0, *EVER)
    assert count == 66 and flags == HAS_SUM | HAS_MIN and len(bounds) == 2
    assert row == (bits(10.0), bits(0.5), 0, 11, 22, 33)
    append(buffers, 0, histogram(T0, [5], [], total=1.0))
    ((_, _, count, _, bounds, row),) = buffers.read(0, *EVER)
    assert count == 71 and bounds == () and row == (bits(11.0), bits(0.5), 0)


def test_exponential_histograms_are_added_at_the_smaller_scale() -> None:
    buffers = SeriesBuffers([EXPONENTIAL], [0], [ADD])
    # At scale 1 the buckets -2..1 of scale 2 are -1, -1, 0, 0.
    append(buffers, 0, exponential(T0, 2, -2, [1, 2, 4, 8], 5, (1,)))
    append(buffers, 0, exponential(T0, 1, -1, [10, 0, 30]))
    ((_, _, count, _, layout, row),) = [canonical(p, EXPONENTIAL) for p in buffers.read(0, *EVER)]
    assert layout == exponential_layout(1, -1, 3, 2)
    assert row == (bits(5.0), 0, bits(9.0), 6, 0, 13, 12, 30, 1)
    assert count == 62
