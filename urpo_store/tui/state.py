"""The range of time that all screens show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SECOND = 10**9
#: What `[` and `]` step through.
RANGES = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "1h": 3600,
    "6h": 6 * 3600,
    "24h": 24 * 3600,
}
_NAMES = list(RANGES)
#: The windows that service health knows.
_HEALTH = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600}
#: Steps of charts, seconds: multiples of the intervals at which SDKs usually export.
_STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


@dataclass
class State:
    """Range and pause; `clock` returns Unix nanoseconds. Only the event loop's thread uses it."""

    clock: Callable[[], int]
    range: str = "5m"
    paused_at: int | None = None

    @property
    def now(self) -> int:
        """The end of the range."""
        return self.clock() if self.paused_at is None else self.paused_at

    @property
    def seconds(self) -> int:
        return RANGES[self.range]

    @property
    def health_window(self) -> str:
        """The longest window of health within the range."""
        return [name for name, seconds in _HEALTH.items() if seconds <= self.seconds][-1]

    def wider(self, steps: int) -> None:
        index = _NAMES.index(self.range) + steps
        self.range = _NAMES[min(max(index, 0), len(_NAMES) - 1)]

    def pan(self, share: float) -> None:
        """Move a paused view by a share of its range, not beyond now."""
        if self.paused_at is not None:
            moved = self.paused_at + int(share * self.seconds * SECOND)
            self.paused_at = min(moved, self.clock())

    def toggle_pause(self) -> None:
        self.paused_at = self.clock() if self.paused_at is None else None

    def moment(self) -> Moment:
        return Moment(self.now, self.range, self.seconds, self.health_window)


@dataclass(frozen=True)
class Moment:
    """The state when a load began; threads see no later changes."""

    now: int
    range: str
    seconds: int
    health_window: str

    @property
    def start(self) -> int:
        return max(self.now - self.seconds * SECOND, 0)

    def step(self, columns: int, interval: int = 0) -> int:
        """Seconds between the points of a chart with so many columns.

        A multiple of the interval of the exports: otherwise windows with more and with fewer exports
        would alternate.
        """
        wanted = self.seconds / max(columns, 1)
        step = next((step for step in _STEPS if step >= wanted), _STEPS[-1])
        return step if interval < 2 else -(-step // interval) * interval

    def aligned(self, step: int) -> tuple[int, int]:
        """The range's start and end, both multiples of the step, so that windows do not drift."""
        end = self.now // (step * SECOND) * step * SECOND
        first = end - (self.seconds // step) * step * SECOND
        return max(first, 0), end
