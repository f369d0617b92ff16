"""Runs one race: `python race.py ring|epoch|engine SIZE`, with the built modules on PYTHONPATH.

First without threads, so that a failure with them means concurrency. SIZE is points of each
producer, turns of the writers, or seconds. Exits 0, or 1 with what the
checker found; ThreadSanitizer exits with a code of its own.
"""

import importlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def ring_turn(race: Any, turn: int) -> bool:
    """A turn of everybody, in one thread."""
    for producer in range(4):
        race.produce(producer, 1)
        race.read(turn * 4 + producer, 1)
    return bool(race.drain(1))


def make_ring(size: int) -> Any:
    return importlib.import_module("ring_race").RingRace(1024, size)


def ring_threads(race: Any) -> list[Callable[[], Any]]:
    return [
        *(lambda p=p: race.produce(p) for p in range(4)),
        race.drain,
        *(lambda seed=seed: race.read(seed) for seed in range(2)),
    ]


def make_epoch(size: int) -> Any:
    return importlib.import_module("epoch_race").EpochRace(size)


def epoch_turn(race: Any, turn: int) -> bool:
    race.read(1)
    return bool(race.write(1))


def epoch_threads(race: Any) -> list[Callable[[], Any]]:
    return [race.write, race.write, race.read, race.read, race.read]


RACES = {
    "ring": (make_ring, ring_turn, ring_threads),
    "epoch": (make_epoch, epoch_turn, epoch_threads),
}


def finish(race: Any, how: str) -> None:
    if race.failure is not None:
        sys.exit(f"{how}: {race.failure}")
    if not race.complete:
        sys.exit(f"{how}: not all has been passed on")
    if race.checked == 0:
        sys.exit(f"{how}: the readers checked nothing")
    print(f"{how}: {race.checked:,} checked")


def run_engine(seconds: int) -> None:
    """The whole engine, by the test that finds every acknowledged point exactly once."""
    os.environ["URPO_TEST_SECONDS"] = str(seconds)
    # Now, while only PYTHONPATH is searched: the tests' conftest puts the drivers in front that are
    # built without the sanitizer, if they are built at all.
    importlib.import_module("drivers.engine")
    test = Path(__file__).parent.parent / "test_exactly_once.py"
    # -s: or pytest would keep what ThreadSanitizer says.
    if pytest.main(["-s", "-x", "-p", "no:cacheprovider", str(test)]) != 0:
        sys.exit(f"with threads: {test.name} fails")


def main(name: str, size: int) -> None:
    if name == "engine":
        run_engine(size)
        return
    make, take_turn, threads_of = RACES[name]
    race = make(max(size // 200, 10) * 4)
    turn = 0
    while take_turn(race, turn) and race.failure is None:
        turn += 1
    finish(race, "without threads")

    race = make(size)
    bodies = threads_of(race)
    start = threading.Barrier(len(bodies))

    def run(body: Callable[[], Any]) -> None:
        start.wait()
        body()

    threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finish(race, "with threads")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
