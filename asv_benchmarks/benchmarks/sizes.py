"""Stored sizes, and pcodec's for the same values: infrastructure, synthetic series, histograms.

A point's size is chunks, their headers and the timestamp columns, everything sealed. pcodec is given
each chunk's values alone, in chunks of the same 480 points, with no times and no headers.
"""

from pathlib import Path

import numpy as np
from pcodec import ChunkConfig, standalone

from urpo_store.engine.codec import ColumnCodec
from urpo_store.engine.series_buffers import SeriesBuffers

from .codec import make_series

CHUNK = 480
GAUGE = 1
HISTOGRAM = 3
RECORDED = Path(__file__).parent.parent / "data" / "infrastructure.npz"


def infrastructure():
    """(times[m], values[m, n]) of the recorded host."""
    with np.load(RECORDED) as recorded:
        return recorded["times"], recorded["values"]


def pcodec_bytes(values):
    """Of one series, in chunks."""
    chunks = [np.ascontiguousarray(values[at : at + CHUNK]) for at in range(0, len(values), CHUNK)]
    return sum(len(standalone.simple_compress(chunk, ChunkConfig())) for chunk in chunks)


class Infrastructure:
    """Some 490 series of a host at 1 s for ten minutes, four in five of which hardly ever change."""

    def setup(self):
        self.times, self.values = infrastructure()
        self.changing = [series for series in self.values.T if len(np.unique(series)) > 1]

    def stored(self, series):
        values = np.ascontiguousarray(np.array(series).T)
        buffers = SeriesBuffers([GAUGE] * len(series))
        assert buffers.append_requests(self.times, values.view(np.uint64), 0) == 0
        for number in range(len(series)):
            buffers.seal(number)
        counters = buffers.counters()
        assert counters["points"] == values.size
        return counters["chunk_bytes"] / values.size

    def track_bytes_per_point(self):
        return self.stored(list(self.values.T))

    def track_bytes_per_point_of_changing_series(self):
        return self.stored(self.changing)

    def track_ratio_to_pcodec(self):
        """Of the changing series, all that is stored over pcodec's values alone."""
        theirs = sum(map(pcodec_bytes, self.changing))
        return self.stored(self.changing) * len(self.changing) * len(self.times) / theirs


Infrastructure.track_bytes_per_point.unit = "bytes/point"
Infrastructure.track_bytes_per_point_of_changing_series.unit = "bytes/point"
Infrastructure.track_ratio_to_pcodec.unit = "x"


class Synthetic:
    """Our bytes of a column over pcodec's, by the shape of the series."""

    params = ([name for name, series in make_series().items() if series.dtype == np.float64],)
    param_names = ("series",)

    def track_ratio_to_pcodec(self, name):
        series = make_series()[name]
        codec = ColumnCodec("doubles")
        chunks = [series[at : at + CHUNK] for at in range(0, len(series), CHUNK)]
        return sum(len(codec.encode(chunk)) for chunk in chunks) / pcodec_bytes(series)


Synthetic.track_ratio_to_pcodec.unit = "x"


class Histograms:
    """Cumulative histograms of 16 buckets that count 50 observations a step."""

    series = 20
    steps = 960

    def setup(self):
        random = np.random.default_rng(5)
        bounds = np.array([0.005 * 2**i for i in range(15)])
        self.layout = bounds.view(np.uint64).tolist()
        shape = (self.series, self.steps, 50)
        latencies = random.lognormal(-2.5, 1.0, shape).round(6)
        buckets = np.searchsorted(bounds, latencies)
        counts = np.array([(buckets == bucket).sum(2) for bucket in range(16)])
        self.counts = counts.transpose(1, 2, 0).cumsum(1)
        self.sums = latencies.sum(2).cumsum(1)
        self.times = 1_700_000_000_000_000_000 + np.arange(self.steps) * 10**9

    def stored(self, sums):
        buffers = SeriesBuffers([HISTOGRAM] * self.series)
        for step in range(self.steps):
            for series in range(self.series):
                buckets = self.counts[series, step].tolist()
                row = [int(sums[series, step].view(np.uint64)), 0, 0, *buckets]
                taken = buffers.append_point(
                    series, int(self.times[step]), 1, sum(buckets), 0, self.layout, row
                )
                assert taken
        for series in range(self.series):
            buffers.seal(series)
        return buffers.counters()["chunk_bytes"] / (self.series * self.steps)

    def track_buckets_and_count(self):
        """With a sum that never changes, so that it takes next to nothing."""
        return self.stored(np.zeros_like(self.sums))

    def track_sum_over_pcodec(self):
        """What the sums add, over pcodec's bytes for them."""
        added = self.stored(self.sums) - self.track_buckets_and_count()
        return added * self.series * self.steps / sum(map(pcodec_bytes, self.sums))


Histograms.track_buckets_and_count.unit = "bytes/point, clocks included"
Histograms.track_sum_over_pcodec.unit = "x"
