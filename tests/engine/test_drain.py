"""Out of the ring, into the chunks."""

import time

from drivers.engine import drain
from helpers.engines import make_engine, request_of

SECOND = 10**9


def test_drain_on_demand_empties_the_ring():
    engine = make_engine(background=False)
    engine.ingest(request_of(100).SerializeToString())
    assert engine.stats()["ring_points"] == 100
    assert drain(engine) >= 100
    stats = engine.stats()
    assert (stats["ring_points"], stats["compressed_points"], stats["points"]) == (0, 100, 100)
    engine.close()


def test_the_drain_thread_drains_by_itself():
    engine = make_engine(drain_interval=10**6)
    engine.ingest(request_of(100).SerializeToString())
    deadline = time.monotonic() + 20
    while engine.stats()["ring_points"] and time.monotonic() < deadline:
        time.sleep(0.001)
    assert engine.stats()["ring_points"] == 0
    engine.close()


def test_points_are_counted_once_while_they_move():
    """The count is exact at every moment at which nothing is being sent."""
    engine = make_engine(drain_interval=10**5)
    request = request_of(700)
    points = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    for sent in range(1, 60):
        engine.ingest(request.SerializeToString())
        assert {engine.stats()["points"] for _ in range(20)} == {700 * sent}
        for point in points:
            point.time_unix_nano += 1000
    engine.close()
