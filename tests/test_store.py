"""The embedded store through its public names: what SEMANTICS calls time, rejection and life."""

import contextlib
import json
import math
import struct
import subprocess
import sys
import threading
import time
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from drivers.engine import evict_idle, maintain
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

import urpo_store
from urpo_store import (
    Aggregation,
    ConfigError,
    DecodeError,
    Gauge,
    MetricPoint,
    MetricQuery,
    MetricStorage,
    StoreClosedError,
)
from urpo_store.engine.session import ReadSession
from urpo_store.interfaces import HealthOfAll

SECOND = 10**9
BASE = 1_700_000_000_000_000_000
MINUTE = 60 * SECOND


@pytest.fixture
def store():
    with urpo_store.open(retention=None) as store:
        yield store


def new_request(metric="m", **resource):
    """(request, its only metric)."""
    request = ExportMetricsServiceRequest()
    block = request.resource_metrics.add()
    for key, value in {"service.name": "s", **resource}.items():
        block.resource.attributes.add(key=key).value.string_value = value
    return request, block.scope_metrics.add().metrics.add(name=metric)


def gauge(*points, metric="m"):
    """A request of (time, value) pairs."""
    request, made = new_request(metric)
    for when, value in points:
        point = made.gauge.data_points.add(time_unix_nano=when)
        if isinstance(value, int):
            point.as_int = value
        else:
            point.as_double = value
    return request.SerializeToString()


def raw(store, metric="m", **options):
    (series,) = store.query_metrics(
        MetricQuery(metric, start=0, end="2200-01-01T00:00:00Z", **options)
    )
    return series


# ---- time and retention


def test_a_point_older_than_the_retention_is_rejected_with_a_message():
    now = time.time_ns()
    with urpo_store.open(retention="1h") as store:
        result = store.ingest(gauge((now - 61 * MINUTE, 1), (now - 59 * MINUTE, 2)))
        assert (result.accepted, result.rejected) == (1, 1)
        assert (
            "older than the retention; open the store with a longer one, or None" in result.message
        )
        assert raw(store).int_values.tolist() == [2]
        (refused,) = store.rejections()
        assert (refused.service, refused.metric, refused.points) == ("s", "m", 1)
        assert store.stats().rejected_points == 1


def test_the_default_retention_is_a_day():
    now = time.time_ns()
    with urpo_store.open() as store:
        hour = 60 * MINUTE
        result = store.ingest(gauge((now - 23 * hour, 1), (now - 25 * hour, 2)))
        assert (result.accepted, result.rejected) == (1, 1)


def test_retention_none_keeps_any_age(store):
    assert store.ingest(gauge((1, 1), (BASE, 2))).accepted == 2
    store.compress_cold()
    assert raw(store).timestamps.tolist() == [1, BASE]


def until_dropped(store, points):
    """Waits for the retention to leave so many points."""
    deadline = time.monotonic() + 20
    while store.stats().points > points and time.monotonic() < deadline:
        time.sleep(0.01)
        maintain(store._engine)
    assert store.stats().points == points


def counters(*runs):
    """A request of one cumulative counter: (start, [(time, total), ...]) for each run."""
    request, metric = new_request()
    metric.sum.aggregation_temporality = 2
    metric.sum.is_monotonic = True
    for start, points in runs:
        for when, total in points:
            metric.sum.data_points.add(
                start_time_unix_nano=start, time_unix_nano=when, as_int=total
            )
    return request.SerializeToString()


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
def test_the_first_point_left_by_the_retention_is_no_first_point(sealed, restarted):
    """What came before it is gone and not 0: it is a baseline, unless its start shows a reset."""
    now = time.time_ns()
    # A full chunk: it leaves as a whole.
    old = [(now - MINUTE + SECOND // 2 + i, 1000) for i in range(480)]
    started = now - 40 * SECOND if restarted else now - 60 * MINUTE
    new = [(now - 30 * SECOND, 1001), (now - 20 * SECOND, 1004)]
    query = MetricQuery(
        "m", start=now, end=now, step="10m", aggregation=Aggregation.INCREASE, service="s"
    )
    with urpo_store.open(retention="1m") as store:
        store.ingest(counters((now - 60 * MINUTE, old)))
        store.compress_cold()
        store.ingest(counters((started, new)))
        if sealed:
            store.compress_cold()
        assert store.query_metrics(query)[0].int_values.tolist() == [
            1000 + (1004 if restarted else 4)
        ]
        until_dropped(store, 2)
        stats = store.stats()
        assert (stats.expired_points, stats.evicted_points) == (480, 0)
        assert store.query_metrics(query)[0].int_values.tolist() == [1004 if restarted else 3]
        assert raw(store).start_timestamps.tolist() == [started, started]


def test_the_first_histogram_left_by_the_retention_is_no_first_point():
    """A stale mark in front of it is no value and no predecessor either."""
    now = time.time_ns()

    def histograms(*points):
        request, metric = new_request("h")
        metric.histogram.aggregation_temporality = 2
        for when, count in points:
            metric.histogram.data_points.add(
                time_unix_nano=when,
                start_time_unix_nano=now - 60 * MINUTE,
                count=count,
                bucket_counts=[count, 0],
                explicit_bounds=[1],
                flags=0 if count else 1,
            )
        return request.SerializeToString()

    query = MetricQuery("h", start=now, end=now, step="10s", aggregation=Aggregation.COUNT)
    with urpo_store.open(retention="1m") as store:
        store.ingest(histograms(*((now - MINUTE + SECOND // 2 + i, 500) for i in range(480))))
        store.compress_cold()
        store.ingest(histograms((now - 30 * SECOND, 0), (now, 507)))
        assert store.query_metrics(query)[0].int_values.tolist() == [7]
        until_dropped(store, 2)
        assert store.query_metrics(query)[0].int_values.tolist() == [0]


def test_a_point_later_than_now_and_5_minutes_is_stored_but_does_not_move_health(store):
    request, metric = new_request("http.server.request.duration")
    metric.unit = "s"
    metric.histogram.aggregation_temporality = 1
    now = time.time_ns()
    for when in (now - MINUTE, now + 6 * MINUTE):
        metric.histogram.data_points.add(
            time_unix_nano=when,
            start_time_unix_nano=when - MINUTE,
            count=10,
            sum=1,
            bucket_counts=[10, 0],
            explicit_bounds=[1],
        )
    assert store.ingest(request.SerializeToString()).accepted == 2
    assert len(raw(store, "http.server.request.duration")) == 2
    health = store.get_service_health("s", window="15m")
    assert health.request_count == 10
    assert health.last_seen == now - MINUTE


def test_times_of_2_63_and_above_are_rejected_by_name(store):
    result = store.ingest(gauge((2**63, 1), (2**63 - 1, 1)))
    assert (result.accepted, result.rejected) == (1, 1)
    assert "a time is 2^63 ns or later" in result.message
    request, metric = new_request("started")
    for start in (2**63 - 1, 2**63, 2**64 - 1):
        metric.gauge.data_points.add(
            time_unix_nano=BASE + start % 7, start_time_unix_nano=start, as_int=1
        )
    result = store.ingest(request.SerializeToString())
    assert (result.accepted, result.rejected) == (1, 2)
    assert "2 points of 'started' (service 's'): a time is 2^63 ns or later" in result.message


def test_the_last_moment_there_is_is_a_time_like_others(store):
    """2^63 - 1 is not refused, so it is found, and the same time again is the same point."""
    last = 2**63 - 1
    for value, count in ((1, 1), (2, 1), (2, 1)):
        store.ingest(gauge((last, value)))
        for _ in range(2):
            series = store.query_metrics(MetricQuery("m", start=0, end=last))[0]
            assert series.timestamps.tolist() == [last]
            assert series.int_values.tolist() == [value]
            store.compress_cold()
        assert store.stats().points == count
    assert (store.stats().replaced_points, store.stats().duplicate_points) == (1, 1)
    store.ingest(gauge((5, 5), (last, 3)))
    store.ingest(gauge((last - 1, 4), (7, 7)))
    for _ in range(2):
        series = store.query_metrics(MetricQuery("m", start=0, end=last))[0]
        assert series.int_values.tolist() == [5, 7, 4, 3]
        store.compress_cold()


@pytest.mark.parametrize("sealed", [False, True])
def test_the_same_value_again_is_idempotent(store, sealed):
    for _ in range(3):
        store.ingest(gauge((BASE, 1.5), (BASE + 1, math.nan)))
        if sealed:
            store.compress_cold()
    assert raw(store).timestamps.tolist() == [BASE, BASE + 1]
    store.compress_cold()
    stats = store.stats()
    assert (stats.points, stats.duplicate_points, stats.replaced_points) == (2, 4, 0)


@pytest.mark.parametrize("sealed", [False, True])
def test_another_value_at_the_same_time_replaces_the_earlier_one_counted(store, sealed):
    store.ingest(gauge(*((BASE + i, i) for i in range(10))))
    if sealed:
        store.compress_cold()
    store.ingest(gauge((BASE + 4, 44), (BASE + 9, 99)))
    # Reads never show both, not while one of them is still in the ring either.
    assert raw(store).int_values.tolist() == [0, 1, 2, 3, 44, 5, 6, 7, 8, 99]
    store.compress_cold()
    assert raw(store).int_values.tolist() == [0, 1, 2, 3, 44, 5, 6, 7, 8, 99]
    stats = store.stats()
    assert (stats.points, stats.replaced_points) == (10, 2)


def test_times_are_nanoseconds_aware_datetimes_or_text(store):
    from datetime import UTC, datetime

    store.ingest(gauge((BASE, 1)))
    at = datetime.fromtimestamp(BASE / 1e9, UTC)
    for start in (BASE - 1, at, "2023-11-14T22:13:20Z"):
        query = MetricQuery("m", start=start, end=BASE)
        assert len(store.query_metrics(query)) == 1, start
    with pytest.raises(urpo_store.QueryError, match="time zone"):
        store.query_metrics(MetricQuery("m", start=at.replace(tzinfo=None), end=BASE))


# ---- rejections: a point is rejected alone, with its reason


def histogram(bounds=(1.0, 2.0), counts=(1, 0, 0), count=1, temporality=2, **fields):
    request, metric = new_request("h")
    metric.histogram.aggregation_temporality = temporality
    metric.histogram.data_points.add(
        time_unix_nano=BASE, explicit_bounds=bounds, bucket_counts=counts, count=count, **fields
    )
    return request


def exponential(**fields):
    request, metric = new_request("e")
    metric.exponential_histogram.aggregation_temporality = 2
    point = metric.exponential_histogram.data_points.add(time_unix_nano=BASE, count=1)
    point.scale = fields.get("scale", 0)
    point.positive.offset = fields.get("offset", 0)
    point.positive.bucket_counts.append(1)
    return request


def valueless():
    request, metric = new_request()
    metric.gauge.data_points.add(time_unix_nano=BASE)
    return request


def unspecified(kind, temporality=0):
    request, metric = new_request()
    data = getattr(metric, kind)
    data.aggregation_temporality = temporality
    data.data_points.add(time_unix_nano=BASE, **({"as_int": 1} if kind == "sum" else {}))
    return request


def timeless():
    request, metric = new_request()
    metric.gauge.data_points.add(as_int=1)
    return request


def with_attributes(count=1, size=1, place="point", key=""):
    request, metric = new_request()
    point = metric.gauge.data_points.add(time_unix_nano=BASE, as_int=1)
    block = request.resource_metrics[0]
    holder = {"point": point, "scope": block.scope_metrics[0].scope, "resource": block.resource}
    for number in range(count):
        holder[place].attributes.add(key=f"k{number}{key}").value.string_value = "x" * size
    return request


AGREE = "one bucket count more than explicit bounds"
TEMPORALITY = "neither delta nor cumulative"
RISE = "not strictly increasing, or one is NaN"
INDEX = "a scale or bucket index is beyond"
MANY = "there are more attributes than the store takes"
LONG = "a string is longer than the store takes"
REFUSED = [
    ("time_unix_nano is 0", timeless()),
    ("has no value and is not marked", valueless()),
    *((TEMPORALITY, unspecified(kind)) for kind in ("sum", "histogram", "exponential_histogram")),
    (TEMPORALITY, unspecified("sum", 3)),
    (AGREE, histogram(counts=(1, 0))),
    (AGREE, histogram(counts=(1, 0, 0, 0))),
    (AGREE, histogram(counts=())),
    ("do not add up to the count", histogram(count=2)),
    (RISE, histogram(bounds=(2.0, 1.0))),
    (RISE, histogram(bounds=(2.0, 2.0))),
    (RISE, histogram(bounds=(1.0, math.nan))),
    (INDEX, exponential(offset=1_000_000)),
    (INDEX, exponential(offset=2**31 - 1, scale=20)),
    (INDEX, exponential(scale=2**31 - 1, offset=2**31 - 1)),
    *((MANY, with_attributes(129, place=place)) for place in ("point", "scope", "resource")),
    *((LONG, with_attributes(size=16_385, place=p)) for p in ("point", "scope", "resource")),
    (LONG, with_attributes(key="x" * 16_384)),
]


@pytest.mark.parametrize(("reason", "refused"), REFUSED)
def test_a_point_is_rejected_alone_with_its_reason(store, reason, refused):
    request = ExportMetricsServiceRequest()
    request.CopyFrom(refused)
    good, metric = new_request("good")
    metric.gauge.data_points.add(time_unix_nano=BASE, as_int=1)
    request.MergeFrom(good)
    result = store.ingest(request.SerializeToString())
    assert (result.accepted, result.rejected) == (1, 1)
    assert reason in result.message
    assert [(each.points, each.service) for each in store.rejections()] == [(1, "s")]
    assert reason in store.rejections()[0].reason
    assert raw(store, "good").int_values.tolist() == [1]


def test_an_empty_metric_name_rejects_the_metrics_points(store):
    result = store.ingest(gauge((BASE, 1), (BASE + 1, 2), metric=""))
    assert (result.accepted, result.rejected) == (0, 2)
    assert "the metric has no name" in result.message


@pytest.mark.parametrize("field", ["name", "unit", "description", "schema_url", "scope.name"])
def test_long_texts_of_a_metric_are_rejected_too(store, field):
    request, metric = new_request()
    scope = request.resource_metrics[0].scope_metrics[0]
    if field == "schema_url":
        scope.schema_url = "x" * 20_000
    elif field == "scope.name":
        scope.scope.name = "x" * 20_000
    else:
        setattr(metric, field, "x" * 20_000)
    metric.gauge.data_points.add(time_unix_nano=BASE, as_int=1)
    result = store.ingest(request.SerializeToString())
    assert (result.accepted, result.rejected) == (0, 1)
    assert "a string is longer than the store takes" in result.message


def test_a_scope_beyond_the_limits_rejects_its_own_points_alone(store):
    request, metric = new_request("refused")
    metric.gauge.data_points.add(time_unix_nano=BASE, as_int=1)
    block = request.resource_metrics[0]
    block.scope_metrics[0].scope.name = "x" * 20_000
    good = block.scope_metrics.add().metrics.add(name="good")
    good.gauge.data_points.add(time_unix_nano=BASE, as_int=1)
    result = store.ingest(request.SerializeToString())
    assert (result.accepted, result.rejected) == (1, 1)
    assert "1 point of 'refused' (service 's'): a string is longer" in result.message
    assert raw(store, "good").int_values.tolist() == [1]


def test_the_limits_are_configurable():
    with urpo_store.open(retention=None, max_attributes=200, max_string=20_000) as store:
        assert store.ingest(with_attributes(count=129).SerializeToString()).accepted == 1
        assert store.ingest(with_attributes(size=16_385).SerializeToString()).accepted == 1
        assert store.ingest(with_attributes(count=201).SerializeToString()).rejected == 1


def test_a_wrong_exemplar_drops_the_exemplar_not_the_point(store):
    request, metric = new_request()
    point = metric.gauge.data_points.add(time_unix_nano=BASE, as_int=1)
    point.exemplars.add(time_unix_nano=BASE, as_int=7, trace_id=b"short")
    point.exemplars.add(time_unix_nano=BASE, as_int=8, trace_id=bytes(range(16)))
    assert store.ingest(request.SerializeToString()).accepted == 1
    query = MetricQuery("m", start=0, end="now")
    assert [each.exemplar.value for each in store.exemplars(query)] == [8]
    assert store.stats().dropped_exemplars == 1


def test_the_stale_mark_is_the_flag_bit_and_every_nan_payload_is_data(store):
    stale_of_prometheus = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    request, metric = new_request()
    metric.gauge.data_points.add(time_unix_nano=BASE, as_double=stale_of_prometheus)
    metric.gauge.data_points.add(time_unix_nano=BASE + 1, flags=1)
    for sealed in (False, True):
        store.ingest(request.SerializeToString())
        if sealed:
            store.compress_cold()
        series = raw(store)
        assert series.stale.tolist() == [False, True]
        assert series.values.view(np.uint64)[0] == 0x7FF0000000000002


@pytest.mark.parametrize("length", [1, 100_000])
def test_an_undecodable_request_stores_nothing(store, length):
    """However much of it was good, and however late it turns out."""
    request = gauge(*((BASE + i, i) for i in range(length)))
    with pytest.raises(DecodeError, match="not OTLP"):
        store.ingest(request + b"\xff")
    stats = store.stats()
    assert (stats.points, stats.series, stats.accepted_points) == (0, 0, 0)
    assert store.services() == []


# ---- all forms of a request store the same


def test_json_and_messages_store_the_same_as_bytes():
    request, metric = new_request()
    point = metric.gauge.data_points.add(time_unix_nano=BASE, as_double=0.1)
    point.attributes.add(key="k").value.int_value = 2**60
    point.attributes.add(key="b").value.bytes_value = b"\x00\xff"
    data = MetricsData(resource_metrics=request.resource_metrics)
    as_json = json.dumps(MessageToDict(request))
    found = []
    for send in (
        lambda store: store.ingest(request.SerializeToString()),
        lambda store: store.ingest(bytearray(request.SerializeToString())),
        lambda store: store.ingest(memoryview(request.SerializeToString())),
        lambda store: store.ingest_json(as_json),
        lambda store: store.ingest_json(as_json.encode()),
        lambda store: store.ingest_message(request),
        lambda store: store.ingest_message(data),
        lambda store: store.ingest_message(request.resource_metrics[0]),
    ):
        with urpo_store.open(retention=None) as store:
            assert send(store).accepted == 1
            series = raw(store)
            found.append((series.attributes, series.resource, series.values.tolist()))
    assert all(each == found[0] for each in found)
    assert found[0][0] == {"k": 2**60, "b": b"\x00\xff"}


def test_a_request_that_its_caller_changes_meanwhile_is_copied(store):
    request = bytearray(gauge((BASE, 1)))
    store.ingest(request)
    request[:] = bytes(len(request))
    assert raw(store).int_values.tolist() == [1]


def test_text_that_cannot_be_stored_is_found_nowhere(store):
    """Half of a surrogate pair is no UTF-8: a question with one has an answer, and it is: nothing."""
    half = "\ud800"
    store.store_metric(MetricPoint("s", "m", Gauge(1.0), {"k": 1}, timestamp=BASE))
    span = {"start": 0, "end": BASE}
    for query in (
        MetricQuery(half, **span),
        MetricQuery("m", service=half, **span),
        MetricQuery("m", where={"k": half}, **span),
        MetricQuery("m", where={"k": [half]}, **span),
        MetricQuery("m", where={"k": {half: 1}}, **span),
        MetricQuery("m", where={half: 1}, **span),
    ):
        assert len(store.query_metrics(query)) == 0
        assert store.series(query) == store.exemplars(query) == []
    (absent,) = store.query_metrics(MetricQuery("m", where={half: None}, by=(half,), **span))
    assert absent.attributes == {}
    assert store.get_service_health(half) is None
    assert store.metrics(half) == []


# ---- life


def everything(store):
    """Every method of a storage, as calls."""
    query = MetricQuery("m", start=0, end=BASE)
    return {
        "ingest": lambda: store.ingest(gauge((BASE, 1))),
        "ingest_json": lambda: store.ingest_json("{}"),
        "ingest_message": lambda: store.ingest_message(ExportMetricsServiceRequest()),
        "store_metric": lambda: store.store_metric(MetricPoint("s", "m", Gauge(1.0))),
        "query_metrics": lambda: store.query_metrics(query),
        "get_service_health": lambda: store.get_service_health("s"),
        "services": store.services,
        "metrics": store.metrics,
        "series": lambda: store.series(query),
        "exemplars": lambda: store.exemplars(query),
        "rejections": store.rejections,
        "stats": store.stats,
        "compress_cold": store.compress_cold,
        "flush": store.flush,
    }


def test_a_store_is_a_metric_storage(store):
    assert isinstance(store, MetricStorage)


def test_every_method_of_a_closed_store_says_so():
    store = urpo_store.open()
    calls = everything(store)
    for call in calls.values():
        call()
    store.close()
    store.close()
    for name, call in calls.items():
        with pytest.raises(StoreClosedError, match="closed"):
            call()
            pytest.fail(f"{name} answered")


def test_a_store_may_be_closed_while_threads_use_it():
    """Calls under way end as they would have; those that come later say that it is closed."""
    for _ in range(5):
        store = urpo_store.open(retention=None, ring_slots=1024)
        calls = everything(store)
        all_began = threading.Barrier(len(calls) + 1)
        wrong = []

        def use(call, all_began=all_began, wrong=wrong):
            try:
                call()
                all_began.wait()
                while True:
                    call()
            except StoreClosedError:
                pass
            except BaseException as error:
                wrong.append(error)
                all_began.abort()

        threads = [threading.Thread(target=use, args=(call,)) for call in calls.values()]
        for thread in threads:
            thread.start()
        all_began.wait()
        store.close()
        for thread in threads:
            thread.join()
        assert wrong == []


FORK = """
import os
import urpo_store
from urpo_store import Gauge, MetricPoint, StoreClosedError

with urpo_store.open() as store:
    store.store_metric(MetricPoint("s", "m", Gauge(1.0)))
    child = os.fork()
    if child == 0:
        for call in (store.services, store.stats):
            try:
                call()
            except StoreClosedError as error:
                assert "fork" in str(error) and "parent" in str(error), error
            else:
                os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.services() == ["s"] and store.stats().points == 1
"""


def test_after_a_fork_the_childs_store_raises_and_the_parents_goes_on():
    """In an interpreter of its own: others' handlers of forks, the SDK's among them, need threads."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retention": "soon"}, "retention='soon' is not a length of time; write"),
        ({"retention": 0}, "retention=0 is not a length of time"),
        ({"memory_limit": "64 parsecs"}, "memory_limit='64 parsecs' is not a size; write"),
        ({"memory_limit": "1KiB"}, "memory_limit='1KiB' is too small; the least is"),
        ({"max_series": 0}, "max_series=0 is not a whole number from 1 to"),
        ({"ring_slots": 3000}, "ring_slots=3000 is not a power of two"),
        ({"colour": "red"}, "colour='red' is not an option; there are: retention, "),
        ({"hot_window": "5m"}, "hot_window='5m' is an option of durable stores"),
        ({"sync": "always"}, "sync='always' is an option of durable stores"),
    ],
)
def test_a_wrong_option_names_itself_its_value_and_the_remedy(options, message):
    with pytest.raises(ConfigError) as caught:
        urpo_store.open(**options)
    assert message in str(caught.value)


def test_a_directory_is_not_opened_by_a_store_that_would_forget():
    with pytest.raises(ConfigError, match="durable stores are not built yet"):
        urpo_store.open("metrics/")


def test_a_running_serve_takes_no_options_of_a_store():
    with pytest.raises(ConfigError, match="retention='1h' is no option of a running serve"):
        urpo_store.open("http://127.0.0.1:4318", retention="1h")


def test_third_parties_register_storages_by_scheme(monkeypatch):
    def fake(*, group, name=None):
        entries = [EntryPoint("abc", "helpers.fake_storage:FakeStorage", group)]
        return [each for each in entries if name in (None, each.name)]

    monkeypatch.setattr("importlib.metadata.entry_points", fake)
    monkeypatch.setattr("helpers.fake_storage.FakeStorage", lambda target: target, raising=False)
    assert urpo_store.open("abc://there") == "abc://there"
    with pytest.raises(
        ConfigError, match=r"no storage is registered for 'xyz'.*known are abc, http"
    ):
        urpo_store.open("xyz://there")


def test_an_answer_is_a_whole_at_every_moment(store):
    """LAST without a step is the last point of the range, whether in the ring or sealed."""
    store.ingest(gauge((BASE, 1), (BASE + 1, 2)))
    query = MetricQuery("m", start=0, end=BASE + 10, aggregation=Aggregation.LAST)
    before = store.query_metrics(query)[0].int_values.tolist()
    store.compress_cold()
    assert before == store.query_metrics(query)[0].int_values.tolist() == [2]


def test_the_health_of_every_service_in_one_call(store):
    assert isinstance(store, HealthOfAll) and store.health() == []
    now = time.time_ns()
    for name in ("b", "a"):
        store.store_metric(MetricPoint(name, "m", Gauge(1.0), timestamp=now))
    assert store.health("1m", now) == [store.get_service_health(n, "1m", now) for n in ("a", "b")]


def test_series_obey_a_limit(store):
    for index in range(5):
        store.store_metric(MetricPoint("s", "m", Gauge(1.0), {"i": index}, timestamp=BASE))
    assert len(store.series(MetricQuery("m"))) == 5
    limited = store.series(MetricQuery("m", limit=2))
    assert [info.attributes for info in limited] == [{"i": 0}, {"i": 1}]


def test_an_evicted_service_is_not_listed_while_a_query_still_holds_it(store):
    """Its record stays for those inside, its name may be gone: who comes later must not meet it."""
    store.store_metric(MetricPoint("gone", "m", Gauge(1.0), timestamp=BASE))
    assert store.services() == ["gone"]
    store.compress_cold()
    with contextlib.closing(ReadSession(store._engine)):
        assert evict_idle(store._engine, 700) == 1
        assert store.services() == [] and store.stats().producers == {}


def test_more_exemplars_than_a_point_can_carry_cost_them_and_not_the_point():
    request, metric = new_request()
    point = metric.gauge.data_points.add(time_unix_nano=BASE, as_double=1.5)
    for _ in range(200):
        point.exemplars.add(
            as_double=1.0, time_unix_nano=BASE, trace_id=bytes(16), span_id=bytes(8)
        )
    with urpo_store.open(retention=None, ring_slots=1024) as store:
        result = store.ingest(request.SerializeToString())
        assert (result.accepted, result.rejected) == (1, 0)
        assert store.stats().dropped_exemplars == 200
        assert raw(store).values.tolist() == [1.5]
