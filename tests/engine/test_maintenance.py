"""Within bounds: retention and the memory limit."""

import time

import numpy as np
import pytest
from drivers.engine import drain, maintain
from helpers.engines import make_engine, request_of

SECOND = 10**9


def ingest_at(engine, times, service="s"):
    request = request_of(len(times), service=service)
    points = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    for point, moment in zip(points, times, strict=True):
        point.time_unix_nano = moment
        point.start_time_unix_nano = 1
    return engine.ingest(request.SerializeToString())


def test_points_older_than_the_retention_go():
    engine = make_engine(retention=60 * SECOND, background=False)
    now = time.time_ns()
    # Chunks leave as a whole, and only a full one is not sealed again with what follows.
    assert ingest_at(engine, [now - 60 * SECOND + SECOND // 2 + i for i in range(480)])[0] == 480
    engine.compress_cold()
    ingest_at(engine, [now - SECOND + i for i in range(10)])
    engine.compress_cold()
    assert engine.stats()["points"] == 490
    assert ingest_at(engine, [now - 61 * SECOND])[:2] == (0, 1)
    deadline = time.monotonic() + 20
    while engine.stats()["points"] == 490 and time.monotonic() < deadline:
        time.sleep(0.01)
        maintain(engine)
    assert engine.stats()["points"] == 10
    engine.close()


@pytest.mark.parametrize("background", [False, True])
def test_the_memory_limit_holds(background):
    """Random floats do not compress, so the oldest chunks have to go; the newest stay."""
    limit = 8 << 20
    engine = make_engine(memory_limit=limit, background=background, ring_slots=1024)
    chance = np.random.default_rng(1)
    sent = 0
    highest = 0
    for round_ in range(120):
        request = request_of(500, series=40)
        points = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
        for point, value in zip(points, chance.random(len(points)).tolist(), strict=True):
            point.as_double = value
            point.time_unix_nano += round_ * 1000
        sent += engine.ingest(request.SerializeToString())[0]
        highest = max(highest, engine.stats()["memory_bytes"])
        if engine.stats()["evicted_points"]:
            break
    for _ in range(5):
        for point in points:
            point.time_unix_nano += 1000
        sent += engine.ingest(request.SerializeToString())[0]
        highest = max(highest, engine.stats()["memory_bytes"])
    drain(engine)
    maintain(engine)
    stats = engine.stats()
    assert stats["evicted_points"] > 0
    assert stats["points"] + stats["evicted_points"] == sent
    # One request's staging and what waits for readers to leave come on top for a moment.
    assert highest < limit * 1.25
    assert stats["memory_bytes"] <= limit
    engine.close()


def test_memory_is_taken_from_the_oldest_chunks_first_and_then_from_idle_series():
    """And new sets collapse last: tests/engine/test_overflow.py has that."""
    idle = 600 + 2
    # Most of the limit is the ring, so that little has to be sent.
    options = {"memory_limit": 8 << 20, "ring_slots": 1 << 17, "background": False}
    engine = make_engine(**options)
    request = request_of(25_000)
    points = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    for point, value in zip(points, np.random.default_rng(1).random(25_000), strict=True):
        point.as_double = value
    while not (engine.stats()["evicted_points"] or engine.stats()["evicted_series"]):
        engine.ingest(request.SerializeToString())
        drain(engine)
        maintain(engine, ahead=idle)
        for point in points:
            point.time_unix_nano += 10**6
    stats = engine.stats()
    assert stats["evicted_points"] > 0 and stats["evicted_series"] == 0
    assert stats["memory_bytes"] <= options["memory_limit"]
    engine.close()

    # Where no chunk is there to be taken, idle series go.
    engine = make_engine(**options)
    services = 0
    while not (engine.stats()["chunks"] or engine.stats()["evicted_series"]):
        more = request_of(1, series=200, histogram=True, service=f"s{services}")
        assert engine.ingest(more.SerializeToString())[0] == 200
        drain(engine)
        maintain(engine, ahead=idle)
        services += 1
    stats = engine.stats()
    assert stats["evicted_series"] == 200 * services and stats["overflowed_series"] == 0
    assert stats["memory_bytes"] <= options["memory_limit"]
    engine.close()
