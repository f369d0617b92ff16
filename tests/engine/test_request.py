"""A request is unpacked in staging memory, one for each slot; here, when that is given back."""

from __future__ import annotations

import time

import pytest
from drivers.engine import drain, maintain
from helpers.engines import make_engine, request_of

from urpo_store.engine.core import Engine


@pytest.fixture
def engine():
    engine = make_engine(background=False, ring_slots=1 << 14)
    yield engine
    engine.close()


def settled(engine: Engine) -> int:
    """Memory after everything is drained."""
    drain(engine)
    engine.compress_cold()
    return int(engine.stats()["memory_bytes"])


def test_staging_is_given_back_when_it_was_idle_for_two_seconds(engine):
    data = request_of(2000, series=2).SerializeToString()
    begun = time.monotonic()
    engine.ingest(data)
    before = settled(engine)
    maintain(engine)
    held = settled(engine)
    if time.monotonic() < begun + 1:
        assert held == before
    # Of the points' offsets alone, 32 bits each; the rest of a scan is more.
    while settled(engine) > before - 16_000:
        assert time.monotonic() < begun + 20
        time.sleep(0.1)
        maintain(engine)
    assert time.monotonic() >= begun + 1
    # The next request makes it again.
    assert engine.ingest(request_of(50, service="t").SerializeToString())[:2] == (50, 0)
    assert engine.stats()["points"] == 4050


def test_a_request_that_is_refused_leaves_nothing_to_the_next(engine):
    """Staging is used again: neither refusals nor counts of one request show in another."""
    bad = request_of(3)
    points = bad.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    points[0].time_unix_nano = 0
    assert engine.ingest(bad.SerializeToString()) == (2, 1, [(1, "m", "s", 1)])
    assert engine.ingest(request_of(3).SerializeToString()) == (3, 0, [])
