"""Engines with small rings, and requests to fill them."""

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from urpo_store.engine.core import Engine
from urpo_store.engine.session import ReadSession

BASE = 1_700_000_000_000_000_000


def make_engine(**options):
    defaults = {
        "retention": 0,
        "memory_limit": 1 << 30,
        "max_series": 1_000_000,
        "max_attributes": 128,
        "max_string": 16384,
        "ring_slots": 1024,
        "drain_interval": 10**9,
    }
    return Engine(**(defaults | options))


def request_of(points, series=1, starts=1, histogram=False, service="s"):
    """`points` points of each of `series` series, whose start time changes every so often."""
    request = ExportMetricsServiceRequest()
    block = request.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = service
    metric = block.scope_metrics.add().metrics.add(name="m")
    data = metric.histogram if histogram else metric.sum
    data.aggregation_temporality = 2
    for index in range(points):
        for number in range(series):
            point = data.data_points.add(time_unix_nano=BASE + index)
            point.start_time_unix_nano = BASE - 10 + index * starts // points
            point.attributes.add(key="n").value.int_value = number
            if histogram:
                point.explicit_bounds.extend(range(20))
                point.bucket_counts.extend([index] * 21)
                point.count = index * 21
            else:
                point.as_int = index * series + number
    return request


def read(engine, metric="m"):
    """(ids, columns) of all points of the one stream of a metric."""
    reader = ReadSession(engine)
    try:
        (stream,) = reader.read_streams(metric)
        return stream[-1], reader.read_points(stream[-1], 0, 2**62, False)
    finally:
        reader.close()
