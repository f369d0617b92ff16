"""A series of chunks is, at every moment, what a dict of its points is."""

from __future__ import annotations

import pytest
from helpers.series_model import (
    ADD,
    EXPONENTIAL,
    GAUGE,
    HAS_MAX,
    HAS_MIN,
    HAS_SUM,
    HISTOGRAM,
    INT,
    STALE,
    SUM,
    SUMMARY,
    Point,
    SeriesModel,
    bits,
    canonical,
    exponential_layout,
    int_bits,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from urpo_store.engine.series_buffers import SeriesBuffers

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
EVER = (-(2**63), 2**63 - 1)


def number(time: int, value: float | int, start: int = 0, flags: int = 0) -> Point:
    if isinstance(value, int):
        return time, start, int_bits(value), flags | INT, (), ()
    return time, start, bits(value), flags, (), ()


def histogram(
    time: int, counts: list[int], bounds: list[float], total: float = 1.5, start: int = 0
) -> Point:
    row = (bits(total), bits(0.5), 0, *counts)
    return time, start, sum(counts), HAS_SUM | HAS_MIN, tuple(map(bits, bounds)), row


def exponential(
    time: int, scale: int, positive: int, ups: list[int], negative: int = 0, downs: tuple = ()
) -> Point:
    layout = exponential_layout(scale, positive if ups else 0, len(ups), negative if downs else 0)
    row = (bits(2.5), 0, bits(9.0), 3, bits(0.0), *ups, *downs)
    return time, 0, sum(ups) + sum(downs) + 3, HAS_SUM | HAS_MAX, layout, row


def append(buffers: SeriesBuffers, series: int, point: Point, exemplars: tuple = ()) -> None:
    assert buffers.append_point(series, *point, exemplars)


def read(buffers: SeriesBuffers, series: int, kind: int, *range_: int | bool) -> list[Point]:
    return [canonical(p, kind) for p in buffers.read(series, *(range_ or EVER))]


class Pair:
    """The real series and its model, fed alike."""

    def __init__(self, kind: int = GAUGE, options: int = 0) -> None:
        self.kind = kind
        self.real = SeriesBuffers([kind], [0], [options])
        self.model = SeriesModel(kind, add=bool(options & ADD))

    def append(self, *points: Point) -> None:
        for point in points:
            append(self.real, 0, point)
            self.model.append(point)

    def check(self) -> None:
        assert read(self.real, 0, self.kind) == self.model.read(*EVER)
        counters = self.real.counters()
        assert counters["points"] == self.real.points(0) == len(self.model.points)
        assert counters["duplicate_points"] == self.model.duplicates
        assert counters["replaced_points"] == self.model.replaced
        assert counters["late_points"] == self.model.late
        assert counters["evicted_points"] == 0


# Same series and time again (SEMANTICS, "Time and retention")


@pytest.mark.parametrize("seal", [False, True])
def test_same_value_again_is_idempotent(seal: bool) -> None:
    pair = Pair()
    points = [number(T0 + i * SECOND, float(i)) for i in range(30)]
    pair.append(*points)
    if seal:
        pair.real.seal(0)
    pair.append(*points)
    pair.check()
    assert pair.model.duplicates == 30


@pytest.mark.parametrize("seal", [False, True])
def test_another_value_replaces_the_earlier_and_is_counted(seal: bool) -> None:
    pair = Pair()
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in range(30)])
    if seal:
        pair.real.seal(0)
    pair.append(*[number(T0 + i * SECOND, i + 0.5) for i in (29, 3, 0, 3, 15)])
    pair.check()
    pair.real.seal(0)
    pair.check()
    assert pair.model.replaced == 4 and pair.model.duplicates == 1


# Whatever happens, in whatever order

values = st.one_of(
    st.sampled_from([0.0, -0.0, 1.5, 1e300, float("inf"), float("-inf")]),
    st.integers(-5, 5),
    st.sampled_from([2**53, 2**53 + 1, -(2**63), 2**63 - 1]),
    st.floats(width=64),
)
bound_sets = st.sampled_from([[], [1.0], [1.0, 2.0, 5.0]])


@st.composite
def points_at(draw: st.DrawFn, kind: int, time: int) -> Point:
    start = draw(st.sampled_from([0, T0, time - SECOND, time]))
    if draw(st.integers(0, 9)) == 0:
        return time, start, 0, STALE, (), ()
    if kind in (GAUGE, SUM):
        flags = draw(st.sampled_from([0, 0, 2]))
        return number(time, draw(values), start, flags)
    counts = st.integers(0, 1000)
    if kind == HISTOGRAM:
        bounds = draw(bound_sets)
        buckets = draw(st.lists(counts, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
        point = histogram(time, buckets, bounds, draw(st.floats(0, 1e9)), start)
        wrong_count = draw(st.integers(0, 5)) == 0
        return (*point[:2], point[2] + wrong_count, *point[3:])
    if kind == EXPONENTIAL:
        sides = st.lists(counts, max_size=6)
        return canonical(
            exponential(
                time,
                draw(st.sampled_from([3, 3, 3, 2])),
                draw(st.integers(-20, 20)),
                draw(sides),
                draw(st.integers(-20, 20)),
                tuple(draw(sides)),
            ),
            EXPONENTIAL,
        )
    quantiles = draw(st.sampled_from([[0.5], [0.5, 0.99]]))
    row = draw(st.lists(st.floats(), min_size=len(quantiles) + 1, max_size=len(quantiles) + 1))
    return time, start, 7, 0, tuple(map(bits, quantiles)), tuple(map(bits, row))


@st.composite
def offsets(draw: st.DrawFn) -> int:
    """Mostly on a grid of seconds that the series share, sometimes beside it."""
    second = draw(st.integers(0, 60))
    return second * SECOND + draw(st.sampled_from([0, 0, 0, 1, 500_000]))


@st.composite
def operations(draw: st.DrawFn, kind: int) -> tuple:
    what = draw(st.sampled_from(["point"] * 12 + ["run", "run", "seal", "read", "read"]))
    series = draw(st.integers(0, 1))
    if what == "point":
        return what, series, draw(points_at(kind, T0 + draw(offsets())))
    if what == "run":
        first = draw(offsets())
        step = draw(st.sampled_from([SECOND, 3 * SECOND, -SECOND, 12_345_678]))
        n = draw(st.sampled_from([5, 40, 200]))
        sample = [draw(points_at(kind, T0)) for _ in range(3)]
        return what, series, first, step, n, sample
    if what == "seal":
        return what, series
    lo, hi = sorted((draw(offsets()), draw(offsets())))
    return what, series, T0 + lo, T0 + hi, draw(st.booleans())


@pytest.mark.parametrize("kind", [GAUGE, HISTOGRAM, EXPONENTIAL, SUMMARY])
def test_equal_to_the_model_at_every_moment(kind: int) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(operations(kind), max_size=40))
    def run(ops: list[tuple]) -> None:
        buffers = SeriesBuffers([kind, kind], [0, 0])
        models = [SeriesModel(kind), SeriesModel(kind)]
        for what, series, *rest in ops:
            model = models[series]
            if what == "point":
                append(buffers, series, rest[0])
                model.append(rest[0])
            elif what == "run":
                first, step, n, sample = rest
                for i in range(n):
                    point = (T0 + first + i * step, *sample[i % len(sample)][1:])
                    append(buffers, series, point)
                    model.append(point)
            elif what == "seal":
                buffers.seal(series)
            else:
                assert read(buffers, series, kind, *rest) == model.read(*rest)
            assert buffers.points(series) == len(model.points)
        for series, model in enumerate(models):
            assert read(buffers, series, kind) == model.read(*EVER)
            buffers.seal(series)
            assert read(buffers, series, kind) == model.read(*EVER)
            assert sum(c[2] for c in buffers.chunks(series)) == len(model.points)
        counters = buffers.counters()
        assert counters["points"] == sum(len(m.points) for m in models)
        assert counters["duplicate_points"] == sum(m.duplicates for m in models)
        assert counters["replaced_points"] == sum(m.replaced for m in models)
        assert counters["late_points"] == sum(m.late for m in models)
        assert buffers.close() == 0

    run()
