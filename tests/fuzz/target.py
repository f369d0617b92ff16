"""What is done with each input: the scanner against protobuf's decoder, and a whole store.

The first byte says how the rest is used, so that one corpus serves both.
"""

import atexit
import json
import os
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
    if not data:
        return
    if data[0] % 4:
        counts["requests"] += check(data[1:])
    else:
        store_it(data[1:])


def store_it(data: bytes) -> None:
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
        return
    counts["requests"] += 1
    counts["points"] += result.accepted
    assert _store.stats().accepted_points == before + result.accepted
    if counts["stores"] % 16 == 0:
        for info in _store.metrics()[:3]:
            query = MetricQuery(info.name, start=0, end=2**63 - 1)
            hot = [len(series) for series in _store.query_metrics(query)]
            _store.compress_cold()
            assert [len(series) for series in _store.query_metrics(query)] == hot, info


def report() -> None:
    path = os.environ.get("FUZZ_REPORT")
    if path:
        with open(path, "w") as out:
            json.dump(counts, out)


atexit.register(report)
