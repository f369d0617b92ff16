"""Scans whose predecessors are values.

INCREASE measures a point against the value before it, however old. A reader gives the newest point
before the range, which may be a stale mark: no value. Then the value before that is looked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .source import FLAG_STALE, Reader, Scanned, UInt32Array


def scan_increases(reader: Reader, ids: UInt32Array, start: int, end: int) -> Scanned:
    """The points of the range, each series led by the newest value before it, if it has one."""
    scanned = reader.scan(ids, start, end, predecessor=True)
    offsets, first = scanned.offsets, scanned.first
    led = np.flatnonzero((first > offsets[:-1]) & (first < offsets[1:]))
    stale = led[(scanned.flags[offsets[led]] & FLAG_STALE) != 0]
    for series in stale:
        older = _older_value(reader, ids[series : series + 1], int(scanned.times[offsets[series]]))
        if older is not None:
            scanned = _with_point(scanned, int(offsets[series]), older)
    return scanned


def _older_value(reader: Reader, series: UInt32Array, time: int) -> Scanned | None:
    """A scan that begins with the newest value before `time`; None if there is none."""
    while True:
        older = reader.scan(series, time, time, predecessor=True)
        if older.first[0] == older.offsets[0]:
            return None
        if not older.flags[0] & FLAG_STALE:
            return older
        time = int(older.times[0])


def _with_point(scanned: Scanned, at: int, other: Scanned) -> Scanned:
    """`scanned` with the first point of `other` in place of point `at`."""
    columns = {}
    for name in ("times", "starts", "values", "flags"):
        column = getattr(scanned, name).copy()
        column[at] = getattr(other, name)[0]
        columns[name] = column
    if other.layout is None or other.row is None or other.words is None:
        return replace(scanned, **columns)  # numbers have no rows
    count = len(scanned.times)
    words = np.zeros(0, np.uint64) if scanned.words is None else scanned.words
    layout = np.zeros(count, np.uint32) if scanned.layout is None else scanned.layout.copy()
    row = np.zeros(count, np.uint64) if scanned.row is None else scanned.row.copy()
    layout[at] = len(scanned.layouts)
    row[at] = len(words) + int(other.row[0])
    return replace(
        scanned,
        layout=layout,
        row=row,
        words=np.concatenate([words, other.words]),
        layouts=[*scanned.layouts, other.layouts[int(other.layout[0])]],
        **columns,
    )
