"""What is done with each input: the scanner against protobuf's decoder, then the same into a store."""

from typing import Any

from helpers.wire_oracle import check

import urpo_store
from urpo_store import DecodeError, MetricQuery

#: How many requests one store takes before the next one is opened.
LIFE = 500

counts = {"inputs": 0, "requests": 0, "points": 0, "stores": 0}
_store: Any = None


def one_input(data: bytes) -> None:
    counts["inputs"] += 1
    decoded = check(data)
    counts["requests"] += decoded
    assert store_it(data) == decoded


def store_it(data: bytes) -> bool:
    """Stored or refused as a whole; what is accepted is there, hot and sealed."""
    global _store
    if _store is None or counts["stores"] % LIFE == 0:
        if _store is not None:
            _store.close()
        _store = urpo_store.open(
            retention=None, ring_slots=1024, memory_limit="8MiB", drain_interval="1h"
        )
    counts["stores"] += 1
    before = _store.stats().accepted_points
    try:
        result = _store.ingest(data)
    except DecodeError:
        assert _store.stats().accepted_points == before
        return False
    counts["points"] += result.accepted
    assert _store.stats().accepted_points == before + result.accepted
    # Once more, now that all of it is known and expected.
    again = _store.ingest(data)
    assert again.accepted + again.rejected == result.accepted + result.rejected
    if "memory" not in result.message + again.message:
        assert again.accepted == result.accepted
    if counts["stores"] % 16 == 0:
        for info in _store.metrics()[:3]:
            query = MetricQuery(info.name, start=0, end=2**63 - 1)
            hot = answers(query)
            _store.compress_cold()
            assert answers(query) == hot, info
    return True


def answers(query: MetricQuery) -> list[Any]:
    """Every point of every series; as bytes, since NaN is not equal to itself."""
    return [
        (
            repr((series.resource, series.scope, series.attributes)),
            series.timestamps.tobytes(),
            series.start_timestamps.tobytes(),
            series.values.tobytes(),
        )
        for series in _store.query_metrics(query)
    ]
