"""Points of each kind, and a series fed together with its model."""

from __future__ import annotations

from drivers.series_buffers import SeriesBuffers

from helpers.series_model import (
    ADD,
    EXPONENTIAL,
    GAUGE,
    HAS_MAX,
    HAS_MIN,
    HAS_SUM,
    HISTOGRAM,
    INT,
    SUM,
    Point,
    SeriesModel,
    bits,
    canonical,
    exponential_layout,
    int_bits,
)

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
EVER = (-(2**63), 2**63 - 1)
KINDS = (SUM, HISTOGRAM, EXPONENTIAL)


def number(time: int, value: float | int, start: int = 0, flags: int = 0) -> Point:
    if isinstance(value, int):
        return time, start, int_bits(value), flags | INT, (), ()
    return time, start, bits(value), flags, (), ()


def histogram(
    time: int, counts: list[int], bounds: list[float], total: float = 1.5, start: int = 0
) -> Point:
    row = (bits(total), bits(0.5), 0, *counts)
    return time, start, sum(counts), HAS_SUM | HAS_MIN, tuple(map(bits, bounds)), row


def exponential(
    time: int, scale: int, positive: int, ups: list[int], negative: int = 0, downs: tuple = ()
) -> Point:
    layout = exponential_layout(scale, positive if ups else 0, len(ups), negative if downs else 0)
    row = (bits(2.5), 0, bits(9.0), 3, bits(0.0), *ups, *downs)
    return time, 0, sum(ups) + sum(downs) + 3, HAS_SUM | HAS_MAX, layout, row


def append(buffers: SeriesBuffers, series: int, point: Point, exemplars: tuple = ()) -> None:
    assert buffers.append_point(series, *point, exemplars)


def read(buffers: SeriesBuffers, series: int, kind: int, *range_: int | bool) -> list[Point]:
    return [canonical(p, kind) for p in buffers.read(series, *(range_ or EVER))]


class Pair:
    """The real series and its model, fed alike."""

    def __init__(self, kind: int = GAUGE, options: int = 0) -> None:
        self.kind = kind
        self.real = SeriesBuffers([kind], [0], [options])
        self.model = SeriesModel(kind, add=bool(options & ADD))

    def append(self, *points: Point) -> None:
        for point in points:
            append(self.real, 0, point)
            self.model.append(point)

    def check(self) -> None:
        assert read(self.real, 0, self.kind) == self.model.read(*EVER)
        counters = self.real.counters()
        assert counters["points"] == self.real.points(0) == len(self.model.points)
        assert counters["duplicate_points"] == self.model.duplicates
        assert counters["replaced_points"] == self.model.replaced
        assert counters["late_points"] == self.model.late
        assert counters["evicted_points"] == 0


def exemplar(time: int, filler: bytes = b"trace") -> bytes:
    attribute = b"\x3a" + bytes([len(filler)]) + filler
    return attribute + b"\x11" + time.to_bytes(8, "little") if time else attribute


def script() -> list[tuple]:
    """A run that takes every way there is to allocate."""
    steps: list[tuple] = []
    for i in range(70):
        steps.append((0, number(T0 + i * SECOND, i if i % 5 else i + 0.5, start=T0)))
        steps.append((1, histogram(T0 + i * SECOND, [i, 1], [1.0] if i < 40 else [2.0])))
        steps.append((2, exponential(T0 + i * SECOND, 3, -i, [1] * (i + 1))))
        if i % 7 == 3:
            steps.append((0, number(T0 + (i - 3) * SECOND + 1, 9.0)))
            steps.append((0, number(T0 + (i - 2) * SECOND, -1.0)))
            steps.append((2, exponential(T0 + (i - 1) * SECOND, 3, 40, [i])))
        if i % 30 == 29:
            steps += [(0, "seal"), (1, "seal"), (2, "seal")]
    return steps
