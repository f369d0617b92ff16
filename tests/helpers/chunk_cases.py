"""Chunks with what they need to be decoded: whole ones of every form, and as one string of bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from drivers.chunk_bytes import ChunkBytes
from drivers.column_codec import ColumnCodec

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
BLOCK = 480
HEADER = 16
GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY = range(1, 6)
STALE, INT, HAS_SUM = 1, 1 << 24, 1 << 25

#: (time, start, value bits, flags, row words)
Point = tuple[int, int, int, int, tuple[int, ...]]
#: (bytes or None, ticks, whether they are raw)
Span = tuple[bytes | None, int, bool]

driver = ChunkBytes()
times_codec = ColumnCodec("times")


@dataclass(frozen=True)
class Case:
    kind: int
    data: bytes
    spans: tuple[Span, ...] = ()
    layout: tuple[int, ...] | None = None
    row_words: int = 0

    def decode(self, fill: int = 0) -> list[Point] | None:
        return driver.decode(self.data, self.kind, self.spans, self.layout, self.row_words, fill)


# A case as bytes, which may be any bytes: the fuzzer's input.


def pack(case: Case) -> bytes:
    without = (case.kind < HISTOGRAM) != (case.layout is None)
    layout = case.layout or ()
    out = [bytes([case.kind - 1, len(case.spans), len(layout) | without << 7, case.row_words])]
    for held, count, raw in case.spans:
        form = 2 if held is None else 0 if raw else 1
        out.append(struct.pack("<HHB", len(held or b""), count, form))
    out += [word.to_bytes(8, "little") for word in layout]
    out += [held or b"" for held, _, _ in case.spans]
    return b"".join([*out, case.data])


def unpack(data: bytes) -> Case:
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    kind, spans, layout, row_words = take(4).ljust(4, b"\0")
    kind = kind % 5 + 1
    forms = [struct.unpack("<HHB", take(5).ljust(5, b"\0")) for _ in range(spans % 10)]
    words = tuple(int.from_bytes(take(8), "little") for _ in range(layout % 32))
    held = tuple(
        (None if form % 3 == 2 else take(length), count, form % 3 == 0)
        for length, count, form in forms
    )
    rowed = (kind >= HISTOGRAM) != bool(layout >> 7)
    return Case(kind, data[at:], held, words if rowed else None, row_words % 64)


# Whole chunks


def bits(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")


def points_of(
    times: Sequence[int],
    values: Sequence[int],
    start: Callable[[int], int] = lambda i: 0,
    flags: Callable[[int], int] = lambda i: 0,
    row: Callable[[int], tuple[int, ...]] = lambda i: (),
) -> list[Point]:
    return [
        (int(time), start(i), 0 if flags(i) & STALE else values[i], flags(i), row(i))
        for i, time in enumerate(times)
    ]


def jittered(n: int) -> list[int]:
    jitter = np.random.default_rng(n).normal(0, 1e6, n).astype(np.int64)
    return [T0 + i * SECOND + int(jitter[i]) for i in range(n)]


def with_clock(
    kind: int, points: list[Point], ticks: list[int], clock_ticks: list[int], first_block: int = 0
) -> Case:
    """A chunk on a clock whose ticks, from the first of a block on, are given; the last block is raw."""
    data = driver.encode(kind, points, 7, ticks)
    begin, end = ticks[0] // BLOCK, ticks[-1] // BLOCK
    spans: list[Span] = []
    for block in range(begin, end + 1):
        first = (block - first_block) * BLOCK
        held = clock_ticks[first : first + BLOCK]
        if not any(block * BLOCK <= tick < (block + 1) * BLOCK for tick in ticks):
            spans.append((None, 0, False))
        elif len(held) < BLOCK:
            spans.append((struct.pack(f"<{len(held)}q", *held), len(held), True))
        else:
            spans.append((times_codec.encode(np.array(held, np.int64)), BLOCK, False))
    return Case(kind, data, tuple(spans))


def own(kind: int, points: list[Point], layout: tuple[int, ...] | None = None) -> Case:
    row_words = len(points[0][4])
    return Case(kind, driver.encode(kind, points, layout=layout), (), layout, row_words)


def numbers() -> dict[str, tuple[list[Point], Case]]:
    walk = [bits(round(20 + i * 7 % 13 / 10, 1)) for i in range(BLOCK)]
    counts = [i * i // 7 for i in range(BLOCK)]
    times = jittered(BLOCK)
    forms: dict[str, list[Point]] = {
        "one point": points_of(times[:1], walk),
        "doubles": points_of(times, walk),
        "integers": points_of(times[:200], counts, flags=lambda i: INT),
        "mixed": points_of(
            times[:90],
            [counts[i] if i % 3 else walk[i] for i in range(90)],
            flags=lambda i: INT if i % 3 else 0,
        ),
        "bits": points_of(
            times[:40],
            [2**63 + 12345 * i if i % 2 else walk[i] for i in range(40)],
            flags=lambda i: INT if i % 2 else 0,
        ),
        "stale marks": points_of(times[:100], walk, flags=lambda i: STALE if i % 9 == 4 else 0),
        "equal flags": points_of(times[:20], walk, flags=lambda i: 2),
        "equal starts": points_of(times[:30], walk, start=lambda i: T0 - SECOND),
        "starts that follow": points_of(times[:30], walk, start=lambda i: times[i] - SECOND),
        "starts at the time before": points_of(
            times[:30], walk, start=lambda i: times[i - 1] if i else 5
        ),
        "starts mostly at the time before": points_of(
            times[:30], walk, start=lambda i: times[i - 1] + i // 28 if i else 5
        ),
        "any starts": points_of(times[:30], walk, start=lambda i: i * 977 % 101),
        "constant": points_of([T0 + i * SECOND for i in range(BLOCK)], [bits(3.0)] * BLOCK),
    }
    return {name: (points, own(GAUGE, points)) for name, points in forms.items()}


def clocked() -> dict[str, tuple[list[Point], Case]]:
    clock = jittered(4 * BLOCK + 100)
    found = {}
    for name, ticks in {
        "ticks of one block": range(BLOCK, BLOCK + 100),
        "ticks of two blocks": range(300, 300 + BLOCK),
        "ticks up to the raw block": range(4 * BLOCK - 50, 4 * BLOCK + 100),
        "most ticks of one block": [t for t in range(10, 200) if t % 5],
        "some ticks of many blocks": list(range(400, 4 * BLOCK + 90, 7)),
        "ticks around a block that is gone": [
            *range(900, 955),
            *range(3 * BLOCK + 1, 3 * BLOCK + 200),
        ],
    }.items():
        chosen = list(ticks)
        points = points_of([clock[t] for t in chosen], [bits(t % 11 / 2) for t in chosen])
        found[name] = points, with_clock(GAUGE, points, chosen, clock)
    return found


def rowed() -> dict[str, tuple[list[Point], Case]]:
    times = jittered(60)
    bounds = tuple(bits(bound) for bound in (0.1, 0.5, 1.0, 5.0))

    def histogram(i: int) -> tuple[int, ...]:
        return bits(i * 1.5), 0, 0, i % 3, i, 2 * i, 0, 1

    def exponential(i: int) -> tuple[int, ...]:
        return bits(i / 4), 0, 0, i % 2, bits(0.0), *(i * j % 5 for j in range(6)), i, 1

    def summary(i: int) -> tuple[int, ...]:
        return bits(i * 10.0), bits(1 + i % 7 / 10), bits(2 + i % 5 / 10)

    ranges = (3 & 0xFFFFFFFF | 6 << 32, 0xFFFFFFFE | 0xFFFFFFFB << 32)
    forms = {
        "histogram": (HISTOGRAM, bounds, histogram, [sum(histogram(i)[3:]) for i in range(60)]),
        "histogram, other counts": (HISTOGRAM, bounds, histogram, [7 * i for i in range(60)]),
        "histogram without buckets": (
            HISTOGRAM,
            (),
            lambda i: histogram(i)[:3],
            [i for i in range(60)],
        ),
        "exponential": (
            EXPONENTIAL,
            ranges,
            exponential,
            [sum(exponential(i)[5:]) + exponential(i)[3] for i in range(60)],
        ),
        "summary": (SUMMARY, (bits(0.5), bits(0.99)), summary, [3 * i for i in range(60)]),
        "summary without quantiles": (SUMMARY, (), lambda i: (), [3 * i for i in range(60)]),
    }
    found = {}
    for name, (kind, layout, row, values) in forms.items():
        points = points_of(times, values, flags=lambda i: HAS_SUM, row=row)
        found[name] = points, own(kind, points, layout)
    return found


WHOLE = numbers() | clocked() | rowed()


def damaged_spans(case: Case, chance: np.random.Generator) -> Case:
    """One span of ticks with a flipped byte, cut, missing, or said to hold another number of ticks."""
    spans = list(case.spans)
    i = int(chance.integers(len(spans)))
    held, count, raw = spans[i]
    how = int(chance.integers(5))
    if how == 0 and held:
        at = int(chance.integers(len(held)))
        held = held[:at] + bytes([int(chance.integers(256))]) + held[at + 1 :]
    elif how == 1 and held:
        held = held[: int(chance.integers(len(held)))]
    elif how == 2:
        count = int(chance.integers(0, 600))
    elif how == 3:
        raw = not raw
    else:
        spans = spans[:i]
        return replace(case, spans=tuple(spans))
    spans[i] = held, count, raw
    return replace(case, spans=tuple(spans))


def decide(case: Case) -> bool:
    """Whether the case is decoded. What comes out must not depend on what was in memory before."""
    found = case.decode(0)
    assert found == case.decode(0xFF)
    return found is not None


def with_header(case: Case, **fields: int) -> Case:
    names = ("clock", "tick", "count", "flags", "length")
    header = dict(zip(names, struct.unpack_from("<IIHHI", case.data), strict=True)) | fields
    return replace(case, data=struct.pack("<IIHHI", *header.values()) + case.data[HEADER:])
