"""Stored points, filed once more."""

from __future__ import annotations

import numpy as np
from helpers.health import B1, FLAG_INT, KIND_SUM, Health, at, in_bucket

from urpo_store.query.source import RowLayout, Scanned

SERVER_SPAN = {"span.kind": "server", "span.name": "GET /"}


def test_replaying_stored_points_gives_the_same_answer() -> None:
    """What lies beyond the slots is answered by the same rules from scanned points."""
    live = Health()
    first = live.series()
    second = live.series(attributes={"error.type": "x"})
    replayed = Health(first_seen=at(-500))
    handles = [replayed.series().handle, replayed.series(attributes={"error.type": "x"}).handle]
    rows: list[list[tuple[int, int, list[int]]]] = [[], []]
    for i, time in enumerate(range(-400, 1, 10)):
        for k, series in enumerate((first, second)):
            if k == 0 or time > -100:
                counts = in_bucket(i * (2 - k), 3 + k)
                series.histogram(time, counts, start=-410 if k == 0 else -105)
                rows[k].append((time, -410 if k == 0 else -105, counts))
    points = [point for part in rows for point in part]
    width = len(B1) + 4
    scanned = Scanned(
        offsets=np.array([0, len(rows[0]), len(points)], np.int64),
        first=np.array([0, len(rows[0])], np.int64),
        times=np.array([at(p[0]) for p in points], np.int64),
        starts=np.array([at(p[1]) for p in points], np.int64),
        values=np.array([sum(p[2]) for p in points], np.uint64),
        flags=np.zeros(len(points), np.uint32),
        layout=np.zeros(len(points), np.uint32),
        row=np.arange(len(points), dtype=np.uint64) * width,
        words=np.array([[0, 0, 0, *p[2]] for p in points], np.uint64).ravel(),
        layouts=[RowLayout(np.array(B1).view(np.uint64), width)],
    )
    replayed.book.replay(handles, scanned, at(0))
    for window in ("1m", "5m"):
        assert replayed.report(window, end=0, now=10**6) == live.report(window)
        assert live.report(window).error_count


def test_replaying_counters_needs_no_rows() -> None:
    health = Health()
    calls = health.series("calls", "", KIND_SUM, attributes=SERVER_SPAN)
    scanned = Scanned(
        offsets=np.array([0, 2], np.int64),
        first=np.array([0], np.int64),
        times=np.array([at(-20), at(-10)], np.int64),
        starts=np.array([at(-900), at(-900)], np.int64),
        values=np.array([5, 9], np.uint64),
        flags=np.full(2, FLAG_INT, np.uint32),
        layout=None,
        row=None,
        words=None,
        layouts=[],
    )
    health.book.replay([calls.handle], scanned, at(0))
    assert health.report("1m").request_count == 4
