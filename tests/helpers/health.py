"""Drives a FilingBook in the words of OTLP: histograms, counters, temporalities by name."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from drivers.health_book import FilingBook

from urpo_store.model import AttributeValue, ServiceHealthMetrics

KIND_GAUGE, KIND_SUM, KIND_HISTOGRAM, KIND_EXPONENTIAL, KIND_SUMMARY = range(1, 6)
TEMPORALITY = {"delta": 1, "cumulative": 2}
FLAG_STALE, FLAG_INT, FLAG_SUM, FLAG_MIN, FLAG_MAX = 1, 1 << 24, 1 << 25, 1 << 26, 1 << 27

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
#: The moment at which the tests' windows end: a whole minute, 2025.
NOW = 1_750_000_020 * SECOND

B1 = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
B0 = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000]


def bits(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")


def at(seconds: float) -> int:
    """A time that many seconds before NOW (negative numbers) or after it."""
    return NOW + round(seconds * SECOND)


class Series:
    def __init__(self, book: Health, handle: int) -> None:
        self.book = book.book
        self.handle = handle
        self.now = book.now

    @property
    def feeds(self) -> bool:
        return self.book.feeds(self.handle)

    def histogram(
        self,
        time: float,
        counts: Sequence[int],
        bounds: Sequence[float] = B1,
        start: float | None = None,
        maximum: float | None = None,
        count: int | None = None,
        stale: bool = False,
    ) -> None:
        """Times in seconds relative to NOW; `start` None: unknown."""
        self.book.observe(
            self.handle,
            at(time),
            0 if start is None else at(start),
            sum(counts) if count is None else count,
            [bits(b) for b in bounds],
            [0, 0, bits(maximum or 0.0), *counts],
            (FLAG_MAX if maximum is not None else 0) | (FLAG_STALE if stale else 0),
            self.now,
        )

    def exponential(
        self,
        time: float,
        scale: int,
        offset: int,
        counts: Sequence[int],
        start: float | None = None,
        zero: int = 0,
        zero_threshold: float = 0.0,
    ) -> None:
        self.book.observe(
            self.handle,
            at(time),
            0 if start is None else at(start),
            sum(counts) + zero,
            [(scale & 0xFFFFFFFF) | len(counts) << 32, offset & 0xFFFFFFFF],
            [0, 0, 0, zero, bits(zero_threshold), *counts],
            0,
            self.now,
        )

    def number(self, time: float, value: float, start: float | None = None) -> None:
        self.book.observe(
            self.handle,
            at(time),
            0 if start is None else at(start),
            value,
            flags=FLAG_INT if isinstance(value, int) else 0,
            now=self.now,
        )


class Health:
    """One service's health, now being NOW unless told otherwise."""

    def __init__(
        self, service: str = "shop", now: int = NOW, first_seen: int = -1, fail_at: int = 0
    ) -> None:
        self.book = FilingBook(service, first_seen)
        self.book.fail_allocation(fail_at)
        self.now = now

    def series(
        self,
        metric: str = "http.server.request.duration",
        unit: str = "s",
        kind: int = KIND_HISTOGRAM,
        temporality: str = "cumulative",
        attributes: Mapping[str, AttributeValue] | None = None,
        collapsed: bool = False,
    ) -> Series:
        handle = self.book.bind(
            metric,
            unit,
            kind,
            TEMPORALITY.get(temporality, 0),
            kind == KIND_SUM,
            attributes or {},
            collapsed,
        )
        return Series(self, handle)

    def report(
        self, window: str = "5m", end: float | None = None, now: float = 0
    ) -> ServiceHealthMetrics:
        """The window ends at `end`, or at `now`; both in seconds relative to NOW."""
        minutes = {"1m": 1, "5m": 5, "15m": 15, "1h": 60}[window]
        row = self.book.report(minutes * MINUTE, None if end is None else at(end), at(now))
        assert row is not None, "the window reaches beyond the slots"
        return ServiceHealthMetrics(*row)


def in_bucket(count: int, index: int, size: int = len(B1) + 1) -> list[int]:
    """A vector with `count` observations in one bucket."""
    counts = [0] * size
    counts[index] = count
    return counts
