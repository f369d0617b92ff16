"""A `MetricPoint` to the bytes of a request with that one point.

Values that protobuf cannot hold are refused here, with a `ConfigError` that names the field. The rules
for points (counts agree, bounds rise) are the store's, as for every other point.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..model import (
    AttributeValue,
    Counter,
    Exemplar,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricPoint,
    Summary,
    UpDownCounter,
)
from .attributes import checked_text, fill_attributes

if TYPE_CHECKING:
    from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

_TEMPORALITIES = {"delta": 1, "cumulative": 2}  # AggregationTemporality
_UINT64 = (0, 2**64 - 1)
_INT32 = (-(2**31), 2**31 - 1)


def request_from_point(point: MetricPoint) -> bytes:
    """The bytes of an `ExportMetricsServiceRequest`; a point without a timestamp is of now."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    fill_attributes(
        resource_metrics.resource.attributes, _resource_attributes(point), "MetricPoint.resource"
    )
    scope_metrics = resource_metrics.scope_metrics.add()
    if point.scope is not None:
        scope_metrics.scope.name = checked_text(point.scope.name, "MetricPoint.scope.name")
        scope_metrics.scope.version = checked_text(point.scope.version, "MetricPoint.scope.version")
        fill_attributes(
            scope_metrics.scope.attributes, point.scope.attributes, "MetricPoint.scope.attributes"
        )
        scope_metrics.schema_url = checked_text(
            point.scope.schema_url, "MetricPoint.scope.schema_url"
        )
    metric = scope_metrics.metrics.add()
    metric.name = checked_text(point.metric, "MetricPoint.metric")
    if not metric.name:
        raise ConfigError("MetricPoint.metric is empty; give the metric a name.")
    metric.unit = checked_text(point.unit, "MetricPoint.unit")
    metric.description = checked_text(point.description, "MetricPoint.description")
    _fill_data(metric, point)
    return request.SerializeToString()


def _resource_attributes(point: MetricPoint) -> Mapping[str, AttributeValue]:
    """`point.resource` with the attributes that `point.service` stands for."""
    service = checked_text(point.service, "MetricPoint.service")
    if not service:
        raise ConfigError("MetricPoint.service is empty; give the service's name.")
    resource = point.resource
    named: dict[str, AttributeValue]
    if "service.name" in resource:
        named = {}  # a resource read back from the store names the service itself
    elif "service.namespace" in resource:
        named = {"service.name": service.removeprefix(f"{resource['service.namespace']!s}/")}
    else:
        namespace, slash, name = service.partition("/")
        if namespace and slash and name:
            named = {"service.namespace": namespace, "service.name": name}
        else:
            named = {"service.name": service}
    attributes = {**resource, **named}
    parts = (attributes.get("service.namespace"), attributes["service.name"])
    if "/".join(str(part) for part in parts if part) != service:
        raise ConfigError(
            f"MetricPoint.service is {service!r}, but MetricPoint.resource says otherwise "
            f"({parts!r}); leave service.name and service.namespace out of the resource."
        )
    return attributes


def _fill_data(metric: pb.Metric, point: MetricPoint) -> None:
    value = point.value
    place = f"MetricPoint.value ({type(value).__name__})"
    target: (
        pb.NumberDataPoint
        | pb.HistogramDataPoint
        | pb.ExponentialHistogramDataPoint
        | pb.SummaryDataPoint
    )
    if isinstance(value, Gauge):
        target = metric.gauge.data_points.add()
        _set_number(target, value.value, f"{place}.value")
    elif isinstance(value, Counter | UpDownCounter):
        metric.sum.is_monotonic = isinstance(value, Counter)
        metric.sum.aggregation_temporality = _temporality(point)  # type: ignore[assignment]
        target = metric.sum.data_points.add()
        _set_number(target, value.value, f"{place}.value")
    elif isinstance(value, Histogram):
        metric.histogram.aggregation_temporality = _temporality(point)  # type: ignore[assignment]
        target = metric.histogram.data_points.add()
        target.count = _integer(value.count, *_UINT64, f"{place}.count")
        target.bucket_counts.extend(_counts(value.bucket_counts, f"{place}.bucket_counts"))
        target.explicit_bounds.extend(
            _double(bound, f"{place}.bounds[{index}]") for index, bound in enumerate(value.bounds)
        )
        _set_extremes(target, value, place)
    elif isinstance(value, ExponentialHistogram):
        exponential = metric.exponential_histogram
        exponential.aggregation_temporality = _temporality(point)  # type: ignore[assignment]
        target = exponential.data_points.add()
        target.count = _integer(value.count, *_UINT64, f"{place}.count")
        target.scale = _integer(value.scale, *_INT32, f"{place}.scale")
        target.zero_count = _integer(value.zero_count, *_UINT64, f"{place}.zero_count")
        target.zero_threshold = _double(value.zero_threshold, f"{place}.zero_threshold")
        for side in ("positive", "negative"):
            buckets = getattr(target, side)
            offset = getattr(value, f"{side}_offset")
            buckets.offset = _integer(offset, *_INT32, f"{place}.{side}_offset")
            counts = getattr(value, f"{side}_counts")
            buckets.bucket_counts.extend(_counts(counts, f"{place}.{side}_counts"))
        _set_extremes(target, value, place)
    elif isinstance(value, Summary):
        target = metric.summary.data_points.add()
        target.count = _integer(value.count, *_UINT64, f"{place}.count")
        target.sum = _double(value.sum, f"{place}.sum")
        for quantile, at in value.quantiles:
            entry = target.quantile_values.add()
            entry.quantile = _double(quantile, f"{place}.quantiles")
            entry.value = _double(at, f"{place}.quantiles")
    else:
        raise ConfigError(
            f"MetricPoint.value is {value!r}; give a Counter, UpDownCounter, Gauge, Histogram, "
            "ExponentialHistogram or Summary."
        )
    now = time.time_ns() if point.timestamp is None else point.timestamp
    target.time_unix_nano = _integer(now, *_UINT64, "MetricPoint.timestamp")
    start = 0 if point.start_timestamp is None else point.start_timestamp
    target.start_time_unix_nano = _integer(start, *_UINT64, "MetricPoint.start_timestamp")
    fill_attributes(target.attributes, point.attributes, "MetricPoint.attributes")
    if isinstance(value, Summary):
        if point.exemplars:
            raise ConfigError("MetricPoint.exemplars is set, but a Summary carries no exemplars.")
    else:
        _fill_exemplars(target.exemplars, point.exemplars)  # type: ignore[union-attr]


def _temporality(point: MetricPoint) -> int:
    if point.temporality not in _TEMPORALITIES:
        raise ConfigError(
            f'MetricPoint.temporality is {point.temporality!r}; give "cumulative" or "delta".'
        )
    return _TEMPORALITIES[point.temporality]


def _fill_exemplars(target: Iterable[pb.Exemplar], exemplars: Sequence[Exemplar]) -> None:
    for index, exemplar in enumerate(exemplars):
        place = f"MetricPoint.exemplars[{index}]"
        entry = target.add()  # type: ignore[attr-defined]
        _set_number(entry, exemplar.value, f"{place}.value")
        entry.time_unix_nano = _integer(exemplar.timestamp, *_UINT64, f"{place}.timestamp")
        for name, length in (("trace_id", 16), ("span_id", 8)):
            identifier = getattr(exemplar, name)
            if not isinstance(identifier, bytes) or len(identifier) not in (0, length):
                raise ConfigError(f"{place}.{name} is {identifier!r}; give {length} bytes, or b''.")
            setattr(entry, name, identifier)
        fill_attributes(entry.filtered_attributes, exemplar.attributes, f"{place}.attributes")


def _set_number(target: pb.NumberDataPoint | pb.Exemplar, value: object, place: str) -> None:
    """An int stays an exact int64; everything else is a double."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        target.as_int = _integer(value, -(2**63), 2**63 - 1, place)
    else:
        target.as_double = _double(value, place)


def _set_extremes(
    target: pb.HistogramDataPoint | pb.ExponentialHistogramDataPoint,
    value: Histogram | ExponentialHistogram,
    place: str,
) -> None:
    for name in ("sum", "min", "max"):
        number = getattr(value, name)
        if number is not None:
            setattr(target, name, _double(number, f"{place}.{name}"))


def _counts(values: Sequence[int], place: str) -> list[int]:
    return [_integer(value, *_UINT64, f"{place}[{index}]") for index, value in enumerate(values)]


def _integer(value: object, low: int, high: int, place: str) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ConfigError(f"{place} is {value!r}, a {type(value).__qualname__}; give an int.")
    number = int(value)
    if not low <= number <= high:
        raise ConfigError(f"{place} is {number}; it must lie within {low} and {high}.")
    return number


def _double(value: object, place: str) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ConfigError(f"{place} is {value!r}, a {type(value).__qualname__}; give a number.")
    try:
        return float(value)
    except OverflowError:
        raise ConfigError(f"{place} is {value!r}, which does not fit a double.") from None
