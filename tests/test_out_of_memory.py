"""The engine's allocator fails at the n-th call, for every n of a script.

The script has all kinds of points, late and sent again, exemplars, bounds that change, sealing, queries and
health. Chunks, full tails, series, health and overflow have scripts of their own in tests/engine.

Whatever fails says so, with MemoryError or a refused point; nothing crashes; and once there is memory
again the store answers as if nothing had happened, for all that it had accepted.
"""

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import urpo_store
from urpo_store import Aggregation, MetricQuery

BASE = 1_700_000_000_000_000_000
SECOND = 10**9
ROUNDS = 5


def request(step: int) -> bytes:
    """A gauge, a counter, a histogram, an exponential histogram and a summary at one time."""
    message = ExportMetricsServiceRequest()
    block = message.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = block.scope_metrics.add()
    time = BASE + step * SECOND
    common = {"time_unix_nano": time, "start_time_unix_nano": BASE - 1}

    def named(point):
        point.attributes.add(key="k").value.string_value = "v"

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


def query_all(store) -> dict[str, list[int]]:
    found = {}
    for name in METRICS:
        table = store.query_metrics(MetricQuery(name, start=0, end=BASE + 100 * SECOND))
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
        before = store._engine.fail_allocation(n)
        failed = script(store, accepted)
        done = store._engine.fail_allocation(0) - before < n
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
