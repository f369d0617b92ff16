"""The health of one service, from Python."""

from collections.abc import Mapping, Sequence
from typing import final

from urpo_store.model import AttributeValue
from urpo_store.query.source import Scanned

@final
class HealthBook:
    """The health of one service from points given in Python.

    The store answers with it for windows outside its slots (`replay`); tests drive the arithmetic
    through it. Kinds, temporalities and flags are the numbers of points/slots.pxd; times are Unix
    nanoseconds.
    """

    def __new__(
        cls, service: str = "service", first_seen: int = -1, fail_at: int = 0
    ) -> HealthBook: ...
    def bind(
        self,
        metric: str,
        unit: str,
        kind: int,
        temporality: int,
        monotonic: bool,
        attributes: Mapping[str, AttributeValue],
        collapsed: bool = False,
    ) -> int:
        """A handle for the points of one series.

        `attributes`: those of point, scope and resource together.
        """

    def unbind(self, handle: int) -> None:
        """Forget the series; what it counted stays."""

    def feeds(self, handle: int) -> bool:
        """Whether the points of this series count as requests or errors."""

    def observe(
        self,
        handle: int,
        time: int,
        start: int,
        value: int | float,
        layout: Sequence[int] = (),
        row: Sequence[int] = (),
        flags: int = 0,
        now: int | None = None,
    ) -> None:
        """File one point; `layout` and `row` are its payload words (points/slots.pxd).

        `now` None: the clock's.
        """

    def replay(self, handles: Sequence[int], scanned: Scanned, now: int | None = None) -> None:
        """File the points of several series in order of time.

        Series i of `scanned` is `handles[i]`. A point before the window (a predecessor) is the
        baseline of its series, as it was when it came.
        """

    def time_filing(
        self,
        handle: int,
        time: int,
        step: int,
        points: int,
        layout: Sequence[int] = (),
        row: Sequence[int] = (),
        fixed: int = 0,
    ) -> int:
        """Nanoseconds to file `points` points, `step` apart, from `time` on (benchmarks).

        `layout` and `row` are those of the first one, `fixed` the number of row words in front of
        the buckets; each further point counts one more in each bucket.
        """

    def report(
        self, window: int, at: int | None = None, now: int | None = None
    ) -> (
        tuple[
            str,
            float | None,
            float | None,
            int | None,
            int | None,
            float | None,
            float | None,
            float | None,
            str | None,
            int | None,
        ]
        | None
    ):
        """The fields of ServiceHealthMetrics; None: the window reaches beyond the slots."""

    @property
    def memory(self) -> int:
        """Bytes held."""

    @property
    def allocations(self) -> int:
        """Allocations asked for so far."""

    @property
    def dropped(self) -> int:
        """Increments not counted: older than the slots, or no memory."""
