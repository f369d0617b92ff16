"""Every acknowledged point is found exactly once, at every moment.

The model: producer p sends requests 0, 1, 2, ... Request r holds one point of each of its series,
at time BASE + r, with a value that follows from (p, series, r). `acked` is how many of them were
acknowledged. A query of any series of p that begins when `acked` is a must answer with the points of
requests 0, 1, ..., m in this order and nothing else, for some m >= a - 1.

The same scaffolding runs first without threads, so that a failure with them means concurrency.
"""

import contextlib
import itertools
import os
import random
import threading
import time

import numpy as np
import pytest
from drivers.engine import evict_idle, full_tails_sealed, maintain
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import urpo_store
from urpo_store import MetricQuery

SECONDS = float(os.environ.get("URPO_TEST_SECONDS", "3"))
SERIES = 12
HISTOGRAMS = 3
BASE = 1_700_000_000_000_000_000
STEP = 1_000_000
BOUNDS = (1.0, 2.0, 5.0)


def value_of(producer: int, series: int, request: int) -> int:
    return (producer * 1_000 + series) * 10_000_000 + request


class Producer:
    """Sends its requests in order; templates are parsed once and only times and values change."""

    def __init__(self, store, number: int) -> None:
        self.store = store
        self.number = number
        self.acked = 0
        self.request = ExportMetricsServiceRequest()
        block = self.request.resource_metrics.add()
        block.resource.attributes.add(key="service.name").value.string_value = f"p{number}"
        scope = block.scope_metrics.add()
        gauge = scope.metrics.add(name="checked.gauge")
        histogram = scope.metrics.add(name="checked.histogram")
        histogram.histogram.aggregation_temporality = 2
        self.points = []
        for series in range(SERIES):
            if series < HISTOGRAMS:
                point = histogram.histogram.data_points.add(explicit_bounds=BOUNDS)
                point.start_time_unix_nano = BASE - 1
            else:
                point = gauge.gauge.data_points.add()
            point.attributes.add(key="series").value.int_value = series
            self.points.append(point)

    def send(self) -> None:
        number = self.acked
        for series, point in enumerate(self.points):
            point.time_unix_nano = BASE + number * STEP
            value = value_of(self.number, series, number)
            if series < HISTOGRAMS:
                point.count = value
                point.sum = value / 2
                del point.bucket_counts[:]
                point.bucket_counts.extend((value - 3, 0, 1, 2) if value >= 3 else (value, 0, 0, 0))
            else:
                point.as_int = value
        result = self.store.ingest(self.request.SerializeToString())
        assert (result.accepted, result.rejected) == (SERIES, 0), result.message
        self.acked = number + 1


def check(store, producer: Producer, series: int) -> int:
    """Reads one series and checks all of it; returns how many points it had."""
    acked = producer.acked
    metric = "checked.histogram" if series < HISTOGRAMS else "checked.gauge"
    table = store.query_metrics(
        MetricQuery(
            metric,
            service=f"p{producer.number}",
            where={"series": series},
            start=0,
            end=BASE + 10**18,
        )
    )
    if not len(table):
        assert acked == 0, f"nothing is found of {acked} acknowledged points"
        return 0
    assert len(table) == 1
    found = table[0]
    count = len(found)
    assert count >= acked, f"{acked - count} of {acked} acknowledged points are missing"
    requests = np.arange(count)
    np.testing.assert_array_equal(found.timestamps, BASE + requests * STEP)
    values = value_of(producer.number, series, 0) + requests
    if series < HISTOGRAMS:
        histogram = found.histogram
        np.testing.assert_array_equal(histogram.count, values.astype(np.uint64))
        np.testing.assert_array_equal(histogram.sum, values / 2)
        np.testing.assert_array_equal(histogram.bucket_counts.sum(axis=1), histogram.count)
        np.testing.assert_array_equal(histogram.bounds, BOUNDS)
        np.testing.assert_array_equal(found.start_timestamps, BASE - 1)
    else:
        np.testing.assert_array_equal(found.int_values, values)
    return count


@pytest.fixture
def store():
    # Room for all the series that two seconds bring: a collapsed one would look like a doubled point.
    with urpo_store.open(
        retention=None,
        ring_slots=1024,
        drain_interval=1_000_000,
        memory_limit="1GiB",
        max_series=1_000_000,
    ) as store:
        yield store


def test_without_threads(store):
    producers = [Producer(store, number) for number in range(3)]
    for turn in range(300):
        for producer in producers:
            producer.send()
            assert check(store, producer, turn % SERIES) == producer.acked
        if turn % 100 == 99:
            store.compress_cold()
            assert store.stats().ring_points == 0
    for producer in producers:
        for series in range(SERIES):
            assert check(store, producer, series) == 300
    assert store.stats().points == 300 * 3 * SERIES


def test_with_threads(store):
    """4 threads ingest, 2 query, a drain every millisecond, a ring of 1,024 slots."""
    run_threads(store, producers=4, readers=2, seconds=SECONDS)


def test_while_series_are_evicted(store):
    """The same while other series come, fall idle and are evicted, and their ids are used again."""

    def churn(stop: threading.Event) -> None:
        generation = 0
        while not stop.is_set():
            request = ExportMetricsServiceRequest()
            block = request.resource_metrics.add()
            block.resource.attributes.add(key="service.name").value.string_value = "churn"
            metric = block.scope_metrics.add().metrics.add(name="churned")
            for series in range(50):
                point = metric.gauge.data_points.add(time_unix_nano=BASE + generation, as_int=1)
                point.attributes.add(key="id").value.string_value = f"{generation}-{series}"
            assert store.ingest(request.SerializeToString()).accepted == 50
            generation += 1
            if generation % 5 == 0:
                # As if it were so much later: what has not been seen for two seconds is idle.
                evict_idle(store._engine, 600 - 2)

    run_threads(store, producers=3, readers=2, seconds=max(SECONDS, 4), extra=churn)
    assert store.stats().evicted_series > 0
    assert store.stats().overflowed_series == 0


def test_health_is_asked_for_while_services_come_and_go():
    """Of a service that is being forgotten the answer is the right one, or none."""
    stop = threading.Event()
    newest = [""]
    failures = []

    def guarded(work, *arguments):
        try:
            while not stop.is_set():
                work(*arguments)
        except Exception as error:
            failures.append(error)
            stop.set()

    def come(numbers, mark):
        request = ExportMetricsServiceRequest()
        names = [f"{mark}-{next(numbers)}" for _ in range(60)]
        for name in names:
            block = request.resource_metrics.add()
            block.resource.attributes.add(key="service.name").value.string_value = name
            metric = block.scope_metrics.add().metrics.add(
                name="http.server.request.duration", unit="s"
            )
            metric.histogram.aggregation_temporality = 1
            metric.histogram.data_points.add(
                time_unix_nano=BASE,
                start_time_unix_nano=BASE - 1,
                count=1,
                explicit_bounds=[1.0],
                bucket_counts=[1, 0],
            )
        # They may come faster than they are given back; then there is no room for some, or for all.
        with contextlib.suppress(MemoryError):
            result = store.ingest(request.SerializeToString())
            assert result.accepted + result.rejected == 60
        newest[0] = names[0]

    def go():
        # As if so much later that every series is idle.
        evict_idle(store._engine, 700)
        store.compress_cold()
        maintain(store._engine)

    def ask():
        health = store.get_service_health(newest[0], "5m", at=BASE)
        assert health is None or health.request_count in (None, 0, 1)

    # So small that the services of two requests are too many to be remembered.
    with urpo_store.open(retention=None, memory_limit="8MiB", ring_slots=1024) as store:
        works = [(come, itertools.count(), mark) for mark in "ab"] + [(go,), (ask,)]
        threads = [threading.Thread(target=guarded, args=work) for work in works]
        for thread in threads:
            thread.start()
        stop.wait(SECONDS)
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures
        go()
        stats = store.stats()
        assert stats.evicted_series > 1_000
        # 130,000 names, remembered, would be beyond any limit here.
        assert stats.index_bytes < 2 << 20


def test_a_point_that_meets_the_eviction_of_its_idle_series_is_found(store):
    """It is acknowledged, so it is there: in the series that was to go, or in a new one."""
    count = 20_000
    request = ExportMetricsServiceRequest()
    block = request.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = "idle"
    metric = block.scope_metrics.add().metrics.add(name="rare")
    for series in range(count):
        point = metric.gauge.data_points.add(as_int=series)
        point.attributes.add(key="series").value.int_value = series

    def request_at(time):
        for point in metric.gauge.data_points:
            point.time_unix_nano = time
        return request.SerializeToString()

    def evict(start):
        # It goes first: taking the points in is quicker, and overtakes it.
        start.set()
        # As if ten minutes had passed, less a second: what this second has not seen is idle.
        evict_idle(store._engine, 600 - 1)

    store.ingest(request_at(BASE))
    turn = 0
    # On a busy machine they may miss each other.
    while turn < 2 or (store.stats().evicted_series == 0 and turn < 10):
        turn += 1
        data = request_at(BASE + turn)
        # Idleness is told in seconds: both begin when the next one does.
        time.sleep(1 - time.monotonic() % 1)
        start = threading.Event()
        evictor = threading.Thread(target=evict, args=(start,))
        evictor.start()
        start.wait()
        assert store.ingest(data).accepted == count
        evictor.join()
        found = store.query_metrics(MetricQuery("rare", start=BASE + turn, end=BASE + turn))
        assert sorted(int(each.int_values[0]) for each in found) == list(range(count))
    assert store.stats().evicted_series > 0


def run_threads(store, producers, readers, seconds, extra=None):
    senders = [Producer(store, number) for number in range(producers)]
    stop = threading.Event()
    barrier = threading.Barrier(producers + readers + (extra is not None))
    failures = []
    checks = []

    def guarded(run):
        def body():
            try:
                barrier.wait()
                run()
            except BaseException as error:
                failures.append(error)
                stop.set()

        return threading.Thread(target=body)

    def produce(producer):
        def run():
            while not stop.is_set():
                producer.send()

        return run

    def read(seed):
        def run():
            chance = random.Random(seed)
            done = 0
            while not stop.is_set():
                check(store, chance.choice(senders), chance.randrange(SERIES))
                done += 1
            checks.append(done)

        return run

    threads = [guarded(produce(sender)) for sender in senders]
    threads += [guarded(read(seed)) for seed in range(readers)]
    if extra is not None:
        threads.append(guarded(lambda: extra(stop)))
    for thread in threads:
        thread.start()
    stop.wait(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    assert len(checks) == readers and min(checks) > 0, "a reader never ran"
    assert full_tails_sealed(store._engine) > 0, "no full tail was sealed beside the drain"
    for sender in senders:
        assert sender.acked > 0, "a producer never ran"
        for series in range(SERIES):
            assert check(store, sender, series) == sender.acked
    store.compress_cold()
    for sender in senders:
        for series in range(SERIES):
            assert check(store, sender, series) == sender.acked
    assert store.stats().duplicate_points == 0
    assert store.stats().late_points == 0
