"""OTLP/JSON: what is read, what is refused, and where an error says it is."""

import json
import math

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2

from urpo_store import errors
from urpo_store.otlp import request_from_json

TIME = "1700000000000000000"


def parse(tree: object) -> ExportMetricsServiceRequest:
    text = tree if isinstance(tree, str | bytes) else json.dumps(tree)
    return ExportMetricsServiceRequest.FromString(request_from_json(text))


def metric_of(metric: object) -> object:
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}


def gauge(point: dict[str, object]) -> object:
    return metric_of({"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": TIME, **point}]}})


def parse_point(point: dict[str, object]) -> metrics_pb2.NumberDataPoint:
    request = parse(gauge(point))
    return request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]


def refusal(tree: object) -> str:
    with pytest.raises(errors.DecodeError) as caught:
        parse(tree)
    return str(caught.value)


# A body as the JavaScript SDK 0.2xx writes it: counts as numbers, times as strings.
JAVASCRIPT = {
    "resourceMetrics": [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}],
                "droppedAttributesCount": 0,
            },
            "scopeMetrics": [
                {
                    "scope": {"name": "web", "version": ""},
                    "metrics": [
                        {
                            "name": "latency",
                            "description": "",
                            "unit": "s",
                            "histogram": {
                                "aggregationTemporality": 2,
                                "dataPoints": [
                                    {
                                        "attributes": [{"key": "code", "value": {"intValue": 1}}],
                                        "startTimeUnixNano": TIME,
                                        "timeUnixNano": TIME,
                                        "count": 4,
                                        "sum": 1.5,
                                        "bucketCounts": [0, 1, 3],
                                        "explicitBounds": [0.5, 1],
                                        "min": 0.1,
                                        "max": 2,
                                    }
                                ],
                            },
                        },
                        {
                            "name": "broken",
                            "gauge": {
                                "dataPoints": [
                                    {"attributes": [], "timeUnixNano": TIME, "asDouble": None},
                                    {"attributes": [], "timeUnixNano": TIME, "asDouble": 2},
                                ]
                            },
                        },
                    ],
                }
            ],
        }
    ]
}


def test_the_javascript_sdk_as_it_writes() -> None:
    latency, broken = parse(JAVASCRIPT).resource_metrics[0].scope_metrics[0].metrics
    (point,) = latency.histogram.data_points
    assert list(point.bucket_counts) == [0, 1, 3] and point.count == 4 and point.max == 2.0
    assert point.attributes[0].value.int_value == 1
    empty, whole = broken.gauge.data_points
    assert empty.WhichOneof("value") is None, "null is unset: the store rejects this point alone"
    assert whole.as_double == 2.0


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (1, 1),
        ("1", 1),
        (1.0, 1),
        ("1.0", 1),
        ("-1e3", -1000),
        (str(2**63 - 1), 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**53 + 1, 2**53 + 1),
    ],
)
def test_int64_as_number_or_string(written: object, number: int) -> None:
    assert parse_point({"asInt": written}).as_int == number


def test_numbers_are_read_as_written_not_through_a_double() -> None:
    text = json.dumps(gauge({"asInt": 1})).replace('"asInt": 1', '"asInt": 9007199254740993.0')
    request = parse(text)
    point = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]
    assert point.as_int == 2**53 + 1
    text = text.replace("9007199254740993.0", "1e3")
    request = parse(text)
    point = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]
    assert point.as_int == 1000


@pytest.mark.parametrize(
    "written",
    [1.5, "1.5", 2**63, str(2**63), "", " 1", "0x1", "1_0", "1e999999999", "1e9999999999999999999",
     "1e-999999999", True, [], {}, "٣"],
)  # fmt: skip
def test_what_is_no_int64(written: object) -> None:
    assert "dataPoints[0].asInt" in refusal(gauge({"asInt": written}))


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        (1, 1.0),
        ("1.5", 1.5),
        (5e-324, 5e-324),
        (0.1, 0.1),
        (10**25, 1e25),
        (10**40, 1e40),
    ],
)
def test_doubles(written: object, number: float) -> None:
    assert parse_point({"asDouble": written}).as_double == number


def test_nan_is_a_string() -> None:
    assert math.isnan(parse_point({"asDouble": "NaN"}).as_double)
    assert "is not JSON" in refusal(json.dumps(gauge({"asDouble": math.nan})))


@pytest.mark.parametrize("written", ["nan", "inf", "1e400", "1_0", "", True, [1], "0x1p3"])
def test_what_is_no_double(written: object) -> None:
    assert "dataPoints[0].asDouble" in refusal(gauge({"asDouble": written}))


def test_a_negative_zero_stays_one() -> None:
    assert math.copysign(1, parse_point({"asDouble": -0.0}).as_double) == -1


def test_unsigned_fields_have_their_range() -> None:
    assert parse_point({"asInt": 1, "flags": 2**32 - 1}).flags == 2**32 - 1
    assert "4294967296" in refusal(gauge({"asInt": 1, "flags": 2**32}))
    assert "-1" in refusal(gauge({"asInt": 1, "timeUnixNano": "-1"}))
    assert parse_point({"asInt": 1, "timeUnixNano": str(2**64 - 1)}).time_unix_nano == 2**64 - 1


@pytest.mark.parametrize("written", [1, "1", "AGGREGATION_TEMPORALITY_DELTA"])
def test_enums_as_number_or_name(written: object) -> None:
    tree = metric_of({"name": "m", "sum": {"aggregationTemporality": written}})
    assert (
        parse(tree).resource_metrics[0].scope_metrics[0].metrics[0].sum.aggregation_temporality == 1
    )


def test_enum_numbers_that_otlp_does_not_know_are_left_to_the_store() -> None:
    tree = metric_of({"name": "m", "sum": {"aggregationTemporality": 99}})
    metric = parse(tree).resource_metrics[0].scope_metrics[0].metrics[0]
    assert metric.sum.aggregation_temporality == 99
    assert "DELTA" in refusal(metric_of({"name": "m", "sum": {"aggregationTemporality": "DELTA"}}))


def test_original_field_names_and_unknown_fields() -> None:
    tree = {
        "resource_metrics": [{"scope_metrics": [{"metrics": [{"name": "m", "news": [{}]}]}]}],
        "somethingNew": {"a": [1, None]},
    }
    assert parse(tree).resource_metrics[0].scope_metrics[0].metrics[0].name == "m"


def exemplar(**fields: object) -> metrics_pb2.Exemplar:
    return parse_point({"asInt": 1, "exemplars": [{"asDouble": 1, **fields}]}).exemplars[0]


def test_ids_are_hex_in_any_case() -> None:
    found = exemplar(traceId="0123456789ABCDEF0123456789abcdef", spanId="00F067AA0ba902b7")
    assert found.trace_id == bytes.fromhex("0123456789abcdef0123456789abcdef")
    assert found.span_id == bytes.fromhex("00f067aa0ba902b7")
    assert exemplar(traceId="").trace_id == b""


@pytest.mark.parametrize("identifier", ["xyz", "ASNFZ4mrze8BI0VniavN7w==", "0"])
def test_an_unreadable_id_costs_the_exemplar_not_the_request(identifier: str) -> None:
    """SEMANTICS, identity: "A wrong exemplar drops the exemplar"; its length is what is wrong."""
    assert len(exemplar(traceId=identifier).trace_id) not in (0, 16)


@pytest.mark.parametrize("text", ["-_8=", "-_8", "+/8=", "+/8"])
def test_bytes_values_standard_url_safe_and_unpadded(text: str) -> None:
    point = parse_point({"asInt": 1, "attributes": [{"key": "k", "value": {"bytesValue": text}}]})
    assert point.attributes[0].value.bytes_value == b"\xfb\xff"


@pytest.mark.parametrize("text", ["a", "a b=", "ä", 1])
def test_what_is_no_base64(text: object) -> None:
    tree = gauge({"asInt": 1, "attributes": [{"key": "k", "value": {"bytesValue": text}}]})
    assert "attributes[0].value.bytesValue" in refusal(tree)


def test_every_attribute_type() -> None:
    values = [
        {"stringValue": "x"},
        {"boolValue": True},
        {"intValue": "7"},
        {"doubleValue": 7},
        {"arrayValue": {"values": [{"intValue": 1}, {}]}},
        {"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": ""}}]}},
        {"bytesValue": "AQ=="},
        {},
    ]
    attributes = [{"key": str(index), "value": value} for index, value in enumerate(values)]
    point = parse_point({"asInt": 1, "attributes": attributes})
    kinds = [entry.value.WhichOneof("value") for entry in point.attributes]
    assert kinds == ["string_value", "bool_value", "int_value", "double_value", "array_value",
                     "kvlist_value", "bytes_value", None]  # fmt: skip
    assert len(point.attributes[4].value.array_value.values) == 2


def test_null_is_unset_and_in_a_list_an_error() -> None:
    assert parse({"resourceMetrics": None}) == ExportMetricsServiceRequest()
    assert refusal({"resourceMetrics": [None]}).startswith("resourceMetrics[0]: null")


def test_both_members_of_a_oneof_are_an_error() -> None:
    assert "only one" in refusal(gauge({"asInt": 1, "asDouble": 1}))
    assert parse_point({"asInt": 1, "asDouble": None}).as_int == 1
    assert "only one" in refusal(metric_of({"name": "m", "gauge": {}, "sum": {}}))


def test_presence_of_optional_fields() -> None:
    tree = metric_of({"name": "m", "histogram": {"dataPoints": [{"sum": 0, "min": None}]}})
    point = parse(tree).resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0]
    assert point.HasField("sum") and not point.HasField("min")


def test_of_duplicate_keys_the_last_counts() -> None:
    text = json.dumps(gauge({"asInt": 1})).replace('"asInt": 1', '"asInt": 1, "asInt": 2')
    point = parse(text).resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]
    assert point.as_int == 2
    both = parse_point({"asInt": 1, "attributes": [{"key": "a"}], "as_int": 3})
    assert both.as_int == 3
    request = parse({"resourceMetrics": [{}, {}], "resource_metrics": [{}]})
    assert len(request.resource_metrics) == 1
    tree = {"name": "m", "exponentialHistogram": {"aggregationTemporality": 1}}
    request = parse(metric_of({**tree, "exponential_histogram": {}}))
    metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
    assert metric.exponential_histogram.aggregation_temporality == 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("{} x", "not JSON"),
        ("{}{}", "not JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("1.5", "not a JSON object"),
        ('{"resourceMetrics": {}}', "not a list"),
        ('{"resourceMetrics": [[]]}', "not an object"),
        ('{"resourceMetrics": [{"resource": []}]}', "not an object"),
        ('{"resourceMetrics": NaN}', "NaN"),
        ("{'a': 1}", "not JSON"),
        (b"\xff{}", "UTF-8"),
        ('{"resourceMetrics": [{"schemaUrl": "\\ud800"}]}', "surrogate"),
        ('{"resourceMetrics": [{"schemaUrl": 1.5}]}', "not a string"),
    ],
)
def test_structure_is_strict(text: str | bytes, word: str) -> None:
    assert word in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000,
        '{"unknown":' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
)
def test_deep_nesting_is_a_decode_error(text: str) -> None:
    refusal(text)


def nested(lists: int, maps: int) -> object:
    """An attribute value inside so many lists (2 messages each) and maps (3 messages each)."""
    value: object = {"intValue": 1}
    for _ in range(lists):
        value = {"arrayValue": {"values": [value]}}
    for _ in range(maps):
        value = {"kvlistValue": {"values": [{"key": "", "value": value}]}}
    return gauge({"asInt": 1, "attributes": [{"key": "k", "value": value}]})


@pytest.mark.parametrize("maps", [0, 1])
def test_the_depth_limit_is_protobufs(maps: int) -> None:
    """What is converted can be decoded again, and nothing that could be is refused."""
    outcomes = set()
    for lists in range(40, 50):
        tree = nested(lists, maps)
        request = json_format.ParseDict(
            tree, ExportMetricsServiceRequest(), max_recursion_depth=1000
        )
        try:
            expected = ExportMetricsServiceRequest.FromString(request.SerializeToString())
        except DecodeError:
            assert "deeper" in refusal(tree)
            outcomes.add("refused")
        else:
            assert parse(tree) == expected
            outcomes.add("decoded")
    assert outcomes == {"refused", "decoded"}


def test_errors_name_the_path_and_cut_long_values() -> None:
    message = refusal(
        {"resourceMetrics": [{}, {"scopeMetrics": [{"metrics": [{}, {"name": ["x" * 500]}]}]}]}
    )
    assert message.startswith("resourceMetrics[1].scopeMetrics[0].metrics[1].name: ")
    assert len(message) < 200


def test_an_empty_request_is_no_bytes() -> None:
    assert request_from_json(b"{}") == b""
    assert request_from_json(memoryview(b" {} ")) == b""


texts = st.text(max_size=5)
any_values = st.recursive(
    st.one_of(
        st.builds(lambda v: {"stringValue": v}, texts),
        st.builds(lambda v: {"boolValue": v}, st.booleans()),
        st.builds(lambda v: {"intValue": str(v)}, st.integers(-(2**63), 2**63 - 1)),
        st.builds(lambda v: {"doubleValue": v}, st.floats(allow_nan=False, allow_infinity=False)),
        st.just({}),
    ),
    lambda inner: st.builds(
        lambda values: {"arrayValue": {"values": values}}, st.lists(inner, max_size=3)
    ),
    max_leaves=4,
)
attributes = st.lists(st.fixed_dictionaries({"key": texts, "value": any_values}), max_size=3)
times = st.integers(0, 2**64 - 1).map(str)
number_points = st.fixed_dictionaries(
    {"timeUnixNano": times, "attributes": attributes},
    optional={"asInt": st.integers(-(2**63), 2**63 - 1), "flags": st.integers(0, 2**32 - 1)},
)
exponential_points = st.fixed_dictionaries(
    {"timeUnixNano": times, "scale": st.integers(-(2**31), 2**31 - 1)},
    optional={
        "sum": st.floats(),
        "positive": st.fixed_dictionaries(
            {"bucketCounts": st.lists(st.integers(0, 2**64 - 1).map(str), max_size=4)},
            optional={"offset": st.integers(-(2**31), 2**31 - 1)},
        ),
    },
).map(lambda p: {k: (json_special(v) if k == "sum" else v) for k, v in p.items()})
metrics = st.one_of(
    st.builds(lambda n, p: {"name": n, "gauge": {"dataPoints": p}}, texts, st.lists(number_points)),
    st.builds(
        lambda n, p: {"name": n, "sum": {"dataPoints": p, "isMonotonic": True}},
        texts,
        st.lists(number_points),
    ),
    st.builds(
        lambda n, p: {"name": n, "exponentialHistogram": {"dataPoints": p}},
        texts,
        st.lists(exponential_points),
    ),
)


def json_special(value: float) -> object:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


@settings(max_examples=150, deadline=None)
@given(st.lists(metrics, max_size=3))
def test_agrees_with_protobufs_own_reader(found: list[object]) -> None:
    tree = {"resourceMetrics": [{"scopeMetrics": [{"metrics": found}]}]}
    expected = json_format.ParseDict(tree, ExportMetricsServiceRequest())
    assert parse(tree).SerializeToString(deterministic=True) == expected.SerializeToString(
        deterministic=True
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["values", "key", "value", "intValue"]), inner)
    ),
    max_leaves=6,
)


def replace_somewhere(tree: object, path: list[int], value: object) -> object:
    """`tree` with one of its parts, which `path` leads to, replaced."""
    if not path or not isinstance(tree, dict | list) or not tree:
        return value
    if isinstance(tree, dict):
        key = list(tree)[path[0] % len(tree)]
        return {**tree, key: replace_somewhere(tree[key], path[1:], value)}
    at = path[0] % len(tree)
    return [*tree[:at], replace_somewhere(tree[at], path[1:], value), *tree[at + 1 :]]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 10), max_size=14), json_values)
def test_any_json_is_a_request_or_a_decode_error(path: list[int], value: object) -> None:
    try:
        request_from_json(json.dumps(replace_somewhere(JAVASCRIPT, path, value)))
    except errors.DecodeError as error:
        assert str(error).strip() and len(str(error)) < 600
