"""Chunks: appending and sealing, reading back, and stored size, for series that share a clock.

A request is one new time (a second apart, a millisecond of jitter) and one point of each series.
"""

import time
from typing import Any

import numpy as np
from drivers.series_buffers import SeriesBuffers
from numpy.typing import NDArray

GAUGE = 1
SERIES = 500
POINTS = 1440
START = 1_760_000_000_000_000_000
EVER = (0, 2**62)

Values = NDArray[np.float64]


def make_times() -> NDArray[np.int64]:
    jitter = np.random.default_rng(3).normal(0, 1e6, POINTS).astype(np.int64)
    return START + np.arange(POINTS, dtype=np.int64) * 10**9 + jitter


def make_values(name: str) -> Values:
    """values[point, series], seeded; of "mix" three series in four are constant."""
    random = np.random.default_rng(7)
    shape = (POINTS, SERIES)
    if name == "constant":
        return np.full(shape, 3.5)
    if name == "counter, Poisson 50":
        return np.cumsum(random.poisson(50, shape), axis=0).astype(np.float64)
    if name == "gauge, 2 decimals":
        return np.round(50 + np.cumsum(random.normal(0, 1, shape), axis=0), 2)
    if name == "normal floats":
        return random.normal(0, 1, shape)
    if name == "averages":
        return np.round(random.random((*shape, 5)) * 10, 2).mean(axis=2)
    if name == "sines":
        return 50 + 20 * np.sin(np.add.outer(np.arange(POINTS), np.arange(SERIES)) / 10)
    if name == "ratios":
        return random.poisson(50, shape) / random.poisson(1000, shape)
    values = np.full(shape, 7.0)
    eighth = SERIES // 8
    values[:, :eighth] = np.cumsum(random.poisson(5, (POINTS, eighth)), axis=0)
    walk = np.cumsum(random.normal(0, 0.3, (POINTS, eighth)), axis=0)
    values[:, eighth : 2 * eighth] = np.round(20 + walk, 1)
    return values


def filled(times: NDArray[np.int64], values: Values) -> SeriesBuffers:
    buffers = SeriesBuffers([GAUGE] * SERIES)
    failed = buffers.append_requests(times, values.view(np.uint64), START - 10**9)
    assert failed == 0 and buffers.counters()["points"] == values.size
    return buffers


def seal_all(buffers: SeriesBuffers) -> None:
    for series in range(SERIES):
        buffers.seal(series)


def best_of(n: int, action: Any) -> float:
    """Seconds of the quickest of n runs."""
    found = []
    for _ in range(n):
        begin = time.perf_counter()
        action()
        found.append(time.perf_counter() - begin)
    return min(found)


class Chunks:
    params = (
        "constant",
        "counter, Poisson 50",
        "gauge, 2 decimals",
        "normal floats",
        # These are decimals with corrections: two streams a column.
        "averages",
        "sines",
        "ratios",
        "mix",
    )
    param_names = ("series",)

    def setup(self, name: str) -> None:
        self.times = make_times()
        self.values = make_values(name)

    def track_append_and_seal(self, name: str) -> float:
        def run() -> None:
            seal_all(filled(self.times, self.values))

        return best_of(3, run) * 1e9 / self.values.size

    track_append_and_seal.unit = "ns/point"

    def track_bytes(self, name: str) -> float:
        buffers = filled(self.times, self.values)
        seal_all(buffers)
        return buffers.counters()["chunk_bytes"] / self.values.size

    track_bytes.unit = "bytes/point, clocks included"

    def track_tail_bytes(self, name: str) -> float:
        buffers = filled(self.times[:240], self.values[:240])
        return sum(buffers.tail_bytes(s)[2] for s in range(SERIES)) / (240 * SERIES)

    track_tail_bytes.unit = "bytes/point, not yet sealed"

    def track_allocations(self, name: str) -> float:
        buffers = filled(self.times, self.values)
        return 100 * buffers.memory()[1] / self.values.size

    track_allocations.unit = "allocations/100 points"

    def track_decode(self, name: str) -> float:
        buffers = filled(self.times, self.values)
        seal_all(buffers)
        buffers.decode_points(*EVER)
        seconds = best_of(5, lambda: buffers.decode_points(*EVER))
        return self.values.size / seconds / 1e6

    track_decode.unit = "M points/s"
