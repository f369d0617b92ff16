"""The aggregations in exact arithmetic, written for reading: fractions, lists, no shortcuts.

A point is (time, start, value). Integers stay int, doubles become Fraction, so that every sum and
difference is exact. Where the kernels round, tests compare with a tolerance; integers must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

Number = int | float
NumberPoint = tuple[int, int, Number | None]


def known_start(start: int, time: int) -> int:
    return start if 0 < start < time else 0


def started_again(point: Any, before: Any) -> bool:
    start, earlier = known_start(point[1], point[0]), known_start(before[1], before[0])
    if not start:
        return False
    return start > earlier if earlier else start > before[0]


def windows(start: int, end: int, step: int) -> list[int]:
    return list(range(start, end + 1, step))


def increments(
    points: Sequence[Any],
    delta: bool,
    fell: Callable[[Any, Any], bool],
    less: Callable[[Any, Any], Any],
) -> list[tuple[int, Any]]:
    """(time, increment) of each point; None for a mere baseline. Stale marks are left out."""
    real = [point for point in sorted(points, key=lambda p: p[0]) if point[2] is not None]
    out = []
    for index, point in enumerate(real):
        before = real[index - 1] if index else None
        if delta:
            out.append((point[0], point[2]))
        elif before is None:
            out.append((point[0], point[2] if known_start(point[1], point[0]) else None))
        elif started_again(point, before) or fell(before[2], point[2]):
            out.append((point[0], point[2]))
        else:
            out.append((point[0], less(point[2], before[2])))
    return out


def increase_rows(
    members: Iterable[Sequence[NumberPoint]],
    start: int,
    end: int,
    step: int,
    *,
    delta: bool = False,
    monotonic: bool = True,
) -> list[tuple[int, Fraction]]:
    """(t, exact increase) of a group of sums."""
    found = [
        part
        for points in members
        for part in increments(
            points,
            delta,
            lambda old, new: monotonic and Fraction(new) < Fraction(old),
            lambda new, old: Fraction(new) - Fraction(old),
        )
    ]
    rows = []
    for t in windows(start, end, step):
        inside = [increment for time, increment in found if t - step < time <= t]
        if inside:
            rows.append((t, sum((Fraction(i) for i in inside if i is not None), Fraction(0))))
    return rows


# Explicit buckets: a vector is (bounds tuple, counts tuple).

Buckets = tuple[tuple[float, ...], tuple[int, ...]]


def fold(buckets: Buckets, bounds: Sequence[float]) -> list[int]:
    """The counts at a subset of the bounds."""
    own, counts = buckets
    out = [0] * (len(bounds) + 1)
    for index, count in enumerate(counts):
        upper = own[index] if index < len(own) else float("inf")
        out[sum(1 for bound in bounds if bound < upper)] += count
    return out


def common(many: Iterable[Buckets]) -> list[float]:
    sets = [set(bounds) for bounds, _ in many]
    return sorted(set.intersection(*sets)) if sets else []


def buckets_fell(old: Buckets, new: Buckets) -> bool:
    if sum(new[1]) < sum(old[1]):
        return True
    bounds = common([old, new])
    return any(n < o for n, o in zip(fold(new, bounds), fold(old, bounds), strict=True))


def buckets_less(new: Buckets, old: Buckets) -> Buckets:
    bounds = common([old, new])
    counts = [n - o for n, o in zip(fold(new, bounds), fold(old, bounds), strict=True)]
    return tuple(bounds), tuple(counts)


def merged(many: Sequence[Buckets]) -> Buckets:
    bounds = common(many)
    folded = [fold(one, bounds) for one in many]
    return tuple(bounds), tuple(sum(column) for column in zip(*folded, strict=True))


def explicit_quantile(q: Fraction, buckets: Buckets, greatest: float | None) -> Fraction | None:
    """Linear inside the bucket; None for NaN."""
    bounds, counts = buckets
    total = sum(counts)
    if total == 0 or not bounds:
        return None
    rank = q * total
    below = 0
    for index, count in enumerate(counts[:-1]):
        if count and below + count >= rank:
            upper = Fraction(bounds[index])
            if index:
                lower = Fraction(bounds[index - 1])
            elif upper > 0:
                lower = Fraction(0)
            else:
                return upper
            return lower + (upper - lower) * (rank - below) / count
        below += count
    if greatest is not None and greatest > bounds[-1]:
        return Fraction(greatest)
    return Fraction(bounds[-1])


# Exponential buckets: a vector is (scale, zero_count, {index: count}, {index: count of negatives}).

Exponential = tuple[int, int, dict[int, int], dict[int, int]]


def coarser(side: dict[int, int], shift: int) -> dict[int, int]:
    out: dict[int, int] = {}
    for index, count in side.items():
        out[index >> shift] = out.get(index >> shift, 0) + count
    return out


def combine(a: Exponential, b: Exponential, sign: int) -> Exponential:
    scale = min(a[0], b[0])
    sides = []
    for one, other in ((a[2], b[2]), (a[3], b[3])):
        left, right = coarser(one, a[0] - scale), coarser(other, b[0] - scale)
        sides.append(
            {i: left.get(i, 0) + sign * right.get(i, 0) for i in left.keys() | right.keys()}
        )
    return scale, a[1] + sign * b[1], sides[0], sides[1]


def exponential_fell(old: Exponential, new: Exponential) -> bool:
    _, zeros, positive, negative = combine(new, old, -1)
    return min([zeros, *positive.values(), *negative.values()]) < 0


def exponential_quantile(q: float, vector: Exponential) -> float | None:
    """Geometric inside a bucket; thresholds are 0 here."""
    scale, zeros, positive, negative = vector
    base = Fraction(2) ** -scale if scale <= 0 else Fraction(1, 2**scale)
    ordered: list[tuple[int, Callable[[Fraction], float]]] = []
    for index in sorted(negative, reverse=True):
        ordered.append(
            (negative[index], lambda part, i=index: -(2.0 ** float(base * (i + 1 - part))))
        )
    ordered.append((zeros, lambda part: 0.0))
    for index in sorted(positive):
        ordered.append((positive[index], lambda part, i=index: 2.0 ** float(base * (i + part))))
    total = sum(count for count, _ in ordered)
    if total == 0:
        return None
    rank, below = Fraction(q) * total, 0
    for count, value in ordered:
        if count and below + count >= rank:
            return value((rank - below) / count)
        below += count
    raise AssertionError("the rank is beyond the total")
