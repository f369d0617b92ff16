"""What a point tells: how much was counted, and during which time.

*Increase*: the value less the predecessor's; after a reset, and for a first point that counts, the
value itself; of a delta, the value.

*Cover*: the time (c, t] about which the point tells. t is its time. c is its predecessor's time. Of a
first point that counts it is the later of its start and the newest earlier point of the same metric,
resource and scope with the same start. Of a delta it is its start, or the time of the newest earlier
point of its series with that same start. Where c is unknown, the increase lies at t itself.

*First points*: the first point of a stream, with a known start s, counts whole if one of these holds;
else it is a baseline, which tells nothing.

(a) The store was open at s and has been since, and the service is not `unknown_service...`.
(b) The point is older than the store's first opening (a replay), and s is not before the earliest
    point of its service.
(c) It is the first point of its series, and the same metric of the same resource and scope has an
    earlier point with the same start: this set is new there, as the first error of a route is.
(d) s is not before the beginning of the first window asked for.

It is a baseline all the same if its series was given up with a point later than s.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .points import Heard, Identity, Point, Value, size
from .streams import Placed, Role, place


@dataclass(frozen=True)
class Told:
    point: Point
    increase: Value
    begin: int | None  # c; None: unknown
    stream: int  # -1: of a delta

    @property
    def end(self) -> int:
        return self.point.time


def size_of(told: Told) -> Fraction:
    """The increase as one number: a histogram's is that of its count."""
    return Fraction(size(told.increase))


def counts_whole(heard: Heard, placed: Placed, first_of_series: bool, window_begin: int) -> bool:
    """Whether the first point of a stream counts; `window_begin` is that of the first window."""
    point = placed.point
    if not point.known_start or placed.role is Role.RETURNED:
        return False
    start = point.start
    if heard.given_up.get(point.series, 0) > start:
        return False
    first_opening = min(opening.begin for opening in heard.openings)
    return (
        (
            any(opening.covers(start, point.time) for opening in heard.openings)
            and not point.series.service.startswith("unknown_service")
        )
        or (point.time < first_opening and start >= heard.earliest_of_service(point.series.service))
        or (first_of_series and bool(heard.siblings_before(point)))
        or start >= window_begin
    )


def first_cover(heard: Heard, point: Point) -> int | None:
    if not point.known_start:
        return None
    return max([point.start, *(other.time for other in heard.siblings_before(point))])


def told_by_cumulative(heard: Heard, series: Identity, window_begin: int) -> list[Told]:
    told: list[Told] = []
    for index, placed in enumerate(place(heard.of(series))):
        point = placed.point
        match placed.role:
            case Role.CONTINUES:
                before = placed.predecessor
                told.append(Told(point, point.value - before.value, before.time, placed.stream))
            case Role.RESET:
                told.append(Told(point, point.value, first_cover(heard, point), placed.stream))
            case Role.FIRST | Role.RETURNED:
                if counts_whole(heard, placed, index == 0, window_begin):
                    told.append(Told(point, point.value, first_cover(heard, point), placed.stream))
    return told


def told_by_delta(heard: Heard, series: Identity) -> list[Told]:
    told: list[Told] = []
    points = heard.of(series)
    for index, point in enumerate(points):
        begin = point.start if point.known_start else None
        same = [other.time for other in points[:index] if other.start == point.start]
        if begin is not None and same:
            begin = max(begin, same[-1])
        told.append(Told(point, point.value, begin, -1))
    return told


def told_by(heard: Heard, series: Identity, window_begin: int) -> list[Told]:
    """What the points of one series tell, in order of time; baselines are left out."""
    if series.delta:
        return told_by_delta(heard, series)
    return told_by_cumulative(heard, series, window_begin)
