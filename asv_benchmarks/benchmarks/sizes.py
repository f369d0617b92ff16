"""Stored sizes, and pcodec's for the same values: infrastructure, synthetic series, histograms.

A point's size is chunks, their headers and the timestamp columns, everything sealed. pcodec is given
each chunk's values alone, in chunks of the same 480 points, with no times and no headers.
"""

from pathlib import Path

import numpy as np
from drivers.column_codec import ColumnCodec
from drivers.series_buffers import SeriesBuffers
from pcodec import ChunkConfig, standalone

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
    """Histograms of 16 buckets that count 50 observations a step, cumulative or of each step alone."""

    series = 20
    steps = 960
    bounds = 0.005 * 2.0 ** np.arange(15)

    def make(self, temporality):
        """Sets `counts`, `columns` (sum, min and max, series by steps) and the times of the points."""
        random = np.random.default_rng(5)
        latencies = random.lognormal(-2.5, 1.0, (self.series, self.steps, 50)).round(6)
        buckets = np.searchsorted(self.bounds, latencies)
        self.counts = np.stack([(buckets == bucket).sum(2) for bucket in range(16)], axis=2)
        self.columns = {"sum": latencies.sum(2), "min": latencies.min(2), "max": latencies.max(2)}
        self.times = 1_700_000_000_000_000_000 + np.arange(self.steps) * 10**9
        self.starts = self.times - 10**9
        if temporality == "cumulative":
            self.starts[:] = self.starts[0]
            self.counts = self.counts.cumsum(1)
            running = {"sum": np.add, "min": np.minimum, "max": np.maximum}
            for name, values in self.columns.items():
                self.columns[name] = running[name].accumulate(values, 1)

    def stored(self, *names):
        """Bytes of all points with these columns; the others are absent and take nothing."""
        layout = self.bounds.view(np.uint64).tolist()
        absent = np.zeros((self.series, self.steps))
        columns = [self.columns[n] if n in names else absent for n in ("sum", "min", "max")]
        doubles = np.stack(columns, axis=2).view(np.uint64)
        rows = np.concatenate([doubles, self.counts.astype(np.uint64)], axis=2).tolist()
        buffers = SeriesBuffers([HISTOGRAM] * self.series)
        for step in range(self.steps):
            time, start = int(self.times[step]), int(self.starts[step])
            for series in range(self.series):
                row = rows[series][step]
                taken = buffers.append_point(series, time, start, sum(row[3:]), 0, layout, row)
                assert taken
        for series in range(self.series):
            buffers.seal(series)
        counters = buffers.counters()
        assert counters["points"] == self.series * self.steps
        return counters["chunk_bytes"]


class HistogramBuckets(Histograms):
    """All of a cumulative histogram but its sum, min and max."""

    def track_buckets_and_count(self):
        self.make("cumulative")
        return self.stored() / (self.series * self.steps)


class HistogramColumns(Histograms):
    """What the sums, the least or the greatest observations add, over pcodec's bytes for them."""

    params = (["sum", "min", "max"], ["cumulative", "delta"])
    param_names = ("column", "temporality")

    def track_ratio_to_pcodec(self, column, temporality):
        self.make(temporality)
        added = self.stored(column) - self.stored()
        return added / sum(map(pcodec_bytes, self.columns[column]))


HistogramBuckets.track_buckets_and_count.unit = "bytes/point, clocks included"
HistogramColumns.track_ratio_to_pcodec.unit = "x"
