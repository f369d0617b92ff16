"""Requests of every kind that OTLP has, as hypothesis strategies."""

import math

from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from helpers.wire_oracle import KINDS

uint64 = st.one_of(st.integers(0, 5), st.integers(0, 2**64 - 1))
int64 = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53 + 1, 2**63 - 1, -(2**63)]),
    st.integers(-(2**63), 2**63 - 1),
)
double = st.floats(width=64)
text = st.text(max_size=6)
times = st.one_of(st.integers(1, 2**63 - 1), st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]))


@st.composite
def any_values(draw, depth=3):
    value = ExportMetricsServiceRequest().resource_metrics.add().resource.attributes.add().value
    kind = draw(st.integers(0, 8 if depth else 6))
    match kind:
        case 0:
            pass
        case 1:
            value.string_value = draw(text)
        case 2:
            value.bool_value = draw(st.booleans())
        case 3:
            value.int_value = draw(int64)
        case 4:
            value.double_value = draw(double)
        case 5:
            value.bytes_value = draw(st.binary(max_size=5))
        case 6:
            value.string_value_strindex = draw(st.integers(0, 5))
        case 7:
            value.array_value.SetInParent()
            for item in draw(st.lists(any_values(depth - 1), max_size=3)):
                value.array_value.values.append(item)
        case 8:
            value.kvlist_value.SetInParent()
            for key, item in draw(st.dictionaries(text, any_values(depth - 1), max_size=3)).items():
                value.kvlist_value.values.add(key=key).value.CopyFrom(item)
    return value


def fill_attributes(draw, attributes):
    for key, value in draw(st.dictionaries(text, any_values(), max_size=3)).items():
        attributes.add(key=key).value.CopyFrom(value)


def fill_exemplars(draw, exemplars):
    for _ in range(draw(st.integers(0, 2))):
        exemplar = exemplars.add(time_unix_nano=draw(times))
        if draw(st.booleans()):
            exemplar.as_int = draw(int64)
        elif draw(st.booleans()):
            exemplar.as_double = draw(double)
        exemplar.trace_id = draw(st.sampled_from([b"", b"t" * 16, b"t" * 15]))
        exemplar.span_id = draw(st.sampled_from([b"", b"s" * 8, b"s" * 9]))
        fill_attributes(draw, exemplar.filtered_attributes)


def fill_common(draw, point):
    point.time_unix_nano = draw(times)
    point.start_time_unix_nano = draw(st.one_of(st.just(0), st.just(5), times))
    point.flags = draw(st.sampled_from([0, 0, 0, 1, 2, 2**32 - 1]))
    fill_attributes(draw, point.attributes)


def fill_number(draw, point):
    fill_common(draw, point)
    fill_exemplars(draw, point.exemplars)
    match draw(st.integers(0, 2)):
        case 0:
            point.as_int = draw(int64)
        case 1:
            point.as_double = draw(double)


def fill_histogram(draw, point):
    fill_common(draw, point)
    fill_exemplars(draw, point.exemplars)
    bounds = draw(st.lists(st.floats(allow_nan=False), max_size=4, unique=True))
    point.explicit_bounds.extend(sorted(bounds) if draw(st.integers(0, 4)) else bounds)
    if draw(st.integers(0, 4)) == 0:
        point.explicit_bounds.append(math.nan)
    size = len(point.explicit_bounds) + 1 if draw(st.integers(0, 4)) else draw(st.integers(0, 3))
    point.bucket_counts.extend(draw(st.lists(uint64, min_size=size, max_size=size)))
    point.count = sum(point.bucket_counts) % 2**64 if draw(st.integers(0, 4)) else draw(uint64)
    for name in ("sum", "min", "max"):
        if draw(st.booleans()):
            setattr(point, name, draw(double))


def fill_exponential(draw, point):
    fill_common(draw, point)
    fill_exemplars(draw, point.exemplars)
    point.scale = draw(st.one_of(st.integers(-12, 21), st.sampled_from([2**31 - 1, -(2**31)])))
    for side in (point.positive, point.negative):
        if draw(st.booleans()):
            side.offset = draw(
                st.one_of(st.integers(-50, 50), st.sampled_from([2**31 - 1, -(2**31)]))
            )
            side.bucket_counts.extend(draw(st.lists(st.integers(0, 3), max_size=6)))
    point.zero_count = draw(st.integers(0, 2))
    point.zero_threshold = draw(double)
    total = point.zero_count + sum(point.positive.bucket_counts) + sum(point.negative.bucket_counts)
    point.count = total if draw(st.integers(0, 4)) else draw(uint64)
    for name in ("sum", "min", "max"):
        if draw(st.booleans()):
            setattr(point, name, draw(double))


def fill_summary(draw, point):
    fill_common(draw, point)
    point.count = draw(uint64)
    point.sum = draw(double)
    for _ in range(draw(st.integers(0, 3))):
        point.quantile_values.add(quantile=draw(double), value=draw(double))


FILL = {
    "gauge": fill_number,
    "sum": fill_number,
    "histogram": fill_histogram,
    "exponential_histogram": fill_exponential,
    "summary": fill_summary,
}


@st.composite
def requests(draw):
    request = ExportMetricsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        block = request.resource_metrics.add(schema_url=draw(text))
        fill_attributes(draw, block.resource.attributes)
        block.resource.dropped_attributes_count = draw(st.integers(0, 3))
        if draw(st.booleans()):
            block.resource.entity_refs.add(type="service", id_keys=["service.name"])
        for _ in range(draw(st.integers(0, 2))):
            scope = block.scope_metrics.add(schema_url=draw(text))
            scope.scope.name = draw(text)
            scope.scope.version = draw(text)
            fill_attributes(draw, scope.scope.attributes)
            for _ in range(draw(st.integers(0, 2))):
                metric = scope.metrics.add(name=draw(text), unit=draw(text), description=draw(text))
                fill_attributes(draw, metric.metadata)
                kind = draw(st.sampled_from([*KINDS, None]))
                if kind is None:
                    continue
                data = getattr(metric, kind)
                data.SetInParent()
                if hasattr(data, "aggregation_temporality"):
                    data.aggregation_temporality = draw(st.sampled_from([0, 1, 2, 2]))
                if kind == "sum":
                    data.is_monotonic = draw(st.booleans())
                for _ in range(draw(st.integers(0, 3))):
                    FILL[kind](draw, data.data_points.add())
    return request
