"""Message objects become the bytes of one request."""

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2

from urpo_store.otlp import request_from_message


def resource_metrics(size: int = 1) -> metrics_pb2.ResourceMetrics:
    message = metrics_pb2.ResourceMetrics(schema_url="u" * size)
    message.scope_metrics.add().metrics.add(name="m").gauge.data_points.add(as_int=1)
    return message


@pytest.mark.parametrize("size", [1, 127, 128, 20_000])
def test_the_three_messages_give_the_same_request(size: int) -> None:
    one = resource_metrics(size)
    request = ExportMetricsServiceRequest(resource_metrics=[one])
    data = metrics_pb2.MetricsData(resource_metrics=[one])
    expected = request.SerializeToString()
    assert request_from_message(request) == expected
    assert request_from_message(data) == expected
    assert request_from_message(one) == expected


@pytest.mark.parametrize("wrong", [metrics_pb2.Metric(), b"bytes", None])
def test_other_things_are_a_type_error_that_names_them(wrong: object) -> None:
    with pytest.raises(TypeError, match="not a metrics message"):
        request_from_message(wrong)
