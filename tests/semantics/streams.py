"""Which earlier point a point continues.

A cumulative series may be written by several processes that share one identity. Their start times
tell them apart, and their totals where the starts do not. Each keeps a stream of its own in the
series:

- A point continues a stream with its start. If there is none, one whose start is at most 0.1 s away,
  which then takes the point's start.
- Of several it continues the one whose newest total is the greatest from which its own can have grown.
  The newest point of that stream is its predecessor.
- If no stream fits, an unknown start is a reset, or a first point if the series had none; a start
  later than the newest earlier point of the series is a reset; all else begins another stream with a
  first point, a fall under a known start included.
- A series has at most 16 streams. A stream loses its place only to another one, and only after five
  minutes of silence by the points' own times. A point that finds no place tells nothing. A stream
  that returns after it lost its place begins with a baseline.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from .points import MINUTE, SECOND, Point, fits, size

NEAR = SECOND // 10
MOST = 16
SILENCE = 5 * MINUTE


class Role(Enum):
    CONTINUES = "it has a predecessor"
    RESET = "its whole value was told since its start"
    FIRST = "it begins a stream: it counts whole, or is a baseline"
    RETURNED = "it begins a stream again that had lost its place: a baseline"
    NO_PLACE = "the series has too many streams: it tells nothing"


@dataclass(frozen=True)
class Placed:
    point: Point
    role: Role
    predecessor: Point | None
    stream: int  # number of its stream within the series; -1: none


@dataclass
class _Stream:
    number: int
    start: int
    newest: Point


def near(one: int, other: int) -> bool:
    return one != 0 != other and abs(one - other) <= NEAR


def place(points: Iterable[Point]) -> list[Placed]:
    """Places the points of one cumulative series, which ascend in time."""
    placed: list[Placed] = []
    streams: list[_Stream] = []
    lost: list[int] = []  # starts of streams that lost their places
    newest_time: int | None = None
    count = 0
    for point in points:
        start = point.start if point.known_start else 0
        candidates = [stream for stream in streams if stream.start == start]
        candidates = candidates or [s for s in streams if near(s.start, start)]
        growing = [stream for stream in candidates if fits(stream.newest.value, point.value)]
        if growing:
            stream = max(growing, key=lambda s: (size(s.newest.value), s.newest.time))
            placed.append(Placed(point, Role.CONTINUES, stream.newest, stream.number))
            stream.newest, stream.start = point, start
        else:
            role = Role.FIRST
            if newest_time is not None and (start == 0 or start > newest_time):
                role = Role.RESET
            elif any(start == other or near(start, other) for other in lost):
                role = Role.RETURNED
            if len(streams) == MOST:
                silent = [s for s in streams if point.time - s.newest.time > SILENCE]
                if silent:
                    loser = min(silent, key=lambda s: s.newest.time)
                    streams.remove(loser)
                    lost.append(loser.start)
                else:
                    role = Role.NO_PLACE
            if role is Role.NO_PLACE:
                placed.append(Placed(point, role, None, -1))
            else:
                streams.append(_Stream(count, start, point))
                placed.append(Placed(point, role, None, count))
                count += 1
        newest_time = point.time
    return placed
