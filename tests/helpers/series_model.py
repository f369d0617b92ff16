"""A plain model of a series: a dict from time to point, kept for ever as the reference."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY = 1, 2, 3, 4, 5
STALE = 1
INT = 1 << 24
HAS_SUM, HAS_MIN, HAS_MAX = 1 << 25, 1 << 26, 1 << 27
ADD = 1

# (time, start, value bits, flags, layout words, row words)
Point = tuple[int, int, int, int, tuple[int, ...], tuple[int, ...]]


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def double(word: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", word))[0])


def int_bits(value: int) -> int:
    return value & (1 << 64) - 1


def exponential_layout(
    scale: int, positive: int, positive_count: int, negative: int
) -> tuple[int, int]:
    word = 0xFFFFFFFF
    return (scale & word) | positive_count << 32, (positive & word) | (negative & word) << 32


def signed(word: int) -> int:
    word &= 0xFFFFFFFF
    return word - (1 << 32) if word >> 31 else word


def canonical(point: Point, kind: int) -> Point:
    """The point with its exponential buckets trimmed: padding with zeros means nothing."""
    time, start, value, flags, layout, row = point
    if kind != EXPONENTIAL or len(layout) != 2:
        return point
    count = layout[0] >> 32
    sides = []
    for first, counts in (
        (signed(layout[1]), row[5 : 5 + count]),
        (signed(layout[1] >> 32), row[5 + count :]),
    ):
        kept = list(counts)
        while kept and kept[-1] == 0:
            kept.pop()
        while kept and kept[0] == 0:
            kept.pop(0)
            first += 1
        sides.append((first if kept else 0, tuple(kept)))
    (positive, ups), (negative, downs) = sides
    trimmed = exponential_layout(signed(layout[0]), positive, len(ups), negative)
    return time, start, value, flags, trimmed, (*row[:5], *ups, *downs)


@dataclass
class SeriesModel:
    kind: int
    add: bool = False
    points: dict[int, Point] = field(default_factory=dict)
    duplicates: int = 0
    replaced: int = 0
    late: int = 0

    def append(self, point: Point) -> None:
        point = canonical(point, self.kind)
        if point[3] & STALE:
            point = (point[0], point[1], 0, *point[3:])
        newest = max(self.points, default=None)
        old = self.points.get(point[0])
        if old is None:
            self.late += newest is not None and point[0] < newest
            self.points[point[0]] = point
        elif self.add:
            self.points[point[0]] = added(old, point)
        elif old == point:
            self.duplicates += 1
        else:
            self.replaced += 1
            self.points[point[0]] = point

    def read(self, start: int, end: int, predecessor: bool = False) -> list[Point]:
        found = [self.points[t] for t in sorted(self.points) if start <= t <= end]
        before = [t for t in self.points if t < start]
        if predecessor and before:
            found.insert(0, self.points[max(before)])
        return found


def added(a: Point, b: Point) -> Point:
    """The sum of two numbers, as DATA_ADD means it."""
    if a[3] & STALE:
        return b
    if b[3] & STALE:
        return a
    starts = [s for s in (a[1], b[1]) if s]
    start = min(starts, default=0)
    if a[3] & b[3] & INT:
        total = int_of(a) + int_of(b)
        if -(1 << 63) <= total < 1 << 63:
            return (a[0], start, int_bits(total), *a[3:])
    total_float = float_of(a) + float_of(b)
    return (a[0], start, bits(total_float), a[3] & ~INT, *a[4:])


def int_of(point: Point) -> int:
    return point[2] - (1 << 64) if point[2] >> 63 else point[2]


def float_of(point: Point) -> float:
    return float(int_of(point)) if point[3] & INT else double(point[2])
