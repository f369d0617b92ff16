"""Responses written by hand agree with protobuf's own classes."""

import json

import pytest
from google.rpc import error_details_pb2, status_pb2  # of the exporters' dependencies: test only
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from urpo_store.otlp.responses import Code, ExportResponse, Status, trim


def test_full_success_is_the_empty_message() -> None:
    assert ExportResponse().to_bytes() == b""
    assert json.loads(ExportResponse().to_json()) == {}


@pytest.mark.parametrize("rejected", [0, 1, 127, 128, 300, 2**63 - 1])
def test_partial_success(rejected: int) -> None:
    response = ExportResponse(rejected, "wörds")
    parsed = ExportMetricsServiceResponse.FromString(response.to_bytes())
    assert parsed.partial_success.rejected_data_points == rejected
    assert parsed.partial_success.error_message == "wörds"
    tree = json.loads(response.to_json())["partialSuccess"]
    assert int(tree.get("rejectedDataPoints", 0)) == rejected and tree["errorMessage"] == "wörds"


def test_the_other_signals_have_the_same_shape() -> None:
    traces = ExportResponse(3, "no", "traces")
    parsed = ExportTraceServiceResponse.FromString(traces.to_bytes())
    assert parsed.partial_success.rejected_spans == 3
    assert "rejectedSpans" in json.loads(traces.to_json())["partialSuccess"]
    logs = ExportResponse(4, "no", "logs")
    parsed_logs = ExportLogsServiceResponse.FromString(logs.to_bytes())
    assert parsed_logs.partial_success.rejected_log_records == 4
    assert "rejectedLogRecords" in json.loads(logs.to_json())["partialSuccess"]


def test_long_messages_are_trimmed_at_a_character() -> None:
    message = "a" + "ü" * 5000
    assert len(trim(message).encode()) <= 1024 and trim(message).endswith("...")
    assert len(ExportResponse(1, message).to_bytes()) < 1100
    assert len(Status(Code.INTERNAL, message).to_bytes()) < 1100
    assert trim("short") == "short"


def test_status() -> None:
    status = Status(Code.INVALID_ARGUMENT, "bad")
    parsed = status_pb2.Status.FromString(status.to_bytes())
    assert (parsed.code, parsed.message, len(parsed.details)) == (3, "bad", 0)
    assert json.loads(status.to_json()) == {"code": 3, "message": "bad"}
    assert status.retry_info() == b""


def test_status_with_retry_info() -> None:
    status = Status(Code.UNAVAILABLE, "later", retry_after=1.2)
    parsed = status_pb2.Status.FromString(status.to_bytes())
    info = error_details_pb2.RetryInfo()
    assert parsed.details[0].Unpack(info) and info.retry_delay.seconds == 2
    assert error_details_pb2.RetryInfo.FromString(status.retry_info()) == info
    assert json.loads(status.to_json())["details"][0]["retryDelay"] == "2s"
