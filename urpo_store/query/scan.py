"""Scans for increases, in which the predecessor of every series is a value.

INCREASE measures a point against the value before it, however old. A reader gives the newest point
before the range. That may be a stale mark, which is no value; then an older value is looked for.
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
            scanned = _with_point(scanned, int(offsets[series]), *older)
    return scanned


def _older_value(reader: Reader, series: UInt32Array, time: int) -> tuple[Scanned, int] | None:
    """A scan, and the index in it of the newest value before `time`; None if there is none.

    A mark mostly stands alone. Behind two of them everything older is read at once, so that a long
    run of marks costs one scan, not one for each.
    """
    older = reader.scan(series, time, time, predecessor=True)
    if older.first[0] == older.offsets[0]:
        return None
    if older.flags[0] & FLAG_STALE:
        older = reader.scan(series, 0, int(older.times[0]))
    values = np.flatnonzero((older.flags & FLAG_STALE == 0) & (older.times < time))
    return (older, int(values[-1])) if len(values) else None


def _with_point(scanned: Scanned, at: int, other: Scanned, index: int) -> Scanned:
    """`scanned` with point `index` of `other` in place of point `at`."""
    columns = {}
    for name in ("times", "starts", "values", "flags"):
        column = getattr(scanned, name).copy()
        column[at] = getattr(other, name)[index]
        columns[name] = column
    if other.layout is None or other.row is None or other.words is None:
        return replace(scanned, **columns)  # numbers have no rows
    count = len(scanned.times)
    words = np.zeros(0, np.uint64) if scanned.words is None else scanned.words
    layout = np.zeros(count, np.uint32) if scanned.layout is None else scanned.layout.copy()
    row = np.zeros(count, np.uint64) if scanned.row is None else scanned.row.copy()
    layout[at] = len(scanned.layouts)
    row[at] = len(words) + int(other.row[index])
    return replace(
        scanned,
        layout=layout,
        row=row,
        words=np.concatenate([words, other.words]),
        layouts=[*scanned.layouts, other.layouts[int(other.layout[index])]],
        **columns,
    )
