"""The engine's allocator fails at the n-th call, for every n of a script.

The script has all kinds of points, late and sent again, exemplars, bounds that change, sealing, queries and
health; another one evicts idle series that come back, a third makes room at the memory limit. Chunks, full
tails, series, health and overflow have scripts of their own in tests/engine.

Whatever fails says so, with MemoryError or a refused point; nothing crashes; and once there is memory
again the store answers as if nothing had happened, for all that it had accepted.
"""

import contextlib
import random

import numpy as np
import pytest
from drivers.engine import drain, evict_idle, fail_allocation, maintain
from drivers.failing_session import FailingSession
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import urpo_store
from urpo_store import Aggregation, MetricQuery
from urpo_store.engine.session import ReadSession

BASE = 1_700_000_000_000_000_000
SECOND = 10**9
ROUNDS = 5


def request(step: int, service: str = "shop") -> bytes:
    """A gauge, a counter, a histogram, an exponential histogram and a summary at one time."""
    message = ExportMetricsServiceRequest()
    block = message.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = service
    scope = block.scope_metrics.add()
    time = BASE + step * SECOND
    common = {"time_unix_nano": time, "start_time_unix_nano": BASE - 1}

    def named(point):
        point.attributes.add(key="k").value.string_value = service

    named(
        scope.metrics.add(name="g").gauge.data_points.add(time_unix_nano=time, as_double=step / 10)
    )
    made = scope.metrics.add(name="c").sum
    made.aggregation_temporality = 2
    made.is_monotonic = True
    point = made.data_points.add(as_int=step * 3, **common)
    point.exemplars.add(as_int=step, time_unix_nano=time, trace_id=bytes(16), span_id=bytes(8))
    named(point)
    made = scope.metrics.add(name="http.server.request.duration", unit="s").histogram
    made.aggregation_temporality = 2
    named(
        made.data_points.add(
            count=step,
            sum=step / 2,
            bucket_counts=[step, 0],
            explicit_bounds=[1.0 if step < 4 else 2.0],
            **common,
        )
    )
    made = scope.metrics.add(name="e").exponential_histogram
    made.aggregation_temporality = 2
    point = made.data_points.add(count=step, scale=1, **common)
    point.positive.bucket_counts.append(step)
    named(point)
    point = scope.metrics.add(name="q").summary.data_points.add(count=step, sum=1.0, **common)
    point.quantile_values.add(quantile=0.5, value=step)
    named(point)
    return message.SerializeToString()


METRICS = ("g", "c", "http.server.request.duration", "e", "q")
# In order, late and sent again.
STEPS = (1, 2, 4, 3, 5, 5)


def query_all(store, service: str = "shop") -> dict[str, list[int]]:
    found = {}
    for name in METRICS:
        query = MetricQuery(name, service=service, start=0, end=BASE + 100 * SECOND)
        table = store.query_metrics(query)
        found[name] = [time for series in table for time in series.timestamps.tolist()]
    return found


def script(store, accepted: set[tuple[str, int]]) -> int:
    """Uses everything; returns how often there was no memory. `accepted` is what was taken."""
    failed = 0

    def attempt(call):
        nonlocal failed
        try:
            return call()
        except MemoryError:
            failed += 1
            return None

    for step in STEPS:
        result = attempt(lambda step=step: store.ingest(request(step)))
        if result is not None:
            failed += result.rejected
            if not result.rejected:
                accepted |= {(name, BASE + step * SECOND) for name in METRICS}
        if step == 4:
            attempt(store.compress_cold)
    attempt(lambda: query_all(store))
    attempt(lambda: store.get_service_health("shop", window="1h", at=BASE + 6 * SECOND))
    attempt(
        lambda: store.query_metrics(
            MetricQuery(
                "c", start=BASE, end=BASE + 9 * SECOND, step="2s", aggregation=Aggregation.RATE
            )
        )
    )
    attempt(store.metrics)
    attempt(lambda: store.exemplars(MetricQuery("c", start=BASE, end=BASE + 9 * SECOND)))
    attempt(store.compress_cold)
    attempt(store.stats)
    return failed


def test_no_memory_at_any_moment():
    n = tried = 0
    while True:
        n += 1
        store = urpo_store.open(retention=None, ring_slots=1024, drain_interval="1h")
        accepted: set[tuple[str, int]] = set()
        before = fail_allocation(store._engine, n)
        failed = script(store, accepted)
        done = fail_allocation(store._engine, 0) - before < n
        lost = store.stats().evicted_points
        if not done:
            tried += failed > 0 or lost > 0
        # With memory again: what was accepted is there, unless it was counted as lost.
        found = query_all(store)
        missing = [(name, time) for name, time in accepted if time not in found[name]]
        assert len(missing) <= lost, f"call {n}: {missing} missing, {lost} counted"
        for step in STEPS:
            result = store.ingest(request(step))
            assert (result.accepted, result.rejected) == (len(METRICS), 0), f"call {n}: {result}"
        store.compress_cold()
        found = query_all(store)
        for name in METRICS:
            assert found[name] == [BASE + step * SECOND for step in (1, 2, 3, 4, 5)], f"call {n}"
        stats = store.stats()
        assert stats.points == 5 * len(METRICS), f"call {n}"
        (gauge,) = store.query_metrics(MetricQuery("g", start=0, end=BASE + 100 * SECOND))
        np.testing.assert_array_equal(gauge.values, np.array([1, 2, 3, 4, 5]) / 10)
        store.close()
        if done:
            break
    # The script allocates a few hundred times, and most failures are noticed by whoever called.
    assert n > 150
    assert tried > n / 2


def collapsed_request(time: int, buckets: int) -> bytes:
    """Delta histograms of twenty sets, most of which find no room: what is left of them is added up."""
    message = ExportMetricsServiceRequest()
    block = message.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = "crowd"
    made = block.scope_metrics.add().metrics.add(name="h").histogram
    made.aggregation_temporality = 1
    for number in range(20):
        point = made.data_points.add(time_unix_nano=BASE + time * SECOND, count=1, sum=1.0)
        point.attributes.add(key="n").value.int_value = number
        bounds = range(number % 3, buckets + number)
        point.explicit_bounds.extend(bounds)
        point.bucket_counts.extend([0] * len(bounds) + [1])
    return message.SerializeToString()


def scanned(reader: ReadSession) -> list[object]:
    """Every point of every series, with its row."""
    found = []
    for stream in reader.read_streams(None):
        offsets, first, times, starts, values, flags, layout, rows, words, layouts = (
            reader.read_points(stream[-1], 0, BASE + 100 * SECOND, True)
        )
        columns = [list(map(int, column)) for column in (offsets, first, times, starts, values)]
        found.append((stream[0], columns, flags.tolist()))
        if rows is not None and layout is not None and words is not None:
            sizes = [layouts[int(each)][1] if each < len(layouts) else 0 for each in layout]
            found.append([words[a : a + n].tolist() for a, n in zip(rows, sizes, strict=True)])
    return found


@pytest.mark.parametrize("columns", [True, False])
def test_no_memory_at_any_moment_of_a_scan(columns):
    """Of points in the ring, in tails and in chunks, late, sent again, and added up where sets collapsed."""
    with urpo_store.open(
        retention=None, ring_slots=4096, drain_interval="1h", max_series=16
    ) as store:
        for step in STEPS:
            store.ingest(request(step))
        store.ingest(collapsed_request(1, 3))
        store.compress_cold()
        for step in (7, 10, 9, 10):
            store.ingest(request(step))
            store.ingest(collapsed_request(step, step % 3 + 2))
            if step == 7:
                drain(store._engine)
        with contextlib.closing(ReadSession(store._engine)) as reader:
            expected = scanned(reader)
        n = failed = 0
        done = False
        while not done:
            n += 1
            with contextlib.closing(FailingSession(store._engine)) as reader:
                before = reader.fail_allocation(n, columns=columns)
                try:
                    # Without memory to sort beside, a scan sorts in place, and answers all the same.
                    assert scanned(reader) == expected, f"call {n}"
                except MemoryError:
                    failed += 1
                done = reader.fail_allocation(0, columns=columns) - before < n
                assert scanned(reader) == expected, f"call {n}"
        assert n > 30
        assert failed > n / 2


# Of which service a request is sent at which step, or what else is done.
EVICTION = (
    ("shop", 1),
    ("cart", 1),
    "seal",
    "evict",
    # One comes back, with another one that is new; what they had sent waits for the drain when they go.
    ("shop", 2),
    ("bank", 2),
    ("shop", 3),
    "evict",
    ("shop", 4),
    "seal",
    ("cart", 4),
    "make room",
    ("shop", 5),
    ("bank", 5),
)
SERVICES = ("shop", "cart", "bank")
LATER = 700  # seconds: by then every series of the script is idle


def eviction_script(store) -> tuple[int, int]:
    """Series go idle, are evicted and come back; (points accepted, how often there was no memory)."""
    accepted = failed = 0
    for step in EVICTION:
        try:
            if step == "seal":
                store.compress_cold()
            elif step == "evict":
                evict_idle(store._engine, LATER)
            elif step == "make room":
                maintain(store._engine, LATER)
            else:
                service, number = step
                result = store.ingest(request(number, service))
                accepted += result.accepted
                failed += result.rejected
                store.get_service_health(service, window="1h", at=BASE + 6 * SECOND)
        except MemoryError:
            failed += 1
    return accepted, failed


def test_no_memory_at_any_moment_while_idle_series_are_evicted():
    n = noticed = 0
    while True:
        n += 1
        store = urpo_store.open(retention=None, ring_slots=1024, drain_interval="1h")
        strings = store.stats().strings
        before = fail_allocation(store._engine, n)
        accepted, failed = eviction_script(store)
        done = fail_allocation(store._engine, 0) - before < n
        noticed += failed > 0
        # With memory again: each point is held, or counted among those that went with their series.
        store.compress_cold()
        stats = store.stats()
        assert stats.accepted_points == accepted, f"call {n}"
        assert stats.points + stats.evicted_points == accepted, f"call {n}"
        assert stats.evicted_series > 0, f"call {n}"
        held = sum(
            len(times) for service in SERVICES for times in query_all(store, service).values()
        )
        # At most one series was forgotten with its points, as limbo had no room for it.
        assert 0 <= stats.points - held <= len(STEPS), f"call {n}"
        if done:
            assert (failed, held) == (0, stats.points)
        # All of them go once more, and come back as if they were new.
        evict_idle(store._engine, LATER)
        store.compress_cold()
        # Health still knows the names of services, for what is late.
        left = store.stats()
        assert (left.series, left.strings) == (0, strings + len(SERVICES)), f"call {n}"
        assert store.services() == [], f"call {n}"
        for service in SERVICES:
            for step in STEPS:
                result = store.ingest(request(step, service))
                assert (result.accepted, result.message) == (len(METRICS), ""), (
                    f"call {n}: {result}"
                )
        store.compress_cold()
        for service in SERVICES:
            for name, times in query_all(store, service).items():
                assert times == [BASE + step * SECOND for step in (1, 2, 3, 4, 5)], (
                    f"call {n}: {name}"
                )
        assert store.stats().series == len(SERVICES) * len(METRICS), f"call {n}"
        store.close()
        if done:
            break
    assert n > 150
    assert noticed > n / 2


def crowded_request(step: int) -> bytes:
    """Ten points each of 100 gauges that hardly compress."""
    chance = random.Random(step)
    message = ExportMetricsServiceRequest()
    block = message.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = "crowd"
    gauge = block.scope_metrics.add().metrics.add(name="g").gauge
    for i in range(1_000):
        point = gauge.data_points.add(time_unix_nano=BASE + (10 * step + i // 100) * SECOND)
        point.as_double = chance.random()
        point.attributes.add(key="n").value.int_value = i % 100
    return message.SerializeToString()


CROWD = [crowded_request(step) for step in range(44)]


def crowd(limit: int):
    """A store that has taken in most of the requests; the next ones go beyond the limit."""
    store = urpo_store.open(
        retention=None, ring_slots=4096, drain_interval="1h", memory_limit=limit
    )
    for each in CROWD[:-4]:
        assert store.ingest(each).accepted == 1_000
        drain(store._engine)
    return store


def test_no_memory_at_any_moment_while_room_is_made(monkeypatch):
    """At the memory limit open chunks are sealed, and the oldest points go."""
    # So that little has to be sent.
    monkeypatch.setattr("urpo_store.options.MINIMUM_MEMORY", 0)
    with crowd(1 << 30) as store:
        limit = store.stats().memory_bytes
    n = 0
    while True:
        n += 1
        store = crowd(limit)
        accepted = store.stats().points
        before = fail_allocation(store._engine, n)
        for each in CROWD[-4:]:
            with contextlib.suppress(MemoryError):
                accepted += store.ingest(each).accepted
            drain(store._engine)
            maintain(store._engine)
        done = fail_allocation(store._engine, 0) - before < n
        assert store.stats().accepted_points == accepted, f"call {n}"
        # With memory again: the limit holds, and what is new is kept.
        assert store.ingest(crowded_request(len(CROWD))).accepted == 1_000, f"call {n}"
        store.compress_cold()
        stats = store.stats()
        assert stats.memory_bytes <= limit, f"call {n}"
        assert stats.points + stats.evicted_points == accepted + 1_000, f"call {n}"
        assert stats.evicted_points > 1_000, f"call {n}"
        table = store.query_metrics(MetricQuery("g", start=0, end=BASE + 10**6 * SECOND))
        assert sum(map(len, table)) == stats.points, f"call {n}"
        newest = BASE + (10 * len(CROWD) + np.arange(10)) * SECOND
        for series in table:
            assert np.array_equal(series.timestamps[-10:], newest), f"call {n}"
        store.close()
        if done:
            assert accepted == 1_000 * len(CROWD)
            break
    assert n > 50
