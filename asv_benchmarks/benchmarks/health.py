"""Service health: filing a point, and a report with a point filed between calls.

Budgets: a report <= 20 us from Python; filing on the ingest path <= 30 ns for points that only move
`last_seen`, <= 80 ns for histogram points.
"""

import struct
from collections.abc import Callable
from typing import ClassVar

from drivers.health_book import FilingBook

GAUGE, SUM, HISTOGRAM, EXPONENTIAL = 1, 2, 3, 4
DELTA, CUMULATIVE = 1, 2
SECOND = 1_000_000_000
NOW = 1_760_000_000 * SECOND

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
BOUND_BITS = [int.from_bytes(struct.pack("<d", bound), "little") for bound in BOUNDS]

#: name -> kind, layout words, row words, how many of them stand in front of the buckets
SHAPES = {
    "gauge": (GAUGE, [], [], 0),
    "histogram of 15 buckets": (HISTOGRAM, BOUND_BITS, [0] * 3 + [1] * 15, 3),
    "exponential of 20 buckets": (EXPONENTIAL, [3 | 20 << 32, 0], [0] * 5 + [1] * 20, 5),
    "exponential of 160 buckets": (EXPONENTIAL, [3 | 160 << 32, 0], [0] * 5 + [1] * 160, 5),
}


class Filing:
    """Nanoseconds a point, cumulative, each with its increment, 100 points to a slot."""

    params: ClassVar = [list(SHAPES)]
    param_names: ClassVar = ["shape"]

    def track_point(self, shape: str) -> float:
        kind, layout, row, fixed = SHAPES[shape]
        best = float("inf")
        for _ in range(5):
            book = FilingBook()
            handle = book.bind("http.server.request.duration", "s", kind, CUMULATIVE, False, {})
            spent = book.time_filing(handle, NOW, 10_000_000, 100_000, layout, row, fixed)
            best = min(best, spent / 100_000)
        return best

    track_point.unit = "ns"


class Report:
    """A report over full slots: a point a second for more than an hour."""

    params: ClassVar = [["histogram of 15 buckets", "exponential of 160 buckets"], [60, 300, 3600]]
    param_names: ClassVar = ["shape", "seconds"]

    def setup(self, shape: str, seconds: int) -> None:
        kind, layout, row, _ = SHAPES[shape]
        book = FilingBook()
        handle = book.bind("http.server.request.duration", "s", kind, DELTA, False, {})
        count = sum(row)

        def file(time: int) -> None:
            book.observe(handle, time, time - SECOND, count, layout, row, 0, NOW)

        for second in range(-3700, 1):
            file(NOW + second * SECOND)
        self.file: Callable[[int], None] = file
        self.book = book
        self.at = NOW

    def time_report(self, shape: str, seconds: int) -> None:
        self.book.report(seconds * SECOND, None, NOW)

    def time_report_and_file(self, shape: str, seconds: int) -> None:
        self.at += 1
        self.file(self.at)
        self.book.report(seconds * SECOND, None, NOW)
