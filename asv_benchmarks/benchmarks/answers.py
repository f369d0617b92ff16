"""What questions cost: health, range queries, import. Each with new points between calls."""

import compileall
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import urpo_store
from urpo_store import Aggregation, MetricQuery

from .common import BASE, STEP, Mix
from .path import open_store

#: The checkout: fresh interpreters do not know where asv found the package.
ROOT = Path(__file__).resolve().parents[2]


class Health:
    """A service's health over five minutes, a request of its points between any two calls."""

    def setup(self):
        self.store = open_store()
        self.mix = Mix(50)
        for each in self.mix.many(300):
            self.store.ingest(each)

    def teardown(self):
        self.store.close()

    def track_health(self):
        """The median of 300."""
        taken = []
        for k, each in enumerate(self.mix.many(300), 300):
            self.store.ingest(each)
            begin = time.perf_counter()
            self.store.get_service_health("service-0", "5m", at=BASE + k * STEP)
            taken.append(time.perf_counter() - begin)
        return median(taken) * 1e6

    track_health.unit = "us"


class Ranges:
    """Range queries."""

    number = 1
    timeout = 180
    warmup_time = 0

    def setup(self):
        self.store = open_store()
        # 1,000 counters of 1,000 points: 25 routes of 40 instances.
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceRequest,
        )

        request = ExportMetricsServiceRequest()
        block = request.resource_metrics.add()
        block.resource.attributes.add(key="service.name").value.string_value = "ranges"
        metric = block.scope_metrics.add().metrics.add(name="requests")
        metric.sum.aggregation_temporality = 2
        metric.sum.is_monotonic = True
        self.points = []
        for index in range(1000):
            point = metric.sum.data_points.add(start_time_unix_nano=BASE - STEP)
            point.attributes.add(key="route").value.string_value = f"/{index % 25}"
            point.attributes.add(key="instance").value.int_value = index // 25
            self.points.append(point)
        self.request = request
        self.time = 0
        for _ in range(1000):
            self.ingest()
        self.more = []
        for _ in range(50):
            self.more.append(self.next())

    def next(self):
        for index, point in enumerate(self.points):
            point.time_unix_nano = BASE + self.time * STEP
            point.as_int += index % 7
        self.time += 1
        return self.request.SerializeToString()

    def ingest(self):
        assert self.store.ingest(self.next()).accepted == 1000

    def teardown(self):
        self.store.close()

    def time_rate_of_1000_series_by_one_key(self):
        self.store.query_metrics(
            MetricQuery(
                "requests",
                start=BASE,
                end=BASE + 1000 * STEP,
                step="60s",
                aggregation=Aggregation.RATE,
                by=("route",),
            )
        )

    def time_ingest_and_rate_of_1000_series_by_one_key(self):
        self.store.ingest(self.more.pop())
        self.time_rate_of_1000_series_by_one_key()


class OneSeries:
    """A series of an hour at 1 s while the ring is as full as it gets before a drain: half."""

    def setup(self):
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceRequest,
        )

        self.store = urpo_store.open(retention=None, drain_interval="1h")
        single = ExportMetricsServiceRequest()
        block = single.resource_metrics.add()
        block.resource.attributes.add(key="service.name").value.string_value = "single"
        metric = block.scope_metrics.add().metrics.add(name="single")
        for index in range(3600):
            metric.gauge.data_points.add(time_unix_nano=BASE + index * STEP, as_double=index / 10)
        self.store.ingest(single.SerializeToString())
        self.store.compress_cold()
        for request in Mix(500, histograms=False).many(32):
            self.store.ingest(request)
        assert self.store.stats().ring_points == 16_000

    def teardown(self):
        self.store.close()

    def ask(self):
        """Microseconds."""
        begin = time.perf_counter()
        table = self.store.query_metrics(MetricQuery("single", start=BASE, end=BASE + 3600 * STEP))
        took = time.perf_counter() - begin
        assert len(table[0]) == 3600
        return took * 1e6

    # Medians, and not what asv times, which sets up anew before each call.

    def track_3600_points(self):
        """Asked again and again, as a chart that is looked at is."""
        return median(self.ask() for _ in range(300))

    def track_3600_points_after_an_ingest(self):
        """A small request of other series between any two."""
        taken = []
        for request in Mix(10, histograms=False).many(20):
            self.store.ingest(request)
            taken.append(self.ask())
        assert self.store.stats().ring_points == 16_200
        return median(taken)

    def track_first_3600_points(self):
        return self.ask()

    track_3600_points.unit = track_3600_points_after_an_ingest.unit = "us"
    track_first_3600_points.unit = "us"


class Import:
    """`import urpo_store` beside `import numpy`, in fresh interpreters, both from bytecode as installed."""

    def setup(self):
        compileall.compile_dir(ROOT / "urpo_store", quiet=1)

    def timeraw_import_urpo_store(self):
        return f"import sys; sys.path.insert(0, {str(ROOT)!r}); import urpo_store"

    def timeraw_import_numpy(self):
        return "import numpy"


def rss(code):
    """Resident bytes that `code` adds to a fresh interpreter that has imported the package."""
    script = f"""
import resource, sys
sys.path.insert(0, {str(ROOT)!r})
import urpo_store
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
import pickle
batch = pickle.load(sys.stdin.buffer)
before = resident()
{code}
print(resident() - before)
"""
    return script


class Memory:
    """One million points over 1,000 series of counters and gauges, one time a request."""

    timeout = 300

    def setup_cache(self):
        return Mix(1000, histograms=False).many(1000)

    def track_bytes_of_a_million_points(self, batch):
        import pickle

        code = rss(
            "store = urpo_store.open(retention=None)\n"
            "while batch:\n    store.ingest(batch.pop(0))\n"
            "import gc; gc.collect()\n"
            "assert store.stats().points == 1_000_000"
        )
        # The requests arrive one by one through a pipe, so that the child never holds them.
        code = code.replace("batch = pickle.load(sys.stdin.buffer)\n", "").replace(
            "while batch:\n    store.ingest(batch.pop(0))",
            "for _ in range(1000):\n    store.ingest(pickle.load(sys.stdin.buffer))",
        )
        data = b"".join(pickle.dumps(each) for each in batch)
        done = subprocess.run(
            [sys.executable, "-c", code], input=data, capture_output=True, check=True
        )
        return int(done.stdout)

    track_bytes_of_a_million_points.unit = "bytes"

    def track_compressed_bytes_per_point(self, batch):
        with open_store() as store:
            for each in batch:
                store.ingest(each)
            store.compress_cold()
            stats = store.stats()
            assert stats.points == stats.compressed_points == 1_000_000
            return stats.compressed_bytes / stats.points

    track_compressed_bytes_per_point.unit = "bytes/point"
