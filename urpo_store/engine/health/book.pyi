"""The health of one service, from Python."""

from collections.abc import Mapping, Sequence
from typing import Self

from typing_extensions import disjoint_base

from urpo_store.model import AttributeValue
from urpo_store.query.source import Scanned

@disjoint_base
class HealthBook:
    """The health of one service, filed from stored points.

    Kinds, temporalities and flags are the numbers of points/slots.pxd; times are Unix nanoseconds.
    """

    def __new__(cls, service: str = "service", first_seen: int = -1) -> Self: ...
    def bind(
        self,
        metric: str,
        unit: str,
        kind: int,
        temporality: int,
        monotonic: bool,
        attributes: Mapping[str, AttributeValue],
    ) -> int:
        """A handle for the points of one series.

        `attributes`: those of point, scope and resource together.
        """

    def replay(self, handles: Sequence[int], scanned: Scanned, now: int | None = None) -> None:
        """File the points of several series in order of time.

        Series i of `scanned` is `handles[i]`. A point before the window (a predecessor) is the
        baseline of its series, as it was when it came.
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
