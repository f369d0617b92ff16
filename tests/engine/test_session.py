"""Read sessions: the arrays of a scan outlive it."""

import contextlib

import numpy as np
from helpers.engines import BASE, make_engine, request_of

from urpo_store.engine.session import ReadSession


def test_columns_of_an_earlier_scan_stay_as_they_were():
    """A session decodes into the same memory again, but not while somebody looks at it."""
    engine = make_engine()
    engine.ingest(request_of(7, series=2).SerializeToString())
    with contextlib.closing(engine), contextlib.closing(ReadSession(engine)) as session:
        (stream,) = session.read_streams("m")
        ids = stream[-1]
        kept = session.read_points(ids[:1], 0, 2**62, False)[4]
        before = kept.copy()
        session.read_points(ids[1:], BASE + 3, 2**62, False)
        np.testing.assert_array_equal(kept, before)
