"""The hot path allocates nothing a point: counted by malloc itself, not by the engine."""

from pathlib import Path

from helpers.malloc_counter import count_mallocs

REQUESTS = """
import urpo_store
from benchmarks.common import Mix
from drivers.engine import drain

def store_of():
    # No drain of its own: what is counted is what the caller does.
    return urpo_store.open(retention=None, ring_slots=1 << 19, drain_interval="1h")
"""


def test_a_request_on_known_series_allocates_a_few_times_whatever_its_size(tmp_path: Path) -> None:
    """The result object and its like; the number must not follow the number of points."""
    code = (
        REQUESTS
        + """
def calls(series):
    with store_of() as store:
        mix = Mix(series)
        for request in mix.many(3):
            store.ingest(request)
        # Once more by the way that is counted: which staging memory a call uses follows from where its
        # stack is, and new memory is made once.
        first, last = mix.many(2)
        calls_of(store.ingest, first)
        found = calls_of(store.ingest, last)
        assert store.stats().accepted_points == 5 * series
        return found
answer = [calls(50), calls(500), calls(12_000)]
"""
    )
    few, many, very_many = count_mallocs(code, tmp_path)
    assert many <= few + 2, f"{few} calls for 50 points, {many} for 500"
    # Of 24 services, each of which has a new second of health: two a service.
    assert very_many <= 10 + 2 * 24, f"{very_many} calls for 12,000 points"


def test_a_drain_allocates_at_most_once_in_100_points(tmp_path: Path) -> None:
    """Of series that have their first points behind them; seals included."""
    code = (
        REQUESTS
        + """
with store_of() as store:
    mix = Mix(100)
    for request in mix.many(100):
        store.ingest(request)
    drain(store._engine)
    points = found = 0
    for _ in range(14):
        batch = mix.many(50)
        for request in batch:
            store.ingest(request)
        found += calls_of(drain, store._engine)
        points += 50 * 100
    assert store.stats().compressed_points == points + 100 * 100
answer = [found, points]
"""
    )
    found, points = count_mallocs(code, tmp_path)
    assert found * 100 <= points, f"{found} calls for {points} points"
