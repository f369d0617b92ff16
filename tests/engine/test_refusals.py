"""Refused points are told apart by reason, metric and service."""

import pytest
from helpers.engines import make_engine, request_of


@pytest.fixture
def engine():
    engine = make_engine()
    yield engine
    engine.close()


def test_refusals_are_told_apart(engine):
    request = request_of(3)
    points = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    points[0].time_unix_nano = 0
    points[1].ClearField("as_int")
    accepted, rejected, refusals = engine.ingest(request.SerializeToString())
    assert (accepted, rejected) == (1, 2)
    assert sorted(refusals) == [(1, "m", "s", 1), (3, "m", "s", 1)]
