"""The engine's health against the plain Python reference, on generated histories."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from helpers.health import (
    KIND_EXPONENTIAL,
    KIND_HISTOGRAM,
    Health,
    Series,
)
from helpers.reference_health import (
    Reference,
    Stream,
    covered,
    quantile_explicit,
    quantile_exponential,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from urpo_store.model import ServiceHealthMetrics

#: Seconds of the reference are counted from here, so that all are positive.
ORIGIN = 10_000

LAYOUTS = [(1.0, 2.0, 4.0, 8.0), (2.0, 4.0, 16.0)]

# One step of one series: what it adds to its buckets, and how it is sent.
step = st.fixed_dictionaries(
    {
        "series": st.integers(0, 3),
        "after": st.integers(-3, 20),  # seconds since the newest point so far
        "adds": st.lists(st.integers(0, 9), min_size=5, max_size=5),
        "restart": st.sampled_from([None, None, None, None, "new start", "silent"]),
        "resend": st.booleans(),
        "scale": st.integers(-1, 4),
        "offset": st.integers(-20, 20),
    }
)


class History:
    """Sends the same points to the engine and to the reference."""

    def __init__(self, kind: int, temporality: str, starts: list[int]) -> None:
        self.kind = kind
        self.cumulative = temporality == "cumulative"
        self.health = Health()
        self.reference = Reference()
        self.starts = [ORIGIN - s if s else 0 for s in starts]
        self.streams = [Stream(self.cumulative, error=i == 1) for i in range(4)]
        self.series: list[Series] = []
        for i in range(4):
            attributes = {"error.type": "x"} if i == 1 else {"n": i}
            self.series.append(
                self.health.series("rpc.server.call.duration", "s", kind, temporality, attributes)
            )
        self.totals: list[Any] = [[0] * 5 for _ in range(4)]
        self.sparse: list[dict[int, int]] = [{} for _ in range(4)]
        self.scales = [4] * 4
        self.last = [0] * 4
        self.now = ORIGIN - 200

    def send(self, s: dict[str, Any]) -> None:
        i = s["series"]
        time = min(self.now + s["after"], ORIGIN)
        self.now = max(self.now, time)
        start = self.starts[i]
        if not self.cumulative:
            start = self.last[i] if s["restart"] is None else 0
        elif s["restart"] is not None:
            self.totals[i] = [0] * 5
            self.sparse[i] = {}
            self.scales[i] = 4
            if s["restart"] == "new start":
                start = self.starts[i] = max(time - 1, 1)
        if self.kind == KIND_HISTOGRAM:
            self.send_explicit(i, time, start, s)
        else:
            self.send_exponential(i, time, start, s)
        self.last[i] = max(self.last[i], time)

    def send_explicit(self, i: int, time: int, start: int, s: dict[str, Any]) -> None:
        bounds = LAYOUTS[i % 2]
        adds = s["adds"][: len(bounds) + 1]
        if self.cumulative:
            self.totals[i] = [a + b for a, b in zip(self.totals[i], adds, strict=False)]
            adds = list(self.totals[i])
        for _ in range(1 + s["resend"]):
            self.reference.observe(self.streams[i], time, start, (bounds, tuple(adds)))
            self.series[i].histogram(time - ORIGIN, adds, bounds, start=self.relative(start))

    def send_exponential(self, i: int, time: int, start: int, s: dict[str, Any]) -> None:
        # A cumulative stream only ever loses scale, as an SDK's does.
        scale = min(self.scales[i], s["scale"]) if self.cumulative else s["scale"]
        sparse: dict[int, int] = {}
        if self.cumulative:
            for index, count in self.sparse[i].items():
                at = index >> (self.scales[i] - scale)
                sparse[at] = sparse.get(at, 0) + count
        for k, count in enumerate(s["adds"]):
            if count:
                at = s["offset"] + k
                sparse[at] = sparse.get(at, 0) + count
        self.sparse[i], self.scales[i] = sparse, scale
        first = min(sparse, default=0)
        dense = [sparse.get(k, 0) for k in range(first, max(sparse, default=-1) + 1)]
        for _ in range(1 + s["resend"]):
            self.reference.observe(self.streams[i], time, start, (scale, dict(sparse)))
            self.series[i].exponential(
                time - ORIGIN, scale, first, dense, start=self.relative(start)
            )

    def relative(self, start: int) -> float | None:
        return start - ORIGIN if start else None

    def check(self, window: str, end: int | None) -> None:
        got = self.health.report(window, end)
        high = ORIGIN + (end or 0)
        found = self.reference.window(high - {"1m": 60, "5m": 300}[window], high)
        if not found:
            assert got.request_count is None
            return
        count = sum(i.count for i in found)
        assert got.request_count == count
        assert got.error_count == sum(i.count for i in found if i.error)
        seconds = covered(found)
        assert got.request_rate == (pytest.approx(count / seconds) if seconds else None)
        assert got.error_rate == (pytest.approx(got.error_count / count) if count else None)
        self.check_quantiles(got, found)

    def check_quantiles(self, got: ServiceHealthMetrics, found: list[Any]) -> None:
        for q, value in ((50, got.p50_latency), (95, got.p95_latency), (99, got.p99_latency)):
            if self.kind == KIND_HISTOGRAM:
                expected = quantile_explicit(Fraction(q / 100), found)
            else:
                expected = quantile_exponential(Fraction(q / 100), found, 160)
            assert value == (None if expected is None else pytest.approx(expected, rel=1e-9))


@pytest.mark.parametrize("temporality", ["delta", "cumulative"])
@pytest.mark.parametrize("kind", [KIND_HISTOGRAM, KIND_EXPONENTIAL])
@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(step, min_size=1, max_size=25),
    starts=st.lists(st.sampled_from([0, 30, 150, 220, 1000]), min_size=4, max_size=4),
    end=st.sampled_from([None, 0, -7, -40, -130]),
)
def test_health_is_what_the_reference_says(
    kind: int, temporality: str, steps: list[dict[str, Any]], starts: list[int], end: int | None
) -> None:
    """Counts, errors, rates and quantiles over any order of points, resets, re-sends and bounds."""
    history = History(kind, temporality, starts)
    for s in steps:
        history.send(s)
    for window in ("1m", "5m"):
        history.check(window, end)
