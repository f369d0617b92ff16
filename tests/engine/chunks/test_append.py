"""A series of chunks is, at every moment, what a dict of its points is."""

from __future__ import annotations

import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import (
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    STALE,
    SUM,
    SUMMARY,
    Point,
    SeriesModel,
    bits,
    canonical,
)
from helpers.series_points import (
    EVER,
    KINDS,
    SECOND,
    T0,
    append,
    exponential,
    histogram,
    number,
    read,
    script,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


def attempt(buffers: SeriesBuffers) -> tuple[list[SeriesModel], int, int]:
    """Runs the script; what must be there, how many points were refused, how many seals."""
    models = [SeriesModel(kind) for kind in KINDS]
    refused = unsealed = 0
    for series, step in script():
        if step == "seal":
            try:
                buffers.seal(series)
            except MemoryError:
                unsealed += 1
        elif buffers.append_point(series, *step):
            models[series].append(step)
        else:
            refused += 1
    return models, refused, unsealed


def test_every_allocation_that_fails_leaves_a_right_store() -> None:
    buffers = SeriesBuffers(KINDS)
    _, before = buffers.memory()
    assert attempt(buffers)[1:] == (0, 0)
    calls = buffers.memory()[1] - before
    total = 0
    for n in range(1, calls + 1):
        buffers = SeriesBuffers(KINDS)
        buffers.fail_at(n)
        models, refused, unsealed = attempt(buffers)
        assert refused + unsealed <= 1
        total += refused + unsealed
        assert buffers.counters()["evicted_points"] == refused
        for series, kind in enumerate(KINDS):
            assert read(buffers, series, kind) == models[series].read(*EVER), n
            assert buffers.points(series) == len(models[series].points)
            buffers.seal(series)
            assert read(buffers, series, kind) == models[series].read(*EVER), n
        # What could not be noted in limbo is leaked, as memory/epoch.pxd says; nothing else is.
        leaked = buffers.close()
        assert leaked == 0 or (refused + unsealed == 0 and leaked < 5000), n
    assert total > calls // 2
