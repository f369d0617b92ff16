"""The life of an engine: what may be called after close, and what close waits for."""

import threading
from functools import partial

import pytest
from drivers.engine import drain
from helpers.engines import make_engine, read, request_of

from urpo_store.engine.session import ReadSession
from urpo_store.errors import StoreClosedError


@pytest.fixture
def engine():
    engine = make_engine()
    yield engine
    engine.close()


def test_a_writable_buffer_may_change_afterwards(engine):
    data = bytearray(request_of(5).SerializeToString())
    engine.ingest(memoryview(data))
    data[:] = b"\xff" * len(data)
    _, columns = read(engine)
    assert columns[4].tolist() == [0, 1, 2, 3, 4]


def test_closed_engines_say_so():
    engine = make_engine()
    engine.ingest(request_of(5).SerializeToString())
    _, columns = read(engine)
    engine.close()
    engine.close()
    # What was read outlives the store.
    assert columns[4].tolist() == [0, 1, 2, 3, 4]
    for call in (engine.stats, engine.compress_cold, engine.services, partial(drain, engine)):
        with pytest.raises(StoreClosedError, match="open another"):
            call()
    with pytest.raises(StoreClosedError, match="open another"):
        ReadSession(engine)


def test_close_waits_for_readers():
    engine = make_engine()
    engine.ingest(request_of(5).SerializeToString())
    reader = ReadSession(engine)
    closer = threading.Thread(target=engine.close)
    closer.start()
    assert len(reader.read_streams("m")) == 1
    reader.close()
    closer.join(10)
    assert not closer.is_alive()
