"""Value codecs: time and size of one column, by the shape of the series and its length.

The figures are for one call from Python, whose own cost is that of "constant" (about 2 us).
"""

import time
from typing import Any

import numpy as np
from drivers.column_codec import ColumnCodec
from numpy.typing import NDArray

POINTS = 4800
START = 1_760_000_000_000_000_000

Series = NDArray[Any]


def make_series() -> dict[str, Series]:
    """Seeded series in the shapes of metrics; ints are int64, all others float64."""
    random = np.random.default_rng(7)
    n = POINTS
    return {
        "constant": np.full(n, 3.0),
        "counter, Poisson 50": np.cumsum(random.poisson(50, n)).astype(np.float64),
        "counter, 2 % of steps": np.cumsum(random.random(n) < 0.02).astype(np.float64),
        "counter of float sums": np.cumsum(random.gamma(2, 25, n)),
        "gauge, 1 decimal, walk": np.round(20 + np.cumsum(random.normal(0, 0.3, n)), 1),
        "gauge, 2 decimals, noise": np.round(50 + random.normal(0, 20, n), 2),
        "gauge, averages": np.round(random.random((n, 5)) * 10, 2).mean(axis=1),
        "gauge, bytes in pages": np.round(2e5 + np.cumsum(random.normal(0, 60, n))) * 4096,
        "gauge, 4 levels": random.choice(np.array([3.0, 17.0, 65536.0, 1048576.0]), n),
        "gauge, sine": 50 + 20 * np.sin(np.arange(n) / 10),
        "normal floats": random.normal(0, 1, n),
        "ratio": random.poisson(50, n) / random.poisson(1000, n),
        "random bits": random.integers(0, 2**63, n).view(np.float64),
        "ints, Poisson 3": random.poisson(3, n).astype(np.int64),
        "times, 1 ms jitter": START + np.arange(n) * 10**9 + np.int64(random.normal(0, 1e6, n)),
        "times, regular": START + np.arange(n) * 10**10,
    }


def codec_for(name: str, series: Series) -> ColumnCodec:
    kind = "doubles" if series.dtype == np.float64 else "ints"
    return ColumnCodec("times" if name.startswith("times") else kind)


class Columns:
    params = (list(make_series()), [120, 480, 4096])
    param_names = ("series", "length")

    def setup(self, name: str, length: int) -> None:
        self.series = make_series()[name]
        self.codec = codec_for(name, self.series)
        self.length = length
        starts = range(0, POINTS - length + 1, length)
        self.columns = [np.ascontiguousarray(self.series[i : i + length]) for i in starts]
        self.encoded = [self.codec.encode(column) for column in self.columns]

    def encode(self) -> None:
        for column in self.columns:
            self.codec.encode(column)

    def decode(self) -> None:
        for data in self.encoded:
            self.codec.decode(data, self.length)

    @property
    def values(self) -> int:
        return self.length * len(self.columns)


class Speed(Columns):
    """Times of about 4,800 values in columns of `length`."""

    def time_encode(self, name: str, length: int) -> None:
        self.encode()

    def time_decode(self, name: str, length: int) -> None:
        self.decode()


class Size(Columns):
    def track_bytes_per_value(self, name: str, length: int) -> float:
        return sum(map(len, self.encoded)) / self.values

    track_bytes_per_value.unit = "bytes/value"


class Rate(Columns):
    """Millions of values a second on one core, the best of 20."""

    timeout = 60

    def best(self, run: str) -> float:
        call = getattr(self, run)
        seconds = []
        for _ in range(20):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        return self.values / min(seconds) / 1e6

    def track_encode_rate(self, name: str, length: int) -> float:
        return self.best("encode")

    def track_decode_rate(self, name: str, length: int) -> float:
        return self.best("decode")

    track_encode_rate.unit = "M values/s"
    track_decode_rate.unit = "M values/s"
