"""Eviction of idle series: the others stay, and an id always leads to its own set."""

import random
import threading

import pytest
from drivers.series_index import SeriesIndex
from helpers.identity import IDLE, add, attributes, resolve, resource


def test_idle_series_are_evicted_and_others_stay() -> None:
    index = SeriesIndex()
    old, new = resolve(index, {"k": "old"}), resolve(index, {"k": "new"})
    index.touch(old, 1_000)
    index.touch(new, 1_001)
    assert index.evict_idle(1_000 + IDLE - 1) == 0
    assert index.evict_idle(1_000 + IDLE) == 1
    assert not index.is_live(old)
    assert index.is_live(new)
    assert (index.counts["series"], index.counts["evicted_series"]) == (1, 1)
    assert [list(stream[6]) for stream in index.streams("m")] == [[new]]


def test_an_evicted_set_that_comes_back_is_a_new_series() -> None:
    index = SeriesIndex()
    old = resolve(index, {"k": 1})
    before = resolve(index, {"k": 0})
    index.resolve(attributes=attributes({"k": 1}), previous=before)  # `before` hints at it
    index.touch(old, 0)
    assert index.evict_idle(IDLE) == 1
    again, level, _ = index.resolve(attributes=attributes({"k": 1}), previous=before)
    assert level == 3
    assert again != old, "its old id may still stand in the ring"
    assert index.identity(again)[6] == {"k": 1}


def test_evicted_series_leave_the_others_in_order_of_creation() -> None:
    index = SeriesIndex()
    ids = [resolve(index, {"k": i}) for i in range(20)]
    for number in ids:
        index.touch(number, 0 if number % 3 else 1_000)
    index.evict_idle(IDLE)
    stay = [number for number in ids if number % 3 == 0]
    more = [resolve(index, {"new": i}) for i in range(3)]
    (stream,) = index.streams("m")
    assert list(stream[6]) == stay + more


def test_at_most_so_many_are_evicted_at_once() -> None:
    index = SeriesIndex()
    for i in range(10):
        index.touch(resolve(index, {"k": i}), 0)
    assert [index.evict_idle(IDLE, 4) for _ in range(4)] == [4, 4, 2, 0]


def test_idle_series_make_room_before_anything_collapses() -> None:
    index = SeriesIndex(max_series=3)
    old = [add(index, {"user": i})[0] for i in range(3)]
    second = index.seen(old[0])
    if second < IDLE:
        pytest.skip("the machine has been up for less than ten minutes")
    for number in old:
        index.touch(number, second - IDLE)
    assert add(index, {"user": 7})[1] is None
    assert index.counts["evicted_series"] == 3


@pytest.mark.parametrize("threads", (1, 3))
def test_an_id_always_leads_to_its_own_set_while_others_are_evicted(threads: int) -> None:
    """Each call holds an epoch while it uses what it found, as ingest does; all the while series
    are evicted, the drain passes and what is left over is given back."""
    index = SeriesIndex()
    errors: list[str] = []
    done = threading.Event()
    evicted = 0

    def work(me: int) -> None:
        choose = random.Random(me)
        previous = 0
        for _ in range(1_200):
            i = choose.randrange(40)
            slot = index.enter()
            previous = 0 if choose.random() < 0.1 else previous
            number, _, _ = index.resolve(
                resource=resource({"service.name": f"s{i % 5}"}),
                name=b"m%d" % (i % 3),
                attributes=attributes({"k": i}),
                previous=previous,
            )
            found = index.identity(number)
            if (found[0], found[5], found[6]) != (f"m{i % 3}", f"s{i % 5}", {"k": i}):
                errors.append(f"set {i} got series {number}, which is {found}")
            index.append(number, 1, i)
            index.publish(1)
            # `previous` is used by the next call without its epoch: a hint may be of any age.
            index.leave(slot)
            previous = number if index.is_live(number) else 0

    def sweep() -> None:
        nonlocal evicted
        choose = random.Random("sweep")
        position = 0
        while not done.is_set():
            slot = index.enter()
            for stream in index.streams():
                for number in stream[6]:
                    if index.is_live(number):
                        index.touch(number, choose.choice((0, 10_000)))
            index.leave(slot)
            evicted += index.evict_idle(IDLE)
            position += 7
            index.drain(position)
            index.reclaim()

    sweeper = threading.Thread(target=sweep)
    workers = [threading.Thread(target=work, args=(me,)) for me in range(threads)]
    sweeper.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.set()
    sweeper.join()
    assert errors == []
    assert evicted > 0
    live = {number for stream in index.streams() for number in stream[6].tolist()}
    assert index.counts["series"] == len(live)
    assert len({repr(index.identity(number)) for number in live}) == len(live)
