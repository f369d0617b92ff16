"""Service health in plain Python: every increment kept, every window summed anew.

One service, one source, times in whole seconds. What the engine does with slots, folding and
downscaled vectors is here a list of increments and exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

#: (scale, {bucket index: count}) or (bounds, counts)
Exponential = tuple[int, Mapping[int, int]]
Explicit = tuple[tuple[float, ...], tuple[int, ...]]
Buckets = Exponential | Explicit


@dataclass
class Increment:
    time: int
    begin: int
    count: int
    error: bool
    buckets: Buckets | None
    only_if_start: int | None = None  # counts in windows that hold this start alone


@dataclass
class Stream:
    cumulative: bool
    error: bool = False
    last: tuple[int, int, int, Buckets] | None = None  # time, start, count, buckets
    sent: list[tuple[int, int]] = field(default_factory=list)


def count_of(buckets: Buckets) -> int:
    counts = buckets[1]
    return sum(counts.values()) if isinstance(counts, Mapping) else sum(counts)


def downscale(buckets: Exponential, scale: int) -> dict[int, int]:
    folded: dict[int, int] = {}
    for index, count in buckets[1].items():
        at = index >> (buckets[0] - scale)
        folded[at] = folded.get(at, 0) + count
    return folded


def subtract(new: Buckets, old: Buckets) -> Buckets | None:
    """new - old; None where a bucket fell."""
    if isinstance(new[1], Mapping) and isinstance(old[1], Mapping):
        scale = min(new[0], old[0])
        left = downscale(new, scale)
        for index, count in downscale(old, scale).items():
            left[index] = left.get(index, 0) - count
        fell = any(count < 0 for count in left.values())
        return None if fell else (scale, {i: c for i, c in left.items() if c})
    counts = tuple(a - b for a, b in zip(new[1], old[1], strict=True))
    return None if min(counts) < 0 else (new[0], counts)


class Reference:
    def __init__(self) -> None:
        self.increments: list[Increment] = []
        self.first_seen: int | None = None
        self.heard: list[int] = []

    def observe(self, stream: Stream, time: int, start: int, buckets: Buckets) -> None:
        if self.first_seen is None or time < self.first_seen:
            self.first_seen = time
        if start >= time:
            start = 0
        count = count_of(buckets)
        if not stream.cumulative:
            if (start, time) in stream.sent[-4:]:
                return
            stream.sent.append((start, time))
            before = [t for _, t in stream.sent[:-1]]
            begin = start or (max(before) if before and max(before) < time else time)
            self.add(Increment(time, begin, count, stream.error, buckets))
        elif stream.last is None:
            if start and start >= self.first_seen:
                heard = max((t for t in self.heard[-2:] if t < time), default=0)
                begin = max(start, heard)
                self.add(Increment(time, begin, count, stream.error, buckets))
            elif start:
                self.add(Increment(time, start, count, stream.error, buckets, start))
            stream.last = (time, start, count, buckets)
        else:
            last_time, last_start, last_count, last_buckets = stream.last
            if time <= last_time:
                return
            rest = subtract(buckets, last_buckets)
            if (last_start and start > last_start) or count < last_count or rest is None:
                begin = max(last_time, start)
                self.add(Increment(time, begin, count, stream.error, buckets))
            else:
                self.add(Increment(time, last_time, count - last_count, stream.error, rest))
            stream.last = (time, start, count, buckets)
        # The last two distinct times at which the source was heard of.
        if not self.heard or time > self.heard[-1]:
            self.heard.append(time)

    def add(self, increment: Increment) -> None:
        self.increments.append(increment)

    def window(self, low: int, high: int) -> list[Increment]:
        return [
            i
            for i in self.increments
            if low < i.time <= high and (i.only_if_start is None or i.only_if_start >= low)
        ]


def covered(increments: Sequence[Increment]) -> int:
    """The length of the union of (begin, time], counted second by second."""
    return len({second for i in increments for second in range(i.begin, i.time)})


def quantile_explicit(q: Fraction, increments: Sequence[Increment]) -> float | None:
    vectors = [i.buckets for i in increments if i.buckets is not None and i.count]
    if not vectors:
        return None
    bounds = [b for b in vectors[0][0] if all(b in v[0] for v in vectors)]
    counts = [0] * (len(bounds) + 1)
    for own, numbers in vectors:
        for i, number in enumerate(numbers):
            edge = own[i] if i < len(own) else None
            at = len(bounds)
            if edge is not None:
                at = next((k for k, b in enumerate(bounds) if b >= edge), len(bounds))
            counts[at] += number
    rank = q * sum(counts)
    below = 0
    for i, number in enumerate(counts):
        if number and below + number >= rank:
            if i == len(bounds):
                return float(bounds[-1])
            low = Fraction(bounds[i - 1]) if i else Fraction(0)
            return float(low + (Fraction(bounds[i]) - low) * (rank - below) / number)
        below += number
    raise AssertionError("the counts do not reach the rank")


def quantile_exponential(q: Fraction, increments: Sequence[Increment], most: int) -> float | None:
    vectors = [i.buckets for i in increments if i.buckets is not None and i.count]
    if not vectors:
        return None
    scale = min(v[0] for v in vectors)
    while True:
        total: dict[int, int] = {}
        for vector in vectors:
            for index, count in downscale(vector, scale).items():
                total[index] = total.get(index, 0) + count
        if max(total) - min(total) < most:
            break
        scale -= 1
    rank = q * sum(total.values())
    below = 0
    for index in sorted(total):
        if total[index] and below + total[index] >= rank:
            inside = float((rank - below) / total[index])
            return float(2.0 ** ((index + inside) * 2.0**-scale))
        below += total[index]
    raise AssertionError("the counts do not reach the rank")
