"""Which metric means what: the table of request metrics, a row at a time."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.health import (
    B1,
    KIND_EXPONENTIAL,
    KIND_GAUGE,
    KIND_HISTOGRAM,
    KIND_SUM,
    KIND_SUMMARY,
    Health,
    in_bucket,
)

SERVER = {"span.kind": "SPAN_KIND_SERVER", "span.name": "GET /"}


def fed(metric: str, unit: str, kind: int = KIND_HISTOGRAM, **attributes: Any) -> Any:
    """The report of a service with one series of this kind that counted 4."""
    names = {key.replace("__", "."): value for key, value in attributes.items()}
    return fed_with(metric, unit, names, kind)


def fed_with(metric: str, unit: str, attributes: dict[str, Any], kind: int = KIND_HISTOGRAM) -> Any:
    health = Health()
    series = health.series(metric, unit, kind, "delta", attributes)
    if kind == KIND_HISTOGRAM:
        series.histogram(-1, [0, 4, 0], [1.0, 3.0], start=-11)
    elif kind == KIND_EXPONENTIAL:
        series.exponential(-1, 0, 1, [4], start=-11)
    else:
        series.number(-1, 4, start=-11)
    return health.report("1m")


INBOUND = [
    ("http.server.request.duration", "s"),
    ("http.server.duration", "ms"),
    ("rpc.server.call.duration", "s"),
    ("rpc.server.duration", "ms"),
    ("messaging.process.duration", "s"),
    ("faas.invoke_duration", "s"),
    ("gen_ai.server.request.duration", "s"),
    ("mcp.server.operation.duration", "s"),
    ("flower.task.runtime.seconds", "seconds"),
]


@pytest.mark.parametrize(("metric", "unit"), INBOUND)
@pytest.mark.parametrize("kind", [KIND_HISTOGRAM, KIND_EXPONENTIAL])
def test_every_inbound_metric_counts_and_times(metric: str, unit: str, kind: int) -> None:
    got = fed(metric, unit, kind)
    assert (got.request_count, got.source) == (4, metric)
    seconds = 0.001 if unit == "ms" else 1.0
    # (1, 3]: linear to 2; (2, 4]: geometric to 2 * sqrt(2).
    assert got.p50_latency == pytest.approx((2 if kind == KIND_HISTOGRAM else 2 * 2**0.5) * seconds)


@pytest.mark.parametrize(
    "metric",
    [
        "http.client.request.duration",
        "http.client.duration",
        "db.client.operation.duration",
        "rpc.client.call.duration",
        "messaging.client.operation.duration",
        "gen_ai.client.operation.duration",
        "http.server.request.body.size",
        "http.server.active_requests",
        "my.own.duration",
    ],
)
def test_outbound_and_other_metrics_do_not_count(metric: str) -> None:
    got = fed(metric, "s")
    assert got.request_count is None and got.source is None
    assert got.last_seen is not None


@pytest.mark.parametrize("kind", [KIND_GAUGE, KIND_SUM, KIND_SUMMARY])
def test_a_duration_that_is_no_histogram_does_not_count(kind: int) -> None:
    assert fed("http.server.request.duration", "s", kind).request_count is None


PROMETHEUS = [
    ("http_server_request_duration_seconds", "", 1.0),
    ("http_server_request_duration_seconds", "s", 1.0),
    ("http_server_duration_milliseconds", "", 0.001),
    ("rpc_server_duration_milliseconds", "ms", 0.001),
    ("flower_task_runtime_seconds", "", 1.0),
]


@pytest.mark.parametrize(("metric", "unit", "seconds"), PROMETHEUS)
def test_prometheus_spelling_is_the_same_metric(metric: str, unit: str, seconds: float) -> None:
    got = fed(metric, unit)
    assert got.request_count == 4
    assert got.p50_latency == pytest.approx(2 * seconds)


def test_prometheus_labels_are_the_same_attributes() -> None:
    name = "http_server_request_duration_seconds"
    assert fed(name, "", http_response_status_code="503").error_count == 4
    assert fed(name, "", http_response_status_code="404").error_count == 0
    # An empty label is an absent one.
    assert fed(name, "", error_type="").error_count == 0
    assert fed(name, "", error_type="timeout").error_count == 4


UNITS = [
    ("s", 1.0),
    ("seconds", 1.0),
    ("ms", 1e-3),
    ("milliseconds", 1e-3),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("\u03bcs", 1e-6),  # the Greek letter, not the micro sign
    ("microseconds", 1e-6),
    ("ns", 1e-9),
    ("min", 60.0),
]


@pytest.mark.parametrize(("unit", "seconds"), UNITS)
@pytest.mark.parametrize("metric", ["http.server.request.duration", "http.server.duration"])
def test_units_are_normalised_to_seconds(metric: str, unit: str, seconds: float) -> None:
    assert fed(metric, unit).p50_latency == pytest.approx(2 * seconds)
    assert fed(metric, unit, KIND_EXPONENTIAL).p50_latency == pytest.approx(2 * 2**0.5 * seconds)


def test_a_unit_is_never_inferred_from_the_size_of_values() -> None:
    # The span connector's unit is an option: without one there is a rate, but no latency.
    got = fed_with("traces.span.metrics.duration", "", SERVER)
    assert got.request_count == 4 and got.p50_latency is None
    got = fed_with("http.server.request.duration", "parsec", {})
    assert got.request_count == 4 and got.p50_latency is None


def test_a_metric_without_unit_has_the_one_its_convention_fixes() -> None:
    assert fed("http.server.duration", "").p50_latency == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("attributes", "errors"),
    [
        ({}, 0),
        ({"http.response.status_code": 200}, 0),
        ({"http.response.status_code": 404}, 0),
        ({"http.response.status_code": 499}, 0),
        ({"http.response.status_code": 500}, 4),
        ({"http.response.status_code": 599}, 4),
        ({"error.type": "ValueError"}, 4),
        ({"error.type": "", "http.response.status_code": 200}, 4),
        ({"http.status_code": 500}, 0),
    ],
)
def test_http_error_is_error_type_or_status_from_500(
    attributes: dict[str, Any], errors: int
) -> None:
    assert fed_with("http.server.request.duration", "s", attributes).error_count == errors


@pytest.mark.parametrize(
    ("attributes", "errors"),
    [
        ({"http.status_code": 404}, 0),
        ({"http.status_code": 500}, 4),
        ({"http.status_code": "502"}, 4),
        ({"http.status_code": True}, 0),
        ({"error.type": "ValueError"}, 0),
    ],
)
def test_old_http_error_is_status_from_500(attributes: dict[str, Any], errors: int) -> None:
    assert fed_with("http.server.duration", "ms", attributes).error_count == errors


FAULTS = ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]


@pytest.mark.parametrize("key", ["rpc.status_code", "rpc.response.status_code"])
def test_rpc_error_is_error_type_or_a_server_fault(key: str) -> None:
    def errors(attributes: dict[str, Any]) -> int:
        return int(fed_with("rpc.server.call.duration", "s", attributes).error_count)

    assert all(errors({key: fault}) == 4 for fault in FAULTS)
    assert not any(errors({key: status}) for status in ["OK", "NOT_FOUND", "CANCELLED"])
    assert errors({"error.type": "INTERNAL"}) == 4


def test_old_rpc_error_is_a_server_fault_by_number() -> None:
    faults = [
        code
        for code in range(17)
        if fed_with("rpc.server.duration", "ms", {"rpc.grpc.status_code": code}).error_count
    ]
    assert faults == [2, 4, 12, 13, 14, 15]


@pytest.mark.parametrize(
    "metric",
    [
        "messaging.process.duration",
        "gen_ai.server.request.duration",
        "mcp.server.operation.duration",
    ],
)
def test_messaging_and_ai_errors_are_error_type(metric: str) -> None:
    assert fed(metric, "s", error__type="timeout").error_count == 4
    assert fed(metric, "s").error_count == 0


def test_faas_errors_come_from_their_own_counter() -> None:
    health = Health()
    calls = health.series("faas.invoke_duration", "s", temporality="delta")
    failures = health.series("faas.errors", "{error}", KIND_SUM, "delta")
    calls.histogram(-1, in_bucket(8, 3), B1, start=-11)
    assert health.report("1m").error_count == 0
    failures.number(-1, 2, start=-11)
    got = health.report("1m")
    assert (got.request_count, got.error_count, got.error_rate) == (8, 2, 0.25)
    assert got.source == "faas.invoke_duration"


def test_errors_alone_are_no_requests() -> None:
    health = Health()
    health.series("faas.errors", "1", KIND_SUM, "delta").number(-1, 2, start=-11)
    assert health.report("1m").request_count is None


def test_a_source_that_can_never_carry_an_error_has_no_error_rate() -> None:
    got = fed("flower.task.runtime.seconds", "seconds")
    assert got.request_count == 4
    assert got.error_count is None and got.error_rate is None


@pytest.mark.parametrize(
    ("metric", "unit", "kind"),
    [
        ("traces.span.metrics.duration", "ms", KIND_HISTOGRAM),
        ("traces.span.metrics.duration", "ms", KIND_EXPONENTIAL),
        ("traces.span.metrics.calls", "", KIND_SUM),
        ("span.metrics.duration", "ms", KIND_HISTOGRAM),
        ("span.metrics.calls", "1", KIND_SUM),
        ("duration", "ms", KIND_HISTOGRAM),
        ("calls", "", KIND_SUM),
        ("latency", "ms", KIND_HISTOGRAM),
        ("acme.duration", "s", KIND_HISTOGRAM),
        ("acme.calls", "", KIND_SUM),
        ("traces_span_metrics_duration_milliseconds", "", KIND_HISTOGRAM),
        ("traces_span_metrics_duration_seconds", "", KIND_HISTOGRAM),
        ("traces_span_metrics_calls_total", "", KIND_SUM),
        ("duration_milliseconds", "", KIND_HISTOGRAM),
        ("calls_total", "", KIND_SUM),
        ("traces_spanmetrics_latency", "", KIND_HISTOGRAM),
        ("traces_spanmetrics_calls_total", "", KIND_SUM),
    ],
)
def test_span_metrics_count_under_all_their_names(metric: str, unit: str, kind: int) -> None:
    got = fed_with(metric, unit, SERVER, kind)
    assert (got.request_count, got.source) == (4, "spans:" + metric)


@pytest.mark.parametrize(
    ("span_kind", "counts"),
    [
        ("SPAN_KIND_SERVER", True),
        ("SPAN_KIND_CONSUMER", True),
        ("server", True),
        ("Consumer", True),
        ("SERVER", True),
        ("SpanKind.SERVER", True),
        (2, True),
        (5, True),
        ("SPAN_KIND_CLIENT", False),
        ("SPAN_KIND_PRODUCER", False),
        ("SPAN_KIND_INTERNAL", False),
        ("internal", False),
        (1, False),
        (True, False),
        ("", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("key", ["span.kind", "span_kind"])
def test_only_server_and_consumer_spans_are_inbound(key: str, span_kind: Any, counts: bool) -> None:
    attributes = {"span.name": "x"} | ({} if span_kind is None else {key: span_kind})
    got = fed_with("traces.span.metrics.duration", "ms", attributes)
    assert (got.request_count == 4) is counts


@pytest.mark.parametrize(
    ("attributes", "errors"),
    [
        ({}, 0),
        ({"status.code": "STATUS_CODE_UNSET"}, 0),
        ({"status.code": "STATUS_CODE_OK"}, 0),
        ({"status.code": "STATUS_CODE_ERROR"}, 4),
        ({"status.code": "Error"}, 4),
        ({"status_code": "STATUS_CODE_ERROR"}, 4),
        ({"otel.status_code": "ERROR"}, 4),
        ({"otel_status_code": "ERROR"}, 4),
        # A client's mistake leaves a server's span unset: the span's status decides, not the code.
        ({"http.response.status_code": 500}, 0),
    ],
)
def test_span_error_is_the_span_status(attributes: dict[str, Any], errors: int) -> None:
    got = fed_with("traces.span.metrics.duration", "ms", SERVER | attributes)
    assert (got.request_count, got.error_count) == (4, errors)


def test_a_metric_in_another_namespace_needs_the_spans_name() -> None:
    assert fed_with("acme.duration", "s", {"span.kind": "server"}).request_count is None


def test_names_beyond_the_table_are_no_trouble() -> None:
    assert fed("x" * 500 + ".duration", "s").request_count is None
    assert fed("", "s").request_count is None
    assert fed("_seconds", "s").request_count is None
    assert fed_with("http.server.request.duration", "s" * 500, {}).p50_latency is None
    assert fed("http.server.request.duration", "s", error__type="x" * 500).error_count == 4
    assert fed_with("calls", "", {"span.kind": "S" * 500}, KIND_SUM).request_count is None
