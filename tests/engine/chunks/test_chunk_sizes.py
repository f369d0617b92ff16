"""What a chunk costs."""

from __future__ import annotations

import numpy as np
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import GAUGE, HISTOGRAM, STALE, SUM, Point, canonical
from helpers.series_points import SECOND, T0, append, histogram, number, read


def sizes(points: list[Point], kind: int = SUM) -> list[int]:
    """Bytes, header included, of the chunks of a series whose clock others share."""
    buffers = SeriesBuffers([kind, GAUGE])
    for point in points:
        append(buffers, 1, number(point[0], 1.0))
        append(buffers, 0, point)
    buffers.seal(0)
    assert read(buffers, 0, kind) == [canonical(p, kind) for p in points]
    return [c[4] for c in buffers.chunks(0)]


def test_a_constant_series_costs_a_header_and_a_value() -> None:
    times = range(T0, T0 + 300 * SECOND, SECOND)
    assert sizes([number(t, 3.5, start=T0 - 1) for t in times])[0] <= 34
    assert sizes([number(t, 3.5) for t in times])[0] <= 26
    assert sizes([number(t, 12, start=T0 - 1) for t in times])[0] <= 34


def test_delta_starts_cost_nothing_each() -> None:
    points = [number(T0 + i * SECOND, 3, start=T0 + (i - 1) * SECOND) for i in range(300)]
    assert sizes(points)[0] <= 34
    late = [*points[:150], *points[151:]]
    assert sizes(late)[0] <= 34 + 60


def test_integers_and_doubles_share_a_chunk_at_a_bit_each() -> None:
    mixed = [number(T0 + i * SECOND, i if i % 3 else i + 0.5) for i in range(300)]
    assert len(sizes(mixed)) == 1
    beyond = [number(T0 + i * SECOND, 2**53 + i if i % 3 else i + 0.5) for i in range(300)]
    assert len(sizes(beyond)) == 1


def test_stale_marks_cost_little_and_do_not_disturb_the_values() -> None:
    points = [number(T0 + i * SECOND, float(i)) for i in range(300)]
    plain = sizes(points)[0]
    points[100] = (T0 + 100 * SECOND, 0, 0, STALE, (), ())
    assert sizes(points)[0] <= plain + 60


def test_a_count_that_is_the_sum_of_its_buckets_is_not_stored() -> None:
    rng = np.random.default_rng(7)
    buckets = [rng.poisson(9, 4).tolist() for _ in range(200)]
    summed = [histogram(T0 + i * SECOND, b, [1.0, 2.0, 3.0]) for i, b in enumerate(buckets)]
    other = [(*p[:2], p[2] + 1, *p[3:]) for p in summed]
    assert sizes(summed, HISTOGRAM)[0] + 100 < sizes(other, HISTOGRAM)[0]
