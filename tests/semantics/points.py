"""What a store has heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

Number = int | Fraction


@dataclass(frozen=True)
class Counts:
    """A cumulative histogram, as far as its increase goes: a count, a sum and buckets."""

    count: int
    buckets: tuple[int, ...]
    total: Fraction = Fraction(0)

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.count - other.count,
            tuple(a - b for a, b in zip(self.buckets, other.buckets, strict=True)),
            self.total - other.total,
        )


Value = Number | Counts


def size(value: Value) -> Number:
    """The number that orders totals: a histogram's is its count."""
    return value.count if isinstance(value, Counts) else value


def fits(earlier: Value, later: Value) -> bool:
    """Whether a total can have grown from `earlier` to `later`: no part of it falls."""
    if isinstance(earlier, Counts) and isinstance(later, Counts):
        if len(earlier.buckets) != len(later.buckets):
            return False
        falls = any(a > b for a, b in zip(earlier.buckets, later.buckets, strict=True))
        return earlier.count <= later.count and not falls
    return not isinstance(earlier, Counts) and not isinstance(later, Counts) and earlier <= later


@dataclass(frozen=True)
class Identity:
    """Of a series. `set` is its point attributes; the rest is what one metric of one process shares."""

    service: str
    metric: str
    set: str = ""
    resource: str = ""
    scope: str = ""
    delta: bool = False

    @property
    def siblings(self) -> Identity:
        """Equal for all sets of one metric, resource and scope."""
        return replace(self, set="", delta=False)


@dataclass(frozen=True)
class Point:
    series: Identity
    time: int  # Unix nanoseconds, as all times
    start: int  # 0: unknown
    value: Value

    @property
    def known_start(self) -> bool:
        return 0 != self.start < self.time


@dataclass(frozen=True)
class Opening:
    """The store was open from `begin` to `end`; None: it still is."""

    begin: int
    end: int | None = None

    def covers(self, begin: int, end: int) -> bool:
        return self.begin <= begin and (self.end is None or end <= self.end)


@dataclass
class Heard:
    """Everything that a store was ever told, in the order in which it came."""

    openings: list[Opening]
    arrivals: list[Point] = field(default_factory=list)
    #: The time of the last point that was given up, by series; of sets, not of single points.
    given_up: dict[Identity, int] = field(default_factory=dict)

    def add(self, points: Iterable[Point]) -> None:
        self.arrivals.extend(points)

    def points(self) -> list[Point]:
        """Each series and time once, the last value that came; ascending in time."""
        last = {(point.series, point.time): point for point in self.arrivals}
        return sorted(last.values(), key=lambda point: point.time)

    def of(self, series: Identity) -> list[Point]:
        return [point for point in self.points() if point.series == series]

    def earliest_of_service(self, service: str) -> int:
        return min(point.time for point in self.arrivals if point.series.service == service)

    def siblings_before(self, point: Point) -> list[Point]:
        """Earlier points of the same metric, resource and scope with the same start; any set."""
        return [
            other
            for other in self.points()
            if other.series.siblings == point.series.siblings
            and other.start == point.start
            and other.time < point.time
        ]
