"""A series of chunks is, at every moment, what a dict of its points is."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from drivers.series_buffers import SeriesBuffers
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


# The newest point and late ones


def test_late_points_are_merged_and_counted() -> None:
    pair = Pair()
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in range(0, 1000, 2)])
    pair.append(*[number(T0 + i * SECOND, float(i)) for i in (1, 501, 997)])
    pair.check()
    pair.real.seal(0)
    pair.check()
    assert pair.model.late == 3


def test_one_late_point_does_not_cost_a_chunk_its_shared_clock() -> None:
    buffers = SeriesBuffers([GAUGE, GAUGE])
    for i in range(300):
        for series in (0, 1):
            append(buffers, series, number(T0 + i * SECOND, float(i)))
    for series in (0, 1):
        buffers.seal(series)
    append(buffers, 0, number(T0 + 100 * SECOND + 7, 1.0))
    buffers.seal(0)
    own, shared = [[c for c in buffers.chunks(0) if (c[0] == 0) == own] for own in (True, False)]
    assert sorted(c[2] for c in shared) + [c[2] for c in own] == [101, 199, 1]


def test_a_late_point_at_a_tick_of_the_clock_goes_into_the_shared_chunk() -> None:
    buffers = SeriesBuffers([GAUGE, GAUGE])
    for i in range(300):
        append(buffers, 0, number(T0 + i * SECOND, 1.0))
        if i != 150:
            append(buffers, 1, number(T0 + i * SECOND, 1.0))
    buffers.seal(1)
    append(buffers, 1, number(T0 + 150 * SECOND, 1.0))
    buffers.seal(1)
    ((clock, _, points, _, size),) = buffers.chunks(1)
    assert clock != 0 and points == 300 and size < 40


def test_reversed_backfill_is_right_and_not_quadratic() -> None:
    pair = Pair()
    n = 20_000
    times = np.arange(n, dtype=np.int64)[::-1] * SECOND + T0
    assert pair.real.append(0, times, np.arange(n, dtype=np.uint64)) == 0
    found = pair.real.read(0, *EVER)
    assert [p[0] for p in found] == sorted(times.tolist())
    assert [p[2] for p in found] == list(range(n))[::-1]
    pair.real.seal(0)
    # Each chunk is made about once: 42 full ones, and what is left at either end.
    assert len(pair.real.chunks(0)) <= n // 480 + 3


def test_a_resent_request_allocates_nothing() -> None:
    buffers = SeriesBuffers([SUM] * 50)
    times = np.arange(300, dtype=np.int64) * SECOND + T0
    values = np.arange(300 * 50, dtype=np.uint64).reshape(300, 50)
    buffers.append_requests(times, values)
    buffers.append_requests(times[-1:], values[-1:])
    _, before = buffers.memory()
    buffers.append_requests(times[-1:], values[-1:])
    assert buffers.memory()[1] == before
    assert buffers.counters()["duplicate_points"] == 100


def test_what_was_looked_up_is_forgotten_with_its_chunk() -> None:
    """A new chunk mostly gets the memory of one that was freed; it is not taken for that."""
    buffers = SeriesBuffers([GAUGE])
    for round_ in range(6):
        points = [number(T0 + i * SECOND, float(round_)) for i in range(300)]
        for point in points:
            append(buffers, 0, point)
        buffers.seal(0)
        replaced = buffers.counters()["replaced_points"]
        append(buffers, 0, number(T0 + 7 * SECOND, round_ - 1.0))
        assert buffers.counters()["replaced_points"] == replaced + 1
        append(buffers, 0, number(T0 + 8 * SECOND, float(round_)))
        assert buffers.counters()["duplicate_points"] == round_ + 1
        buffers.clear(0)


def test_what_was_looked_up_is_forgotten_with_its_tail() -> None:
    """The next tail has the same place and, of a constant series, the same length."""
    pair = Pair()
    points = [number(T0 + i * SECOND, 3.5) for i in range(680)]
    pair.append(*points[:200], points[5], *points[200:], points[485], points[679], points[480])
    pair.check()
    assert pair.model.duplicates == 4


# Deltas of collapsed sources (SeriesData.options ADD)


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


# Layouts


def test_a_change_of_bounds_begins_a_new_chunk_and_layouts_are_stored_once() -> None:
    buffers = SeriesBuffers([HISTOGRAM] * 3)
    wide = [float(b) for b in range(14)]
    for i in range(60):
        for series in range(3):
            bounds = wide if i < 30 else wide[:5]
            append(buffers, series, histogram(T0 + i, [i] * (len(bounds) + 1), bounds))
    for series in range(3):
        buffers.seal(series)
        assert [c[2] for c in buffers.chunks(series)] == [30, 30]
    assert buffers.counters()["layouts"] == 2
    for series in range(3):
        buffers.clear(series)
    assert buffers.counters()["layouts"] == 0


def test_growing_exponential_ranges_share_a_chunk_and_another_scale_does_not() -> None:
    pair = Pair(EXPONENTIAL)
    pair.append(*[exponential(T0 + i, 3, -i, [1] * (2 * i + 1), i, (i, 1)) for i in range(100)])
    pair.append(*[exponential(T0 + 100 + i, 2, -i, [1] * (2 * i + 1)) for i in range(100)])
    pair.append(exponential(T0 + 50, 3, 300, [5]))
    pair.check()
    pair.real.seal(0)
    pair.check()
    assert [c[2] for c in pair.real.chunks(0)] == [100, 100]


def test_ranges_far_apart_do_not_share_a_chunk() -> None:
    pair = Pair(EXPONENTIAL)
    pair.append(exponential(T0, 20, -1_000_000, [1]), exponential(T0 + 1, 20, 1_000_000, [1]))
    pair.check()
    pair.real.seal(0)
    pair.check()
    assert [c[2] for c in pair.real.chunks(0)] == [1, 1]


# What a chunk costs


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


def test_series_are_not_all_sealed_at_once() -> None:
    buffers = SeriesBuffers([GAUGE] * 64)
    times = np.arange(480, dtype=np.int64) * SECOND + T0
    values = np.ones((480, 64), np.float64).view(np.uint64)
    buffers.append_requests(times, values)
    first = {buffers.chunks(s)[0][2] if buffers.chunks(s) else 480 for s in range(64)}
    assert len(first) > 50


def test_few_allocations_for_many_points() -> None:
    buffers = SeriesBuffers([GAUGE] * 20)
    n = 4800
    times = np.arange(n, dtype=np.int64) * SECOND + T0
    values = np.random.default_rng(3).normal(0, 1, (n, 20)).round(2).view(np.uint64)
    _, before = buffers.memory()
    buffers.append_requests(times, values)
    assert buffers.memory()[1] - before <= n * 20 / 100


# Reading


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


# Giving up


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


# Exemplars


def exemplar(time: int, filler: bytes = b"trace") -> bytes:
    attribute = b"\x3a" + bytes([len(filler)]) + filler
    return attribute + b"\x11" + time.to_bytes(8, "little") if time else attribute


def test_exemplars_are_read_by_their_own_time_or_their_points() -> None:
    buffers = SeriesBuffers([GAUGE])
    first, second, third = exemplar(T0 + 9), exemplar(0), exemplar(T0 - 5)
    append(buffers, 0, number(T0, 1.0), (first, second))
    append(buffers, 0, number(T0 + 1, 1.0), (third,))
    assert buffers.exemplars(0, *EVER) == [(T0 - 5, third), (T0, second), (T0 + 9, first)]
    assert buffers.exemplars(0, T0, T0) == [(T0, second)]


def test_a_resent_exemplar_is_not_doubled() -> None:
    buffers = SeriesBuffers([GAUGE])
    for _ in range(3):
        append(buffers, 0, number(T0, 1.0), (exemplar(T0), exemplar(T0, b"other")))
    assert len(buffers.exemplars(0, *EVER)) == 2


def test_the_oldest_exemplars_are_dropped_and_counted() -> None:
    buffers = SeriesBuffers([HISTOGRAM])
    messages = [exemplar(T0 + i, b"x" * 100) for i in range(400)]
    for i, message in enumerate(messages):
        append(buffers, 0, histogram(T0 + i, [1], []), (message,))
    kept = [message for _, message in buffers.exemplars(0, *EVER)]
    assert kept == messages[-len(kept) :] and 100 < len(kept) < 150
    assert buffers.counters()["dropped_exemplars"] == 400 - len(kept)
    append(buffers, 0, histogram(T0 + 500, [1], []), (exemplar(0, b"y" * 20_0),))


def test_expired_exemplars_go() -> None:
    buffers = SeriesBuffers([GAUGE])
    for i in range(10):
        append(buffers, 0, number(T0 + i, 1.0), (exemplar(T0 + i),))
    buffers.expire(0, T0 + 4)
    assert [t for t, _ in buffers.exemplars(0, *EVER)] == list(range(T0 + 4, T0 + 10))


# No memory


def script() -> list[tuple]:
    """A run that takes every way there is to allocate."""
    steps: list[tuple] = []
    for i in range(70):
        steps.append((0, number(T0 + i * SECOND, i if i % 5 else i + 0.5, start=T0)))
        steps.append((1, histogram(T0 + i * SECOND, [i, 1], [1.0] if i < 40 else [2.0])))
        steps.append((2, exponential(T0 + i * SECOND, 3, -i, [1] * (i + 1))))
        if i % 7 == 3:
            steps.append((0, number(T0 + (i - 3) * SECOND + 1, 9.0)))
            steps.append((0, number(T0 + (i - 2) * SECOND, -1.0)))
            steps.append((2, exponential(T0 + (i - 1) * SECOND, 3, 40, [i])))
        if i % 30 == 29:
            steps += [(0, "seal"), (1, "seal"), (2, "seal")]
    return steps


KINDS = (SUM, HISTOGRAM, EXPONENTIAL)


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


def test_nothing_is_owned_after_closing() -> None:
    buffers = SeriesBuffers(KINDS)
    for series, step in script():
        if step == "seal":
            buffers.seal(series)
        else:
            append(buffers, series, step, (exemplar(step[0]),))
    assert buffers.close() == 0


# Decimals in the stream of a tail


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


def test_a_decimal_takes_a_few_bytes_while_it_is_open() -> None:
    """Nine with its control, if the bits that change were written."""
    buffers = SeriesBuffers([GAUGE])
    values = np.random.default_rng(3).normal(50, 20, 300).round(1)
    times = np.arange(300, dtype=np.int64) * SECOND + T0
    buffers.append(0, times, values.view(np.uint64))
    count, length, _ = buffers.tail_bytes(0)
    assert count == 300
    assert length < 3.2 * count
