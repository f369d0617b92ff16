"""INCREASE and RATE of the windows (t - step, t] of t = start, start + step, ... <= end.

INCREASE at t is the sum of the increases of the points in the window. A window in which no point
tells anything has no row.

RATE at t spreads each increase evenly over its cover: (1 / step) x the sum of
increase x |cover in window| / |cover|. A window that no cover meets has no row.

- A cover that begins before `end` and ends after it counts too, if its point comes at most an hour
  after `end`.
- The live edge: a stream whose newest point is n, with a cover of length L, goes on at that point's
  rate until n + L, in windows that some cover of the group meets; unless its service has a point later
  than n + L, or its series a later reset.
- The divisor is always step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from .points import MINUTE, Heard, Identity
from .streams import Role, place
from .told import Told, size_of, told_by

LOOK_AHEAD = 60 * MINUTE

Rows = dict[int, Fraction]


@dataclass(frozen=True)
class Range:
    start: int
    end: int
    step: int

    @property
    def instants(self) -> list[int]:
        return list(range(self.start, self.end + 1, self.step))

    @property
    def begin(self) -> int:
        """Where the first window begins."""
        return self.start - self.step


def increase(heard: Heard, group: Iterable[Identity], asked: Range) -> Rows:
    told = [each for series in group for each in told_by(heard, series, asked.begin)]
    rows: Rows = {}
    for t in asked.instants:
        inside = [size_of(each) for each in told if t - asked.step < each.end <= t]
        if inside:
            rows[t] = sum(inside, Fraction(0))
    return rows


@dataclass(frozen=True)
class Spread:
    """A rate, over (begin, end]."""

    begin: int
    end: int
    rate: Fraction

    def within(self, begin: int, end: int) -> int:
        return max(0, min(self.end, end) - max(self.begin, begin))


def spread(each: Told) -> Spread | None:
    if each.begin is None or each.begin >= each.end:
        return None
    return Spread(each.begin, each.end, size_of(each) / (each.end - each.begin))


def live_edges(heard: Heard, series: Identity, told: list[Told]) -> list[Spread]:
    """How the streams of a series go on behind their newest points."""
    edges = []
    resets = (
        []
        if series.delta
        else [placed.point.time for placed in place(heard.of(series)) if placed.role is Role.RESET]
    )
    service = [p.time for p in heard.points() if p.series.service == series.service]
    newest = {each.stream: each for each in told}
    for each in newest.values():
        last = spread(each)
        if last is None:
            continue
        until = each.end + (last.end - last.begin)
        if any(time > until for time in service) or any(time > each.end for time in resets):
            continue
        edges.append(Spread(each.end, until, last.rate))
    return edges


def rate(heard: Heard, group: Iterable[Identity], asked: Range) -> Rows:
    covers: list[Spread] = []
    at_once: list[Told] = []
    edges: list[Spread] = []
    for series in group:
        told = told_by(heard, series, asked.begin)
        edges += live_edges(heard, series, told)
        for each in told:
            if each.end > asked.end + LOOK_AHEAD:
                continue
            over = spread(each)
            if over is None:
                at_once.append(each)
            else:
                covers.append(over)
    rows: Rows = {}
    for t in asked.instants:
        begin = t - asked.step
        met = [cover for cover in covers if cover.within(begin, t)]
        inside = [each for each in at_once if begin < each.end <= t]
        if not met and not inside:
            continue
        total = sum((cover.rate * cover.within(begin, t) for cover in met), Fraction(0))
        total += sum((size_of(each) for each in inside), Fraction(0))
        total += sum((edge.rate * edge.within(begin, t) for edge in edges), Fraction(0))
        rows[t] = total * 1_000_000_000 / asked.step
    return rows
