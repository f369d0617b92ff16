"""`memory_limit` is hard and `max_series` holds, whatever is sent; what was genuine stays right."""

import random
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from drivers.engine import evict_idle, maintain
from helpers.floods import BASE, SECOND, fast_sums
from helpers.otlp import field, varint
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import urpo_store
from urpo_store import Aggregation, MetricQuery
from urpo_store.engine.session import ReadSession
from urpo_store.render.advice import losses

MIB = 1 << 20
LIMIT = 16 * MIB


def gauges(services, sets, time=BASE, metric="attack", temporality=None, value=1.0):
    """A request of one point for each of `sets`, in each of `services`."""
    request = ExportMetricsServiceRequest()
    for service in services:
        block = request.resource_metrics.add()
        block.resource.attributes.add(key="service.name").value.string_value = service
        made = block.scope_metrics.add().metrics.add(name=metric)
        if temporality is None:
            points = made.gauge.data_points
        else:
            made.sum.aggregation_temporality = temporality
            made.sum.is_monotonic = True
            points = made.sum.data_points
        for each in sets:
            point = points.add(time_unix_nano=time, start_time_unix_nano=time - 1)
            point.as_double = value
            point.attributes.add(key="id").value.string_value = str(each)
    return request.SerializeToString()


def highest_memory(store, requests):
    highest = 0
    for request in requests:
        store.ingest(request)
        highest = max(highest, store.stats().memory_bytes)
    return highest


def test_a_flood_of_attribute_sets_stays_below_the_limit():
    """200,000 sets: deltas collapsed stay exact, and genuine series go on as before."""
    with urpo_store.open(retention=None, memory_limit=LIMIT) as store:
        store.ingest(gauges(["shop"], range(10), metric="genuine"))
        requests = (
            gauges(["shop"], range(i, i + 2_000), temporality=1, time=BASE + i * 1_000)
            for i in range(0, 200_000, 2_000)
        )
        assert highest_memory(store, requests) < LIMIT * 1.1
        result = store.ingest(gauges(["shop"], range(10), BASE + SECOND, "genuine", value=7.0))
        assert (result.accepted, result.message) == (10, "")
        stats = store.stats()
        assert stats.overflowed_series > 0
        assert stats.index_bytes < LIMIT * 0.65
        table = store.query_metrics(
            MetricQuery("genuine", start=BASE, end=BASE + SECOND, aggregation=Aggregation.LAST)
        )
        assert len(table) == 10
        assert {series.values[-1] for series in table} == {7.0}
        if not stats.evicted_points:
            (total,) = store.query_metrics(
                MetricQuery(
                    "attack",
                    start=BASE - SECOND,
                    end=BASE + SECOND,
                    step="2s",
                    aggregation=Aggregation.SUM,
                    by=(),
                )
            )
            assert total.values.sum() == 200_000


def test_a_flood_of_services_is_refused_by_name_and_counted():
    with urpo_store.open(retention=None, memory_limit=LIMIT) as store:
        names = [[f"made-up-{i + j}" for j in range(2_000)] for i in range(0, 60_000, 2_000)]
        assert highest_memory(store, (gauges(each, "a") for each in names)) < LIMIT * 1.1
        result = store.ingest(gauges(["one-more"], "a"))
        assert (result.accepted, result.rejected) == (0, 1)
        assert "no room for a new series; raise max_series or memory_limit" in result.message
        assert store.stats().rejected_points > 0


@pytest.mark.parametrize("metrics", [50_000])
def test_a_flood_of_names_stays_below_the_limit(metrics):
    with urpo_store.open(retention=None, memory_limit=LIMIT) as store:

        def request(first):
            message = ExportMetricsServiceRequest()
            scope = message.resource_metrics.add().scope_metrics.add()
            for name in range(first, first + 2_000):
                point = scope.metrics.add(name=f"name.{name}" * 5).gauge.data_points.add()
                point.time_unix_nano = BASE
                point.as_int = 1
            return message.SerializeToString()

        assert highest_memory(store, map(request, range(0, metrics, 2_000))) < LIMIT * 1.1


def test_open_chunks_are_given_up_too_oldest_first():
    """4,000 active series of random values: their open chunks alone would be beyond the limit."""
    chance = random.Random(1)
    limit = 8 << 20
    with urpo_store.open(retention=None, memory_limit=limit, ring_slots=4096) as store:
        sent = 0

        def requests():
            nonlocal sent
            for step in range(200):
                yield gauges(["busy"], range(4_000), BASE + step * SECOND, value=chance.random())
                sent += 4_000

        # All of them grow with the same request, which is taken in before anything is given up for it.
        assert highest_memory(store, requests()) < limit * 1.4
        store.compress_cold()
        stats = store.stats()
        assert stats.evicted_points > 0
        assert stats.points + stats.evicted_points == sent
        newest = store.query_metrics(
            MetricQuery(
                "attack", start=0, end="now", aggregation=Aggregation.LAST, by=(), step=None
            )
        )
        assert newest[0].timestamps[-1] == BASE + 199 * SECOND


def genuine(minute):
    """What an honest service exports once a minute: 20 routes of requests, and a gauge."""
    request = ExportMetricsServiceRequest()
    block = request.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = block.scope_metrics.add()
    data = scope.metrics.add(name="http.server.request.duration", unit="s").histogram
    data.aggregation_temporality = 2
    for route in range(20):
        point = data.data_points.add()
        point.start_time_unix_nano = BASE - SECOND
        point.time_unix_nano = BASE + minute * 60 * SECOND
        point.attributes.add(key="http.route").value.string_value = f"/{route}"
        counts = [3 * minute + route, minute, 0]
        point.explicit_bounds.extend([0.1, 1.0])
        point.bucket_counts.extend(counts)
        point.count = sum(counts)
        point.sum = 0.05 * counts[0] + 0.5 * counts[1]
    for route in range(20):
        point = scope.metrics.add(name=f"gauge.{route}").gauge.data_points.add()
        point.time_unix_nano = BASE + minute * 60 * SECOND
        point.as_double = minute / 10 + route
    return request.SerializeToString()


def what_shop_sees(store, end):
    """Everything that a user of the honest service could ask."""
    duration = {"metric": "http.server.request.duration", "service": "shop", "end": end}
    seen = [store.get_service_health("shop", window, at=end) for window in ("1m", "5m", "15m")]
    for query in (
        MetricQuery(**duration, start=BASE),
        MetricQuery(**duration, start=BASE, step="60s", aggregation=Aggregation.P95, by=()),
        MetricQuery(**duration, start=BASE, step="60s", aggregation=Aggregation.INCREASE),
        *(
            MetricQuery(f"gauge.{route}", service="shop", start=BASE, end=end)
            for route in range(20)
        ),
    ):
        table = store.query_metrics(query)
        seen += [(s.attributes, s.timestamps.tolist(), s.values.tolist()) for s in table]
    return seen


def test_memory_that_a_reader_holds_is_not_exceeded_but_waited_for():
    """What is given up comes back when queries from before are over; until then requests are refused,
    whole and to be sent again, rather than taken in beyond the limit."""
    limit = 8 << 20
    chance = random.Random(1)
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for _ in range(20_000):
        metric.gauge.data_points.add(as_double=chance.random())
    sent = 0

    def send():
        for point in metric.gauge.data_points:
            nonlocal sent
            sent += 1
            point.time_unix_nano = BASE + sent * SECOND
        return store.ingest(request.SerializeToString()).accepted

    with urpo_store.open(retention=None, memory_limit=limit) as store:
        reader = ReadSession(store._engine)
        highest = 0
        with pytest.raises(MemoryError, match="memory_limit=8388608 is reached, and queries"):
            for _ in range(200):
                send()
                highest = max(highest, store.stats().memory_bytes)
        assert highest < limit * 1.25
        before = store.stats()
        assert before.rejected_requests == 1
        reader.close()
        assert send() == 20_000
        stats = store.stats()
        assert stats.accepted_points == before.accepted_points + 20_000
        store.compress_cold()
        assert store.stats().memory_bytes <= limit


def test_five_million_sets_leave_genuine_series_as_they_were():
    """A store under attack and one without answer the same about who is not attacked."""
    options = {"retention": None, "max_series": 10_000}
    sets, batch, minutes = 5_000_000, 10_000, 10
    with urpo_store.open(**options) as store, urpo_store.open(**options) as alone:
        highest = 0
        for minute in range(minutes):
            for each in (store, alone):
                assert each.ingest(genuine(minute)).message == ""
            first = minute * sets // minutes
            for at in range(first, first + sets // minutes, batch):
                time = BASE + minute * 60 * SECOND + at
                store.ingest(fast_sums(at, batch, 1, time))
            highest = max(highest, store.stats().memory_bytes)
        end = BASE + (minutes - 1) * 60 * SECOND
        assert what_shop_sees(store, end) == what_shop_sees(alone, end)
        stats = store.stats()
        assert highest < stats.memory_limit
        assert stats.series <= 10_000 + 16 and stats.evicted_points == 0
        assert stats.overflowed_points > sets - 10_000
        assert any("collapsed into urpo.overflow" in line for line in losses(stats))
        # Deltas are exact even so, in total and by the key that was not the fattest.
        (total,) = store.query_metrics(
            MetricQuery(
                "attack",
                start=end + 60 * SECOND,
                end=end + 60 * SECOND,
                step="2h",
                aggregation=Aggregation.SUM,
                by=("route",),
            )
        )
        assert total.attributes == {"route": "/pay"}
        assert total.values.sum() == sets


def test_cumulative_sets_beyond_the_table_are_baselines_that_are_counted():
    """What the table of last values holds counts exactly; what it does not is a baseline first."""
    with urpo_store.open(retention=None, max_series=1_000) as store:
        known, flood = 50_000, 500_000
        for first in range(0, known, 10_000):
            store.ingest(fast_sums(first, 10_000, 2, BASE, value=10.0))
        before = store.stats().baseline_points
        for first in range(0, known, 10_000):
            store.ingest(fast_sums(first, 10_000, 2, BASE + SECOND, value=13.0))
        (total,) = store.query_metrics(
            MetricQuery(
                "attack",
                start=BASE,
                end=BASE + SECOND,
                step="1s",
                aggregation=Aggregation.INCREASE,
                by=(),
            )
        )
        assert total.values[-1] == 3.0 * known
        for first in range(0, flood, 10_000):
            store.ingest(fast_sums(first + 10**7, 10_000, 2, BASE + 2 * SECOND, value=10.0))
        stats = store.stats()
        assert stats.memory_bytes < stats.memory_limit
        assert stats.baseline_points - before >= flood - 65_536


def test_two_million_strings():
    """Distinct values and distinct keys: the strings of what was collapsed are given back."""
    with urpo_store.open(retention=None, max_series=10_000) as store:
        highest = 0
        for first in range(0, 1_000_000, 10_000):
            store.ingest(fast_sums(first, 10_000, 1, BASE + first))
            key = b"key%05d" % (first // 10_000)
            store.ingest(fast_sums(first + 10**7, 10_000, 1, BASE + first, key=key))
            highest = max(highest, store.stats().memory_bytes)
        stats = store.stats()
        assert highest < stats.memory_limit
        assert stats.strings < 50_000
        assert stats.accepted_points == 2_000_000


@pytest.mark.parametrize("kind", ["exponential", "summary", "histogram"])
@pytest.mark.parametrize("size", [3 << 20, 24 << 20])
def test_one_request_of_large_points_does_not_cost_what_is_stored(kind, size):
    """Points that take many times their bytes while they are staged: a part of them at a time."""
    if kind == "exponential":
        number, counts = 10, bytes(64) + b"\x01"
        large = field(4, 1, (1).to_bytes(8, "little")) + field(8, 2, field(2, 2, counts))
    elif kind == "summary":
        number, large = 11, field(6, 2, b"") * 3000
    else:
        number, bounds = 9, b"".join(struct.pack("<d", i) for i in range(999))
        large = field(6, 2, bytes(8000)) + field(7, 2, bounds)
    point = field(1, 2, field(3, 1, BASE.to_bytes(8, "little")) + large)
    count = size // len(point)
    data = point * count if kind == "summary" else field(2, 0, varint(2)) + point * count
    request = field(1, 2, field(2, 2, field(2, 2, field(1, 2, b"large") + field(number, 2, data))))
    with urpo_store.open(retention=None, memory_limit=32 << 20) as store:
        for step in range(20):
            store.ingest(gauges(["good"], range(1_000), BASE + step * SECOND))
        store.compress_cold()
        highest = 0
        done = threading.Event()

        def watch():
            nonlocal highest
            while not done.is_set():
                highest = max(highest, store.stats().memory_bytes)

        watcher = threading.Thread(target=watch)
        watcher.start()
        result = store.ingest(request)
        done.set()
        watcher.join()
        assert (result.accepted, result.rejected) == (count, 0)
        assert highest < 24 << 20
        store.compress_cold()
        stats = store.stats()
        assert stats.evicted_points == 0
        assert stats.points == 20_001


def keeps_its_promise(store):
    """Within the limit, and new points are kept: nothing that cannot go has taken all the room."""
    store.compress_cold()
    stats = store.stats()
    assert stats.memory_bytes <= stats.memory_limit
    for second in range(10):
        store.ingest(gauges(["new"], range(20), BASE + second * SECOND, "new"))
    store.compress_cold()
    query = MetricQuery("new", service="new", start=BASE, end=BASE + 10 * SECOND)
    assert sum(map(len, store.query_metrics(query))) == 200


def test_exemplars_go_before_points_do():
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for i in range(1_000):
        point = metric.gauge.data_points.add(as_double=1.0)
        point.attributes.add(key="id").value.int_value = i
        point.exemplars.add(as_double=1.5, trace_id=bytes(16), span_id=bytes(8))
    with urpo_store.open(retention=None, memory_limit=8 << 20) as store:
        for second in range(200):
            for point in metric.gauge.data_points:
                point.time_unix_nano = BASE + second * SECOND
                point.exemplars[0].time_unix_nano = point.time_unix_nano
            store.ingest(request.SerializeToString())
        stats = store.stats()
        assert stats.evicted_points == 0 and stats.dropped_exemplars > 0
        # The newest ones are still there.
        newest = store.exemplars(MetricQuery("m", start=BASE, end=BASE + 200 * SECOND))
        assert max(each.exemplar.timestamp for each in newest) == BASE + 199 * SECOND
        keeps_its_promise(store)


def test_health_of_many_services_stays_within_its_share_and_right():
    """Old seconds go early; what they would have told is scanned for, so the answers are the same."""
    request = ExportMetricsServiceRequest()
    points = []
    for i in range(100):
        block = request.resource_metrics.add()
        block.resource.attributes.add(key="service.name").value.string_value = f"s{i}"
        metric = block.scope_metrics.add().metrics.add(
            name="http.server.request.duration", unit="s"
        )
        metric.histogram.aggregation_temporality = 2
        points.append(
            metric.histogram.data_points.add(
                start_time_unix_nano=BASE - 1,
                explicit_bounds=[0.001 * 2**k for k in range(15)],
                bucket_counts=[0] * 16,
            )
        )
    with (
        urpo_store.open(retention=None, memory_limit=LIMIT) as store,
        urpo_store.open(retention=None, memory_limit=16 * LIMIT) as roomy,
    ):
        for second in range(300):
            for point in points:
                point.time_unix_nano = BASE + second * SECOND
                point.count += 3
                point.bucket_counts[second % 16] += 3
            data = request.SerializeToString()
            store.ingest(data)
            roomy.ingest(data)
        assert store.stats().evicted_points == 0
        assert roomy.stats().memory_bytes - store.stats().memory_bytes > LIMIT // 8
        for window in ("1m", "5m"):
            for service in ("s0", "s99"):
                end = BASE + 299 * SECOND
                asked = store.get_service_health(service, window, at=end)
                assert asked.request_count > 0
                assert asked == roomy.get_service_health(service, window, at=end)
        keeps_its_promise(store)


def test_last_values_of_collapsed_histograms_stay_within_the_share_of_the_index():
    """They cannot be given up without counting wrong, so beyond it new sources are baselines."""
    request = ExportMetricsServiceRequest()
    block = request.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = "attacked"
    data = block.scope_metrics.add().metrics.add(name="attack").histogram
    data.aggregation_temporality = 2
    for _ in range(1_000):
        point = data.data_points.add(start_time_unix_nano=BASE, count=1)
        point.explicit_bounds.extend(map(float, range(60)))
        point.bucket_counts.extend([1] + [0] * 60)
        point.attributes.add(key="id").value.string_value = ""
    with urpo_store.open(retention=None, memory_limit=LIMIT, max_series=100) as store:
        store.ingest(gauges(["new"], range(20), BASE - SECOND, "new"))
        for turn in range(20):
            for i, point in enumerate(data.data_points):
                point.time_unix_nano = BASE + (1 + turn) * SECOND
                point.attributes[0].value.string_value = str(turn * 1_000 + i)
            store.ingest(request.SerializeToString())
        stats = store.stats()
        assert stats.index_bytes < LIMIT * 0.65
        assert stats.baseline_points >= 19_000
        keeps_its_promise(store)


def big_requests(count):
    """All of them of the same 8,000 series."""
    for i in range(count):
        yield gauges(["shop"], range(8_000), BASE + i * SECOND)


def test_threads_that_take_turns_share_what_a_request_needs():
    """200 threads, as a server has: were it one's own for each, points would have to go for it."""
    with (
        urpo_store.open(retention=None, memory_limit=2 * LIMIT) as store,
        ThreadPoolExecutor(200) as pool,
    ):
        barrier = threading.Barrier(200)
        list(pool.map(lambda _: barrier.wait(), range(200)))
        for request in big_requests(60):
            pool.submit(store.ingest, request).result()
        store.flush()
        assert store.stats().evicted_points == 0


def test_what_a_crowd_of_requests_needed_is_given_back():
    with urpo_store.open(retention=None, memory_limit="256MiB") as store:
        requests = big_requests(30)
        store.ingest(next(requests))
        # Each reader holds a slot, so that the next request finds another.
        readers = []
        for request in requests:
            readers.append(ReadSession(store._engine))
            store.ingest(request)
        store.flush()
        for reader in readers:
            reader.close()
        held = store.stats().memory_bytes
        # By the drain thread, after two seconds.
        deadline = time.monotonic() + 20
        while store.stats().memory_bytes > held - 10 * MIB:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert store.stats().points == 30 * 8_000


def test_services_that_come_and_go_leave_nothing_behind():
    """A service without series is forgotten when the index is short of room, its name too."""
    request = ExportMetricsServiceRequest()
    names = []
    for _ in range(300):
        block = request.resource_metrics.add()
        names.append(block.resource.attributes.add(key="service.name").value)
        metric = block.scope_metrics.add().metrics.add(
            name="http.server.request.duration", unit="s"
        )
        metric.histogram.aggregation_temporality = 1
        metric.histogram.data_points.add(count=1, explicit_bounds=[1.0], bucket_counts=[1, 0])
    with urpo_store.open(retention=None, memory_limit=LIMIT) as store:
        index = []
        for generation in range(60):
            for i, name in enumerate(names):
                name.string_value = f"{generation}-{i}"
                point = request.resource_metrics[i].scope_metrics[0].metrics[0].histogram
                point.data_points[0].time_unix_nano = BASE + generation * SECOND
                point.data_points[0].start_time_unix_nano = BASE + generation * SECOND - 1
            result = store.ingest(request.SerializeToString())
            assert (result.accepted, result.message) == (300, ""), generation
            health = store.get_service_health(
                f"{generation}-7", "5m", at=BASE + generation * SECOND
            )
            assert health.request_count == 1
            store.compress_cold()
            evict_idle(store._engine, 700)
            maintain(store._engine)
            index.append(store.stats().index_bytes)
        assert store.services() == [] and store.stats().overflowed_series == 0
        assert index[-1] <= max(index[:20])
        # Of one that comes back, what is new is counted.
        store.ingest(request.SerializeToString())
        assert store.get_service_health("59-7", "5m", at=BASE + 60 * SECOND).request_count >= 1
