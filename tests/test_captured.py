"""What the OpenTelemetry SDK really sends comes back as it was, however its bytes are ordered."""

import itertools

import pytest
from helpers.captured import ATTRIBUTES, TYPED, captured
from helpers.otlp import reverse_fields, shuffle_fields, unpack_packed
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import urpo_store
from urpo_store import MetricQuery

CASES = list(itertools.product(("cumulative", "delta"), (False, True)))
ORDERS = {
    "as sent": lambda request: request,
    "reversed": reverse_fields,
    "shuffled": lambda request: shuffle_fields(request, 7),
    "unpacked": unpack_packed,
}


def any_value(value):
    """An AnyValue as plain Python."""
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [any_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return {item.key: any_value(item.value) for item in value.kvlist_value.values}
        case kind:
            return getattr(value, kind)


def typed(value):
    """Something that tells 1 from True and "1"."""
    if isinstance(value, list | tuple):
        return ("list", *map(typed, value))
    if isinstance(value, dict):
        return ("dict", *sorted((key, typed(item)) for key, item in value.items()))
    return (type(value).__name__, value)


def key_of(attributes):
    return typed(dict(attributes))


def sent_points(requests):
    """(metric, attributes) -> the points in the order in which they were sent, from protobuf."""
    points = {}
    for request in requests:
        for block in ExportMetricsServiceRequest.FromString(request).resource_metrics:
            for metric in (m for scope in block.scope_metrics for m in scope.metrics):
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    attributes = {a.key: any_value(a.value) for a in point.attributes}
                    points.setdefault((metric.name, key_of(attributes)), []).append(point)
    return points


def check_series(series, points):
    assert series.timestamps.tolist() == [p.time_unix_nano for p in points]
    if series.temporality is not None:
        starts = [p.start_time_unix_nano for p in points]
        assert series.start_timestamps.tolist() == starts
    for index, point in enumerate(points):
        name = type(point).__name__
        if name == "NumberDataPoint":
            if point.WhichOneof("value") == "as_int":
                assert series.is_int[index]
                assert series.int_values[index] == point.as_int
            else:
                assert series.is_int is None or not series.is_int[index]
                assert series.values[index] == point.as_double
            continue
        columns = series.histogram
        assert series.values[index] == columns.count[index] == point.count
        assert (columns.sum[index], columns.min[index], columns.max[index]) == (
            point.sum,
            point.min,
            point.max,
        )
        if name == "HistogramDataPoint":
            assert columns.bounds.tolist() == list(point.explicit_bounds)
            assert columns.bucket_counts[index].tolist() == list(point.bucket_counts)
            continue
        assert columns.scale[index] == point.scale
        assert columns.zero_count[index] == point.zero_count
        assert columns.zero_threshold[index] == point.zero_threshold
        for side in ("positive", "negative"):
            sent = getattr(point, side)
            stored = getattr(columns, f"{side}_counts")[index].tolist()
            offset = getattr(columns, f"{side}_offset")[index]
            # Zeros at the ends say nothing, and are not kept.
            assert {offset + i: n for i, n in enumerate(stored) if n} == {
                sent.offset + i: n for i, n in enumerate(sent.bucket_counts) if n
            }


def check_all(store, requests):
    expected = sent_points(requests)
    for metric, wanted in itertools.groupby(sorted(expected), key=lambda item: item[0]):
        table = store.query_metrics(MetricQuery(metric, start=0))
        found = {}
        for series in table:
            found.setdefault((metric, key_of(series.attributes)), []).append(series)
        assert set(found) == set(wanted)
        for key, parts in found.items():
            points = expected[key]
            assert sum(map(len, parts)) == len(points)
            for part in parts:
                chosen = [p for p in points if p.time_unix_nano in set(part.timestamps.tolist())]
                check_series(part, chosen)
                assert part.service == "tests/captured"
                assert typed(part.resource["rank"]) == ("int", 7)
                assert (part.scope.name, part.scope.version) == ("captured.scope", "1.2")
                assert part.scope.attributes == {"scope.key": "v"}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("temporality", "exponential"), CASES)
def test_points_come_back(temporality, exponential, order):
    requests = captured(temporality, exponential, rounds=4)
    with urpo_store.open() as store:
        for request in requests:
            result = store.ingest(ORDERS[order](request))
            assert result.rejected == 0, result.message
        check_all(store, requests)
        store.compress_cold()
        assert store.stats().ring_points == 0
        check_all(store, requests)


def test_message_objects():
    requests = captured()
    with urpo_store.open() as store:
        for request in requests:
            store.ingest_message(ExportMetricsServiceRequest.FromString(request))
        check_all(store, requests)


def test_all_orders_are_one_series():
    (request,) = captured(rounds=1)
    with urpo_store.open() as store:
        store.ingest(request)
        series, points = store.stats().series, store.stats().points
        for change in ORDERS.values():
            store.ingest(change(request))
        store.compress_cold()
        assert (store.stats().series, store.stats().points) == (series, points)


def test_typed_attributes_stay_apart():
    """k=1, k="1", k=true and k=1.0 are four series in storage, `where` and `by`."""
    with urpo_store.open() as store:
        for request in captured():
            store.ingest(request)
        for value in TYPED:
            (series,) = store.query_metrics(
                MetricQuery("captured.counter", where={"k": value}, start=0)
            )
            assert typed(series.attributes["k"]) == typed(value)
        groups = store.query_metrics(
            MetricQuery(
                "captured.counter",
                start="-1h",
                step="2h",
                end="now",
                aggregation=urpo_store.Aggregation.LAST,
                by=("k",),
            )
        )
        found = {typed(series.attributes["k"]) for series in groups if "k" in series.attributes}
        assert found <= {typed(value) for value in TYPED}


def test_every_attribute_type():
    with urpo_store.open() as store:
        for request in captured():
            store.ingest(request)
        (series,) = store.query_metrics(
            MetricQuery("captured.counter", where={"text": ATTRIBUTES["text"]}, start=0)
        )
        assert key_of(series.attributes) == key_of(ATTRIBUTES)
        assert series.int_values.tolist() == [2**60 + 1, 2 * (2**60 + 1)]


def test_exemplars():
    requests = captured(rounds=1)
    with urpo_store.open() as store:
        for request in requests:
            store.ingest(request)
        for _ in range(2):
            found = store.exemplars(MetricQuery("captured.histogram", start=0))
            sent = [
                exemplar
                for points in sent_points(requests).values()
                for point in points
                for exemplar in point.exemplars
                if hasattr(point, "explicit_bounds")
            ]
            assert sent
            assert {
                (e.exemplar.timestamp, e.exemplar.value, e.exemplar.trace_id) for e in found
            } == {(e.time_unix_nano, e.as_double, e.trace_id) for e in sent}
            store.compress_cold()
