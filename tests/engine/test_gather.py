"""The points of series from ring and chunks: each once, in order of time."""

import contextlib
import itertools

import pytest
from drivers.engine import drain
from helpers.engines import BASE, make_engine, request_of

from urpo_store.engine.session import ReadSession


@pytest.fixture
def engine():
    engine = make_engine(background=False)
    yield engine
    engine.close()


def part(first, count, series=1):
    """Points `first` to `first + count` of each series, values as request_of makes them."""
    request = request_of(first + count, series=series)
    data = request.resource_metrics[0].scope_metrics[0].metrics[0].sum
    del data.data_points[: first * series]
    return request.SerializeToString()


def gathered(engine, start=0, end=2**62, predecessor=False):
    """(times, values, starts) of each series of the metric."""
    with contextlib.closing(ReadSession(engine)) as session:
        (stream,) = session.read_streams("m")
        columns = session.read_points(stream[-1], start, end, predecessor)
        offsets, _, times, starts, values = columns[:5]
        return [
            (times[a:b].tolist(), values[a:b].tolist(), starts[a:b].tolist())
            for a, b in itertools.pairwise(offsets)
        ]


@pytest.mark.parametrize("series", [1, 3])
def test_points_of_chunks_tail_and_ring_come_each_once_in_order(engine, series):
    engine.ingest(part(0, 40, series))
    engine.compress_cold()
    engine.ingest(part(40, 40, series))
    drain(engine)
    engine.ingest(part(80, 40, series))
    # Late, and still in the ring.
    engine.ingest(part(20, 5, series))
    for times, values, _ in gathered(engine):
        assert times == [BASE + i for i in range(120)]
        assert len(set(values)) == 120 and values == sorted(values)


@pytest.mark.parametrize("drained", [False, True])
def test_a_predecessor_is_the_newest_point_before_the_range(engine, drained):
    engine.ingest(part(0, 50))
    engine.compress_cold()
    engine.ingest(part(50, 50))
    if drained:
        drain(engine)
    ((times, _, _),) = gathered(engine, BASE + 70, BASE + 80)
    assert times == [BASE + i for i in range(70, 81)]
    ((times, _, _),) = gathered(engine, BASE + 70, BASE + 80, predecessor=True)
    assert times == [BASE + i for i in range(69, 81)]
