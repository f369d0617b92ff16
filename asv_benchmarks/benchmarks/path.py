"""The whole path: OTLP bytes to points that queries see. Budgets in docs/performance.md."""

import threading
import time

import urpo_store

from .common import Mix, parse, requests


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
        """Time to ingest requests that were never seen, over the time to parse them."""
        mix = Mix(series)
        ratios = []
        for _ in range(10):
            batch = requests_of(mix, 2 + 10_000 // series, order)
            parsed = best(lambda batch=batch: parse(batch), 2)
            begin = time.perf_counter()
            for each in batch:
                self.store.ingest(each)
            ratios.append((time.perf_counter() - begin) / parsed)
        sent = series * (2 + mix.sent)
        self.store.compress_cold()
        assert self.store.stats().accepted_points == sent
        return min(ratios)

    track_ratio_to_parse.unit = "x"


def requests_of(mix, count, order):
    from .common import reverse_fields

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


class Sustained:
    """Two threads, compression in the background: points a second from first byte to all drained."""

    number = 1
    warmup_time = 0
    timeout = 120

    def setup(self):
        self.batches = [requests(500, 300), requests(500, 300)]
        # Two exporters: the second one has services of its own.
        self.batches[1] = [each.replace(b"service-", b"server--") for each in self.batches[1]]

    def track_points_per_second(self):
        store = open_store()

        def send(batch):
            for each in batch:
                store.ingest(each)

        threads = [threading.Thread(target=send, args=(batch,)) for batch in self.batches]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.compress_cold()
        took = time.perf_counter() - begin
        sent = 500 * sum(len(batch) for batch in self.batches)
        assert store.stats().points == sent
        store.close()
        return sent / took

    track_points_per_second.unit = "points/s"
