"""Tails that are taken aside when they are full: the same points, the same chunks, whoever seals them."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
from drivers.series_buffers import SeriesBuffers
from helpers.series_model import (
    EXPONENTIAL,
    GAUGE,
    HAS_SUM,
    HISTOGRAM,
    SUM,
    Point,
    SeriesModel,
    bits,
    canonical,
    exponential_layout,
)

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
EVER = (-(2**63), 2**63 - 1)
KINDS = (GAUGE, SUM, HISTOGRAM, EXPONENTIAL)


def point(kind: int, time: int, value: int) -> Point:
    if kind == HISTOGRAM:
        row = (bits(value / 4), 0, 0, value, 1)
        return time, T0, value + 1, HAS_SUM, (bits(1.0),), row
    if kind == EXPONENTIAL:
        row = (bits(value / 4), 0, 0, 0, bits(0.0), value, 1)
        return time, T0, value + 1, HAS_SUM, exponential_layout(3, 1, 2, 0), row
    return time, T0, bits(value / 10), 0, (), ()


def read(buffers: SeriesBuffers, series: int, kind: int) -> list[Point]:
    return [canonical(p, kind) for p in buffers.read(series, *EVER)]


def is_full(buffers: SeriesBuffers, kinds: tuple[int, ...] = KINDS) -> bool:
    return any(buffers.is_aside(series) for series in range(len(kinds)))


def fill(buffers: SeriesBuffers, series: int, kind: int, first: int, count: int) -> None:
    for i in range(first, first + count):
        assert buffers.append_point(series, *point(kind, T0 + i * SECOND, i))


@pytest.mark.parametrize("workers", ["nobody", "now and then", "at once"])
def test_the_same_chunks_as_without(workers: str) -> None:
    """Whether each is sealed by a worker, or settled by whoever looks or appends too fast for it."""
    chance = random.Random(workers)
    plain = SeriesBuffers(KINDS, [0] * 4)
    aside = SeriesBuffers(KINDS, [0] * 4, behind=True)
    models = [SeriesModel(kind) for kind in KINDS]
    seen = 0
    for tick in range(3000):
        for series, kind in enumerate(KINDS):
            skipped = chance.random() < (0.02 if tick < 2000 else 0.3)
            late = chance.random() < 0.001
            if skipped:
                continue
            time = T0 + (tick - 700 * late) * SECOND + late
            new = point(kind, time, chance.randrange(100))
            for buffers in (plain, aside):
                assert buffers.append_point(series, *new)
            models[series].append(new)
        seen += is_full(aside)
        if workers == "at once" or (workers == "now and then" and chance.random() < 0.05):
            while aside.seal_full():
                pass
            assert not is_full(aside)
        if tick % 500 == 250:
            series = chance.randrange(4)
            assert read(aside, series, KINDS[series]) == models[series].read(*EVER)
            assert not aside.is_aside(series)
    assert seen >= 5
    for series, kind in enumerate(KINDS):
        for buffers in (plain, aside):
            buffers.seal(series)
        assert read(aside, series, kind) == models[series].read(*EVER)
        assert aside.chunks(series) == plain.chunks(series)
    assert aside.counters() == plain.counters()
    assert aside.close() == plain.close() == 0


@pytest.mark.parametrize("kind", [GAUGE, HISTOGRAM])
@pytest.mark.parametrize("missed", [46, 47, 48, 49, 50])
def test_ticks_missed_up_to_as_many_as_there_is_room_for(kind: int, missed: int) -> None:
    """480 points over 526 to 530 ticks: 528 are the most that a tail is taken aside with."""
    buffers = SeriesBuffers([GAUGE, kind], [0, 0], behind=True)
    model = SeriesModel(kind)
    gaps = {500 + 8 * k for k in range(missed)}
    for i in range(405 + 480 + missed + 1):
        assert buffers.append_point(0, *point(GAUGE, T0 + i * SECOND, i % 5))
        if i not in gaps:
            new = point(kind, T0 + i * SECOND, i)
            assert buffers.append_point(1, *new)
            model.append(new)
        if i == 600:
            while buffers.seal_full():
                pass
    assert buffers.is_aside(1) == (missed <= 48)
    while buffers.seal_full():
        pass
    assert buffers.chunks(1)[-1][1:3] == (405, 480)
    assert read(buffers, 1, kind) == model.read(*EVER)
    assert buffers.close() == 0


@pytest.mark.parametrize("kind", [GAUGE, HISTOGRAM])
def test_a_worker_that_comes_too_late_drops_its_work(kind: int) -> None:
    buffers = SeriesBuffers([kind], behind=True)
    fill(buffers, 0, kind, 0, 500)
    assert buffers.is_aside(0)
    assert len(read(buffers, 0, kind)) == 500
    # Settled by the reader; the queue is empty.
    assert not buffers.is_aside(0) and not buffers.seal_full()
    assert buffers.counters()["points"] == 500
    assert buffers.close() == 0


def test_more_than_the_queue_holds_are_sealed_at_once() -> None:
    count = 100
    buffers = SeriesBuffers([GAUGE] * count, behind=True)
    for series in range(count):
        fill(buffers, series, GAUGE, 0, 500)
    aside = sum(buffers.is_aside(series) for series in range(count))
    assert aside == 16
    assert sum(len(buffers.chunks(series)) for series in range(count)) == count - aside
    while buffers.seal_full():
        pass
    assert all(len(buffers.chunks(series)) == 1 for series in range(count))
    assert buffers.close() == 0


@pytest.mark.parametrize("what", ["clear", "expire", "close"])
def test_given_up_while_it_is_aside(what: str) -> None:
    buffers = SeriesBuffers([HISTOGRAM], behind=True)
    fill(buffers, 0, HISTOGRAM, 0, 500)
    assert buffers.is_aside(0)
    if what == "clear":
        assert buffers.clear(0) == 500
    elif what == "expire":
        assert buffers.expire(0, T0 + 1000 * SECOND) == 500
    if what != "close":
        assert not buffers.is_aside(0) and not buffers.seal_full()
        assert buffers.counters()["points"] == 0 and read(buffers, 0, HISTOGRAM) == []
        fill(buffers, 0, HISTOGRAM, 2000, 10)
        assert len(read(buffers, 0, HISTOGRAM)) == 10
    assert buffers.close() == 0


@pytest.mark.parametrize("kind", [GAUGE, HISTOGRAM])
def test_every_allocation_that_fails_leaves_a_right_store(kind: int) -> None:
    def run(buffers: SeriesBuffers) -> tuple[SeriesModel, int]:
        model, refused = SeriesModel(kind), 0
        for i in range(1000):
            new = point(kind, T0 + i * SECOND, i % 7)
            if buffers.append_point(0, *new):
                model.append(new)
            else:
                refused += 1
            if i == 700:
                while buffers.seal_full():
                    pass
        return model, refused

    buffers = SeriesBuffers([kind], behind=True)
    before = buffers.memory()[1]
    assert run(buffers)[1] == 0
    calls = buffers.memory()[1] - before
    for n in range(1, calls + 1):
        buffers = SeriesBuffers([kind], behind=True)
        buffers.fail_at(n)
        model, refused = run(buffers)
        assert refused <= 1 and buffers.counters()["evicted_points"] == refused
        assert read(buffers, 0, kind) == model.read(*EVER), n
        buffers.seal(0)
        assert read(buffers, 0, kind) == model.read(*EVER), n
        # What could not be noted in limbo is leaked, as memory/epoch.pxd says; nothing else is.
        assert buffers.close() < 8000


def test_workers_beside_one_who_appends_and_one_who_reads() -> None:
    count, n = 40, 4_000
    buffers = SeriesBuffers([GAUGE] * count, behind=True)
    times = np.arange(n, dtype=np.int64) * SECOND + T0
    values = np.repeat((times - T0).astype(np.uint64), count).reshape(n, count)
    barrier = threading.Barrier(4)
    done = threading.Event()
    wrong: list[object] = []
    sealed = [0, 0]

    def work(number: int) -> None:
        barrier.wait()
        while not done.is_set():
            sealed[number] += buffers.seal_full()

    def check() -> None:
        barrier.wait()
        chance = random.Random(1)
        while not done.is_set():
            found = buffers.read(chance.randrange(count), *EVER)
            if [p[2] for p in found] != [i * SECOND for i in range(len(found))]:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    threads.append(threading.Thread(target=check))
    for thread in threads:
        thread.start()
    barrier.wait()
    for i in range(0, n, 20):
        buffers.append_requests(times[i : i + 20], values[i : i + 20])
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == [] and sum(sealed) > 0
    for series in range(count):
        assert len(buffers.read(series, *EVER)) == n
    assert buffers.close() == 0


@pytest.mark.parametrize("what", ["clear", "expire"])
def test_workers_beside_one_who_gives_up(what: str) -> None:
    """What a worker holds is given up meanwhile, and its record used again for another tail."""
    count, n = 8, 600
    buffers = SeriesBuffers([HISTOGRAM] * count, behind=True)
    done = threading.Event()
    wrong: list[object] = []

    def work() -> None:
        try:
            while not done.is_set():
                buffers.seal_full()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    chance = random.Random(2)
    for turn in range(12):
        for series in range(count):
            fill(buffers, series, HISTOGRAM, turn * n, n)
            if chance.random() < 0.5:
                if what == "clear":
                    buffers.clear(series)
                else:
                    buffers.expire(series, T0 + (turn + 1) * n * SECOND)
                assert buffers.points(series) == 0
            times = [p[0] for p in buffers.read(series, *EVER)]
            assert len(times) == buffers.points(series)
            # Whole turns, up to now.
            first = (turn + 1) * n - len(times)
            assert times == [T0 + i * SECOND for i in range(first, (turn + 1) * n)]
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert buffers.close() == 0
