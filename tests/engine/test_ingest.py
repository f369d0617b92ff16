"""From bytes to the ring: requests of every size, whole or not at all."""

import numpy as np
import pytest
from drivers.engine import fail_allocation
from helpers.engines import make_engine, read, request_of

from urpo_store.errors import DecodeError


@pytest.fixture
def engine():
    engine = make_engine()
    yield engine
    engine.close()


@pytest.mark.parametrize("starts", [1, 7, 4000])
def test_a_request_larger_than_the_ring(engine, starts):
    """It is published in several claims, each beginning with a START slot of its own."""
    request = request_of(4000, starts=starts)
    assert engine.ingest(request.SerializeToString())[:2] == (4000, 0)
    _, columns = read(engine)
    points = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    np.testing.assert_array_equal(columns[2], [p.time_unix_nano for p in points])
    np.testing.assert_array_equal(columns[3], [p.start_time_unix_nano for p in points])
    np.testing.assert_array_equal(columns[4], [p.as_int for p in points])


def test_large_points_in_a_small_ring(engine):
    """Points whose payload fills a good part of a claim are never cut."""
    assert engine.ingest(request_of(300, histogram=True).SerializeToString())[:2] == (300, 0)
    _, columns = read(engine)
    assert len(columns[2]) == 300
    rows, words = columns[7], columns[8]
    for index in (0, 1, 150, 299):
        row = words[int(rows[index]) : int(rows[index]) + 24]
        assert row[3:].tolist() == [index] * 21


def test_a_point_too_large_for_the_ring_is_refused_alone(engine):
    request = request_of(2, histogram=True)
    wide = request.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0]
    wide.explicit_bounds.extend(range(20, 4000))
    wide.bucket_counts.extend([0] * 3980)
    accepted, rejected, refusals = engine.ingest(request.SerializeToString())
    assert (accepted, rejected) == (1, 1)
    assert refusals == [(9, "m", "s", 1)]


def test_a_request_of_several_batches(engine):
    """More than 65,536 points: one pass validates, a second one stores."""
    request = request_of(700, series=100).SerializeToString()
    assert engine.ingest(request)[:2] == (70_000, 0)
    ids, columns = read(engine)
    assert len(ids) == 100
    assert len(columns[2]) == 70_000
    assert engine.stats()["points"] == 70_000


def test_a_large_request_that_ends_badly_stores_nothing(engine):
    request = request_of(700, series=100).SerializeToString()
    with pytest.raises(DecodeError, match=r"not OTLP.*near byte"):
        engine.ingest(request + b"\x0a\x05")
    stats = engine.stats()
    assert (stats["points"], stats["series"], stats["accepted_points"]) == (0, 0, 0)
    assert (stats["strings"], stats["rejected_requests"]) == (1, 1)


def test_a_deep_attribute_in_a_good_request_stores_nothing(engine):
    """What is deferred is checked before anything is created."""
    request = request_of(1)
    value = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0]
    value = value.attributes[0].value
    for _ in range(60):
        value = value.array_value.values.add()
    with pytest.raises(DecodeError):
        engine.ingest(request.SerializeToString())
    assert engine.stats()["series"] == 0


def test_every_allocation_may_fail():
    """Whatever allocation fails: an error or a refusal, never a crash, and the store goes on."""
    first, second = request_of(50, series=3), request_of(50, series=5, histogram=True, service="t")
    second.resource_metrics[0].scope_metrics[0].metrics[0].name = "h"
    for n in range(1, 400):
        engine = make_engine(background=False)
        accepted = 0
        fail_allocation(engine, n)
        for request in (first, second, first):
            try:
                accepted += engine.ingest(request.SerializeToString())[0]
            except MemoryError:
                continue
        fail_allocation(engine, 0)
        before = engine.stats()
        assert engine.ingest(request_of(60, service="u").SerializeToString())[:2] == (60, 0)
        engine.compress_cold()
        after = engine.stats()
        assert after["points"] + after["evicted_points"] + after["duplicate_points"] >= 60
        assert after["accepted_points"] == before["accepted_points"] + 60
        engine.close()
