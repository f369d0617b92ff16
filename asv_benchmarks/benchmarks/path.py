"""The whole path: OTLP bytes to points that queries see. Budgets in docs/performance.md."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
from drivers.scanner import Scanner

import urpo_store

from .common import (
    BASE,
    STEP,
    Mix,
    count_mallocs,
    flat,
    parse,
    requests,
    reverse_fields,
    shuffled,
    sums_of,
)


def open_store():
    return urpo_store.open(retention=None, memory_limit="4GiB", max_series=2_000_000)


def best(run, repeat=20):
    """The least of several times, seconds: what the code costs without its neighbours."""
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def assert_stored(store, points):
    """Each point once: had one been sent before, or been given up, there would be fewer."""
    store.compress_cold()
    assert store.stats().points == points


class Ingest:
    """The mix at 500 and 10,000 series, in both orders that producers write."""

    params = ([500, 10_000], ["ascending", "reversed"])
    param_names = ("series", "order")
    number = 1
    warmup_time = 0

    def setup(self, series, order):
        self.batch = requests(series, 4 + 40_000 // series, order)
        self.known, self.batch = self.batch[:2], self.batch[2:]
        self.points = series * len(self.batch)
        self.store = open_store()
        for each in self.known:
            self.store.ingest(each)

    def teardown(self, series, order):
        self.store.close()

    def ingest(self):
        before = self.store.stats().accepted_points
        for each in self.batch:
            self.store.ingest(each)
        assert self.store.stats().accepted_points - before == self.points

    def time_ingest(self, series, order):
        self.ingest()

    def time_protobuf_parse(self, series, order):
        parse(self.batch)

    def time_naive_python(self, series, order):
        """The baseline: protobuf objects, walked in Python into dicts."""
        naive(self.batch[:2])

    def track_ratio_to_parse(self, series, order):
        """The least time to ingest requests that were never seen, over the least time to parse them."""
        mix = Mix(series)
        parsed, taken = [], []
        for _ in range(20):
            batch = requests_of(mix, 2 + 10_000 // series, order)
            parsed.append(best(lambda batch=batch: parse(batch), 1))
            begin = time.perf_counter()
            for each in batch:
                self.store.ingest(each)
            taken.append(time.perf_counter() - begin)
        assert_stored(self.store, series * mix.sent)
        return min(taken) / min(parsed)

    track_ratio_to_parse.unit = "x"


def requests_of(mix, count, order):
    made = mix.many(count)
    return made if order == "ascending" else [reverse_fields(each) for each in made]


def naive(batch):
    from .common import ExportMetricsServiceRequest

    points = {}
    for each in batch:
        for block in ExportMetricsServiceRequest.FromString(each).resource_metrics:
            resource = tuple((a.key, a.value.string_value) for a in block.resource.attributes)
            for scope in block.scope_metrics:
                for metric in scope.metrics:
                    data = getattr(metric, metric.WhichOneof("data"))
                    for point in data.data_points:
                        attributes = tuple(
                            (a.key, a.value.string_value or a.value.int_value)
                            for a in point.attributes
                        )
                        value = getattr(point, "as_double", None) or getattr(point, "count", 0)
                        key = (resource, scope.scope.name, metric.name, attributes)
                        points.setdefault(key, []).append((point.time_unix_nano, value))
    return points


class ManySeries:
    """100,000 series in an order that is another one in each request, so that no guess is right.

    Identity then misses the processor's caches at each point: this is the worst case.
    """

    timeout = 300
    series = 100_000

    def setup_cache(self):
        return [shuffled(each, seed) for seed, each in enumerate(requests(self.series, 4))]

    def track_ratio_to_parse(self, batch):
        store = open_store()
        taken, parsed = [], []
        for each in batch:
            begin = time.perf_counter()
            store.ingest(each)
            taken.append(time.perf_counter() - begin)
            parsed.append(best(lambda each=each: parse([each]), 3))
        assert_stored(store, self.series * len(batch))
        store.close()
        # The first one creates the series.
        return min(taken[1:]) / min(parsed)

    track_ratio_to_parse.unit = "x"


class MillionSeries:
    """1,000,000 known series of two attributes, 10,000 a request: in the order of the last time, or in
    another one each time, where each look-up misses the processor's caches."""

    params = (["same order", "any order"],)
    param_names = ("order",)
    timeout = 300
    series, a_request = 1_000_000, 10_000

    def track_ratio_to_parse(self, order):
        store = open_store()
        choose = np.random.default_rng(1)
        numbers = np.arange(self.series)
        ratios = []
        for turn in range(3):
            taken = parsed = 0.0
            for first in range(0, self.series, self.a_request):
                request = sums_of(numbers[first : first + self.a_request], 2, BASE + turn * STEP)
                begin = time.perf_counter()
                store.ingest(request)
                ingested = time.perf_counter()
                parse([request])
                taken += ingested - begin
                parsed += time.perf_counter() - ingested
            ratios.append(taken / parsed)
            if order == "any order":
                choose.shuffle(numbers)
        stats = store.stats()
        assert stats.series == self.series and stats.points == 3 * self.series
        store.close()
        # The first turn creates the series.
        return min(ratios[1:])

    track_ratio_to_parse.unit = "x"


class MemoryPerSeries:
    """Series of two attributes (24 bytes of text), one point each: what another one costs.

    `index` is identity: strings, tables, records. `rest` is the open chunk of its first point. Resident
    memory is that of a process of its own, less what it had before.
    """

    params = ([10_000, 100_000, 1_000_000],)
    param_names = ("series",)
    timeout = 300

    def setup_cache(self):
        code = """
import json, os, sys, time
sys.path[:0] = PATHS
import urpo_store
from helpers.floods import BASE, fast_sums
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
series = int(sys.argv[1])
store = urpo_store.open(retention=None, max_series=2_000_000, memory_limit="4GiB")
store.ingest(fast_sums(0, 1_000, 2, BASE))
store.compress_cold()
before, at_first = resident(), store.stats()
spent = 0
for first in range(1_000, series, 9_000):
    request = fast_sums(first, min(9_000, series - first), 2, BASE)
    begin = time.perf_counter()
    store.ingest(request)
    spent += time.perf_counter() - begin
store.compress_cold()
stats = store.stats()
assert stats.series == stats.points == series
added = series - 1_000
index = stats.index_bytes - at_first.index_bytes
whole = stats.memory_bytes - at_first.memory_bytes
print(json.dumps({
    "index": index / added, "rest": (whole - index) / added,
    "resident": (resident() - before) / added, "time": spent / added * 1e9,
}))
"""
        root = Path(__file__).resolve().parents[2]
        code = code.replace("PATHS", repr([str(root), str(root / "tests")]))
        found = {}
        for series in self.params[0]:
            command = [sys.executable, "-c", code, str(series)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[series] = json.loads(done.stdout)
        return found

    def track_index_bytes(self, found, series):
        return found[series]["index"]

    def track_rest_bytes(self, found, series):
        return found[series]["rest"]

    def track_resident_bytes(self, found, series):
        return found[series]["resident"]

    def track_ns_to_create(self, found, series):
        return found[series]["time"]

    track_index_bytes.unit = track_rest_bytes.unit = track_resident_bytes.unit = "bytes"
    track_ns_to_create.unit = "ns"


class Attributes:
    """What attributes cost on known series: gauges with 0, 1 and 8 attributes each."""

    params = ([0, 1, 8],)
    param_names = ("attributes",)

    def setup(self, attributes):
        self.batch = flat(attributes, 42)

    def track_ingest(self, attributes):
        return min(self.ingest() for _ in range(5))

    def ingest(self):
        store = open_store()
        times = []
        for each in self.batch:
            begin = time.perf_counter()
            store.ingest(each)
            times.append(time.perf_counter() - begin)
        assert store.stats().accepted_points == 500 * len(self.batch)
        store.close()
        return min(times[2:]) / 500 * 1e9

    track_ingest.unit = "ns/point"

    def track_bare_scan(self, attributes):
        """The scanner by itself: what the bytes cost before anything is looked up."""
        scanner = Scanner()
        return best(lambda: [scanner.count(each) for each in self.batch]) / 500 / 42 * 1e9

    track_bare_scan.unit = "ns/point"


def send_all(store, batch):
    for each in batch:
        store.ingest(each)
    return time.thread_time()


def of_two_exporters(series, count):
    """Requests of each: the second one has services of its own."""
    first = requests(series, count)
    return [first, [each.replace(b"service-", b"server--") for each in first]]


class TwoThreads:
    """Processor time a point while another thread ingests too, over that of one thread alone.

    Each has 500 series of its own. The ring has room for all twice (a point takes a slot, a histogram
    of 15 bounds ten), for a drain is called when half of it is full: so nobody drains.
    """

    timeout = 120

    def setup(self):
        self.batches = of_two_exporters(500, 60)

    def cpu(self, batches):
        """Nanoseconds of processor time a point, the best of five."""
        found = []
        for _ in range(5):
            store = urpo_store.open(retention=None, ring_slots=1 << 19, drain_interval="1h")
            for batch in batches:
                store.ingest(batch[0])
            barrier = threading.Barrier(len(batches))
            times = []

            def send(batch, store=store, barrier=barrier, times=times):
                barrier.wait()
                begin = time.thread_time()
                times.append(send_all(store, batch[1:]) - begin)

            threads = [threading.Thread(target=send, args=(batch,)) for batch in batches]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            sent = sum(500 * (len(batch) - 1) for batch in batches)
            stats = store.stats()
            assert stats.accepted_points == stats.ring_points == sent + 500 * len(batches)
            store.close()
            found.append(sum(times) / sent * 1e9)
        return min(found)

    def track_ratio_to_one_thread(self):
        return self.cpu(self.batches) / self.cpu(self.batches[:1])

    track_ratio_to_one_thread.unit = "x"


class Sustained:
    """Two threads, compression in the background: points a second, of 500 or 5,000 series each.

    While they send, the ring bounds how far compression may be behind. At the end stand the open chunks, a
    fifth of all points where a series has 600: sealing them too, with nobody sending, is the second figure.
    """

    params = ([500, 5_000],)
    param_names = ("series of each",)
    timeout = 300
    requests: ClassVar = {500: 1_000, 5_000: 600}

    def setup(self, series):
        self.batches = of_two_exporters(series, self.requests[series])
        self.points = series * sum(map(len, self.batches))

    def send(self, store):
        """Seconds."""
        threads = [threading.Thread(target=send_all, args=(store, each)) for each in self.batches]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - begin
        assert store.stats().points == self.points
        return took

    def track_points_per_second(self, series):
        with open_store() as store:
            return self.points / self.send(store)

    def track_until_all_is_sealed(self, series):
        with open_store() as store:
            took = self.send(store)
            begin = time.perf_counter()
            store.compress_cold()
            took += time.perf_counter() - begin
            assert store.stats().points == self.points
        return self.points / took

    track_points_per_second.unit = track_until_all_is_sealed.unit = "points/s"


def p9999(times):
    return sorted(times)[-1 - len(times) // 10_000]


class LongestCall:
    """p99.99 of 10,000 calls by two threads, less that of the delays of a third one that only sleeps."""

    timeout = 300

    def setup(self):
        self.batches = of_two_exporters(500, 5_000)

    def track_longest_call(self):
        store = open_store()
        stop = threading.Event()
        calls, sleeps = [], []

        def send(batch):
            for each in batch:
                begin = time.perf_counter()
                store.ingest(each)
                calls.append(time.perf_counter() - begin)

        def sleep():
            while not stop.is_set():
                begin = time.perf_counter()
                time.sleep(0.001)
                sleeps.append(time.perf_counter() - begin - 0.001)

        control = threading.Thread(target=sleep)
        threads = [threading.Thread(target=send, args=(batch,)) for batch in self.batches]
        for thread in (control, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        control.join()
        store.close()
        assert len(calls) == sum(map(len, self.batches))
        return 1e3 * (p9999(calls) - p9999(sleeps))

    track_longest_call.unit = "ms"


class Allocations:
    """Calls of malloc in the whole process, counted by a preloaded library."""

    timeout = 120

    def setup(self):
        self.directory = tempfile.TemporaryDirectory()

    def teardown(self):
        self.directory.cleanup()

    def count(self, code):
        prelude = (
            "import urpo_store\n"
            "from benchmarks.common import Mix\n"
            "from drivers.engine import drain\n"
            "store = urpo_store.open(retention=None, ring_slots=1 << 16, drain_interval='1h')\n"
            "mix = Mix(500)\n"
            "for each in mix.many(10): store.ingest(each)\n"
            "drain(store._engine)\n"
        )
        return count_mallocs(prelude + code, Path(self.directory.name))

    def track_a_request(self):
        return self.count("answer = calls_of(store.ingest, mix.next())")

    track_a_request.unit = "calls/request of 500 known points"

    def track_drain(self):
        return self.count(
            "answer = 0\n"
            "for _ in range(30):\n"
            "    for each in mix.many(25): store.ingest(each)\n"
            "    answer += calls_of(drain, store._engine)\n"
            "answer /= 30 * 25 * 500 / 100\n"
        )

    track_drain.unit = "calls/100 points, seals included"
