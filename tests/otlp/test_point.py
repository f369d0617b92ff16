"""A `MetricPoint` becomes a request; what protobuf cannot hold is named."""

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2

from urpo_store.errors import ConfigError, DecodeError
from urpo_store.model import (
    Counter,
    Exemplar,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricPoint,
    Scope,
    Summary,
    UpDownCounter,
)
from urpo_store.otlp import exemplar_from_bytes, request_from_point
from urpo_store.otlp.attributes import attributes_from_key_values

POINT = MetricPoint(service="shop", metric="m", value=Gauge(1.0), timestamp=5)


def parse(point: MetricPoint) -> metrics_pb2.ResourceMetrics:
    (found,) = ExportMetricsServiceRequest.FromString(request_from_point(point)).resource_metrics
    return found


def metric(point: MetricPoint) -> metrics_pb2.Metric:
    return parse(point).scope_metrics[0].metrics[0]


def resource(point: MetricPoint) -> dict[str, Any]:
    return attributes_from_key_values(parse(point).resource.attributes)


def test_numbers_keep_their_type() -> None:
    assert metric(POINT).gauge.data_points[0].as_double == 1.0
    exact = metric(replace(POINT, value=Gauge(2**60 + 1))).gauge.data_points[0]
    assert exact.WhichOneof("value") == "as_int" and exact.as_int == 2**60 + 1
    of_numpy = metric(replace(POINT, value=Gauge(np.int64(7)))).gauge.data_points[0]
    assert of_numpy.WhichOneof("value") == "as_int" and of_numpy.as_int == 7
    nan = metric(replace(POINT, value=Gauge(math.nan))).gauge.data_points[0]
    assert math.isnan(nan.as_double)


@pytest.mark.parametrize("temporality", [("delta", 1), ("cumulative", 2)])
def test_sums(temporality: tuple[str, int]) -> None:
    counter = metric(replace(POINT, value=Counter(3.0), temporality=temporality[0])).sum
    assert counter.is_monotonic and counter.aggregation_temporality == temporality[1]
    assert not metric(replace(POINT, value=UpDownCounter(-3))).sum.is_monotonic


def test_histogram() -> None:
    value = Histogram(3, 1.5, [1, 2], [0.5], max=1.0)
    found = metric(replace(POINT, value=value)).histogram
    (point,) = found.data_points
    assert found.aggregation_temporality == 2
    assert (point.count, point.sum, point.max) == (3, 1.5, 1.0) and not point.HasField("min")
    assert list(point.bucket_counts) == [1, 2] and list(point.explicit_bounds) == [0.5]


def test_exponential_histogram() -> None:
    value = ExponentialHistogram(
        6, None, -3, 1, 2, [1, 2], -4, [2], zero_threshold=1e-9, min=0.0, max=9.0
    )
    (point,) = metric(replace(POINT, value=value)).exponential_histogram.data_points
    assert not point.HasField("sum") and point.HasField("min") and point.scale == -3
    assert (point.positive.offset, list(point.positive.bucket_counts)) == (2, [1, 2])
    assert (point.negative.offset, list(point.negative.bucket_counts)) == (-4, [2])
    assert point.zero_count == 1 and point.zero_threshold == 1e-9


def test_summary() -> None:
    (point,) = metric(
        replace(POINT, value=Summary(2, 3.0, [(0.5, 1.0), (0.9, 2.0)]))
    ).summary.data_points
    assert (point.count, point.sum) == (2, 3.0)
    assert [(q.quantile, q.value) for q in point.quantile_values] == [(0.5, 1.0), (0.9, 2.0)]


def test_identity_and_times() -> None:
    point = replace(
        POINT,
        unit="s",
        description="d",
        start_timestamp=2,
        attributes={"a": 1},
        resource={"host": "h"},
        scope=Scope("lib", "1", "url", {"x": True}),
    )
    found = parse(point)
    (scope_metrics,) = found.scope_metrics
    assert scope_metrics.scope.name == "lib" and scope_metrics.scope.version == "1"
    assert scope_metrics.schema_url == "url"
    assert attributes_from_key_values(scope_metrics.scope.attributes) == {"x": True}
    (data,) = scope_metrics.metrics[0].gauge.data_points
    assert (data.start_time_unix_nano, data.time_unix_nano) == (2, 5)
    assert scope_metrics.metrics[0].unit == "s" and scope_metrics.metrics[0].description == "d"
    assert resource(point) == {"service.name": "shop", "host": "h"}


def test_no_timestamp_means_now() -> None:
    before = time.time_ns()
    (data,) = metric(replace(POINT, timestamp=None)).gauge.data_points
    assert before <= data.time_unix_nano <= time.time_ns()


@pytest.mark.parametrize(
    ("service", "more", "expected"),
    [
        ("shop/cart", {}, {"service.namespace": "shop", "service.name": "cart"}),
        ("a/b/c", {}, {"service.namespace": "a", "service.name": "b/c"}),
        ("/x", {}, {"service.name": "/x"}),
        (
            "n/s",
            {"service.name": "s", "service.namespace": "n"},
            {"service.name": "s", "service.namespace": "n"},
        ),
        (
            "n/s",
            {"service.namespace": "n"},
            {"service.name": "s", "service.namespace": "n"},
        ),
    ],
)
def test_the_service_is_namespace_and_name(
    service: str, more: dict[str, Any], expected: dict[str, Any]
) -> None:
    """SEMANTICS, identity: "The service is service.namespace/service.name, or the name alone"."""
    assert resource(replace(POINT, service=service, resource=more)) == expected


def test_nine_different_attribute_values() -> None:
    values: dict[str, Any] = {
        "int": 1, "text": "1", "float": 1.0, "bool": True, "bytes": b"1", "list": ["1"],
        "map": {"1": ""}, "empty": "", "none": None, "numpy": np.int64(3), "flag": np.bool_(True),
    }  # fmt: skip
    (data,) = metric(replace(POINT, attributes=values)).gauge.data_points
    found = attributes_from_key_values(data.attributes)
    expected = {**values, "numpy": 3, "flag": True}
    assert found == expected
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in expected.items()
    }


def test_exemplars_there_and_back() -> None:
    exemplars = [
        Exemplar(1.5, 7, b"t" * 16, b"s" * 8, {"user": "u", "n": 1}),
        Exemplar(2**60 + 1, 8),
    ]
    (data,) = metric(replace(POINT, exemplars=exemplars)).gauge.data_points
    found = [exemplar_from_bytes(entry.SerializeToString()) for entry in data.exemplars]
    assert found == exemplars and isinstance(found[1].value, int)


def test_exemplar_bytes_that_are_none() -> None:
    with pytest.raises(DecodeError, match="no OTLP Exemplar"):
        exemplar_from_bytes(b"\xff\xff")
    with pytest.raises(DecodeError, match="without a value"):
        exemplar_from_bytes(b"")


loop: list[Any] = []
loop.append(loop)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"service": ""}, "MetricPoint.service is empty"),
        ({"service": 1}, "MetricPoint.service is 1"),
        ({"metric": ""}, "MetricPoint.metric is empty"),
        ({"metric": "\ud800"}, "MetricPoint.metric"),
        ({"unit": None}, "MetricPoint.unit"),
        ({"value": 3.0}, "MetricPoint.value is 3.0"),
        ({"value": Gauge("3")}, r"MetricPoint.value \(Gauge\).value is '3'"),
        ({"value": Gauge(True)}, "a bool"),
        ({"value": Gauge(2**63)}, "must lie within"),
        ({"value": Counter(1), "temporality": "Delta"}, "MetricPoint.temporality is 'Delta'"),
        ({"value": Histogram(-1, None)}, r"\(Histogram\).count is -1"),
        ({"value": Histogram(1, None, [1.5])}, r"bucket_counts\[0\] is 1.5"),
        ({"timestamp": -1}, "MetricPoint.timestamp is -1"),
        ({"timestamp": 1.5}, "MetricPoint.timestamp is 1.5"),
        ({"start_timestamp": 2**64}, "MetricPoint.start_timestamp"),
        ({"attributes": {"k": object()}}, r"MetricPoint.attributes\['k'\] is a object"),
        ({"attributes": {"k": [2**63]}}, r"MetricPoint.attributes\['k'\]\[0\]"),
        ({"attributes": {1: "x"}}, "a key of MetricPoint.attributes is 1"),
        ({"attributes": {"k": loop}}, "nested too deeply"),
        ({"resource": {"service.name": "other"}}, "says otherwise"),
        ({"resource": {"service.namespace": "other"}}, "says otherwise"),
        ({"exemplars": [Exemplar(1, 1, trace_id=b"short")]}, r"exemplars\[0\].trace_id"),
        ({"value": Summary(1, 1.0), "exemplars": [Exemplar(1, 1)]}, "no exemplars"),
    ],
)
def test_errors_name_the_field(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        request_from_point(replace(POINT, **change))
