"""The JSON of the HTTP API: what is written, and what is refused when read."""

import json
import math
import re

import numpy as np
import pytest
from helpers import fake_storage
from hypothesis import given
from hypothesis import strategies as st

from urpo_store import model
from urpo_store.api.json import decode, encode, encode_parts
from urpo_store.api.query import decode_query, encode_time
from urpo_store.api.scalars import JsonError, dumps
from urpo_store.api.values import decode_value, encode_value
from urpo_store.errors import QueryError

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def typed(value: object) -> object:
    """Tells 1, True, 1.0 and -0.0 apart, all the way down."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return type(value), repr(value)


@given(values)
def test_attribute_values_keep_their_types(value: model.AttributeValue) -> None:
    tree = json.loads(dumps(encode_value(value)))
    assert typed(decode_value(tree)) == typed(value)


def test_nan_stays_nan_in_attributes() -> None:
    tree = encode_value(math.nan)
    assert tree == {"doubleValue": "NaN"}
    assert math.isnan(decode_value(tree))


def test_numpy_values_are_attribute_values() -> None:
    assert encode_value(np.int64(1)) == {"intValue": "1"}
    assert encode_value(np.bool_(True)) == {"boolValue": True}
    with pytest.raises(JsonError, match="no attribute value"):
        encode_value(object())


def test_numbers_as_semantics_says() -> None:
    """SEMANTICS, HTTP API: "int64 as strings beyond 2^53, NaN as null"."""
    tree = encode(fake_storage.NUMBERS)
    assert tree["timestamps"] == ["1700000000000000001", "1700000000000000002"]
    assert tree["start_timestamps"] == [0, 0]
    assert tree["values"] == [None, -0.0]
    assert tree["int_values"] == [str(2**63 - 1), str(-(2**63))]
    assert tree["kind"] == "gauge" and tree["scope"]["name"] == "lib"
    assert tree["attributes"]["int"] == {"intValue": "1"}
    assert tree["attributes"]["none"] == {}
    histogram = encode(fake_storage.HISTOGRAM)["histogram"]
    assert histogram["sum"] == ["Infinity"] and histogram["bucket_counts"] == [[1, str(2**63)]]
    limits = model.IngestResult(2**53, 2**53 + 1)
    assert encode(limits) == {
        "accepted": 2**53,
        "rejected": str(2**53 + 1),
        "message": "",
    }


def test_unknown_keys_are_ignored_and_missing_ones_have_their_default() -> None:
    tree = {"accepted": 1, "rejected": 0, "new": [1]}
    assert decode(model.IngestResult, tree) == model.IngestResult(1, 0, "")
    with pytest.raises(JsonError, match="without 'rejected'"):
        decode(model.IngestResult, {"accepted": 1})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timestamps": 5}, "a column is a list"),
        ({"timestamps": ["x"]}, "MetricSeries.timestamps: 'x' is not an integer"),
        ({"timestamps": [[1]]}, "2 dimensions instead of 1"),
        ({"timestamps": [2**63]}, "MetricSeries.timestamps: a column of int64"),
        ({"values": ["1"]}, "'1' is not a number"),
        ({"is_int": [1]}, "1 is not a bool"),
        ({"kind": "gauges"}, "'gauges' is none of counter"),
        ({"scope": []}, "a Scope is an object"),
        ({"attributes": []}, "not an object of attributes"),
        ({"attributes": {"k": 1}}, "no typed value"),
        ({"attributes": {"k": {"intValue": "1", "stringValue": ""}}}, "no typed value"),
        ({"attributes": {"k": {"intValue": str(2**63)}}}, "no int64"),
        ({"attributes": {"k": {"bytesValue": "?"}}}, "not base64"),
        ({"histogram": {"count": []}}, "none of the known ones"),
        ({"histogram": 3}, "not an object"),
        ({"metric": None}, "None is not a str"),
    ],
)
def test_wrong_series(change: dict[str, object], words: str) -> None:
    tree = encode(fake_storage.NUMBERS)
    with pytest.raises(JsonError, match=words):
        decode(model.MetricSeries, {**tree, **change})


def test_queries_written_by_hand() -> None:
    tree = {
        "metric": "m",
        "where": {"text": "x", "flag": True, "int": 1, "double": 1.0, "absent": None},
        "start": "1700000000000000001",
        "end": 1_700_000_000_000_000_002,
        "step": "10s",
        "aggregation": "rate",
        "by": [],
    }
    query = decode_query(tree)
    assert typed(dict(query.where)) == typed(tree["where"])
    assert (query.start, query.end, query.step) == (
        1_700_000_000_000_000_001,
        1_700_000_000_000_000_002,
        "10s",
    )
    assert query.aggregation is model.Aggregation.RATE and query.by == []
    pattern = decode_query({"metric": "m", "where": {"k": {"regex": "5.."}}}).where["k"]
    assert pattern == re.compile("5..")


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ([], "JSON object"),
        ({}, "names a metric"),
        ({"metric": 5}, "metric: 5"),
        ({"metric": "m", "wehre": {}}, "no 'wehre'"),
        ({"metric": "m", "where": []}, "where: "),
        ({"metric": "m", "where": {"k": {"regex": "("}}}, "where: '\\(' is no regular expression"),
        ({"metric": "m", "where": {"k": {"regex": "x" * 2000}}}, "at most 1000"),
        ({"metric": "m", "where": {"k": {"regex": "x", "flags": re.DEBUG}}}, "no flags"),
        ({"metric": "m", "where": {"k": {"regex": "x", "flags": "i"}}}, "no flags"),
        ({"metric": "m", "where": {"k": {"intValue": "x"}}}, "where: 'x'"),
        ({"metric": "m", "where": {"k": {"doubleValue": 10**400}}}, "does not fit a double"),
        ({"metric": "m", "where": {"k": {"bytesValue": "\u00e9"}}}, "is not base64"),
        ({"metric": "m", "where": {"k": {"arrayValue": {"values": 5}}}}, "where: .*values"),
        ({"metric": "m", "where": {"k": {"arrayValue": [1]}}}, "where: .*values"),
        ({"metric": "m", "where": {"k": {"arrayValue": {"values": [5]}}}}, "5 is no typed value"),
        ({"metric": "m", "where": {"k": {"kvlistValue": {"values": [1]}}}}, "1 is not .*key"),
        (
            {"metric": "m", "where": {"k": {"kvlistValue": {"values": [{"key": []}]}}}},
            "is not .*key",
        ),
        ({"metric": "m", "aggregation": "p96"}, "aggregation: 'p96' is none of raw"),
        ({"metric": "m", "by": "route"}, "by: 'route' is not a list"),
        ({"metric": "m", "by": [1]}, "by: "),
        ({"metric": "m", "limit": 1.5}, "limit: 1.5"),
        ({"metric": "m", "start": None}, "start: None"),
        ({"metric": "m", "quantile": "half"}, "quantile: 'half'"),
    ],
)
def test_wrong_queries_name_the_field(tree: object, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        decode_query(tree)


def test_a_naive_datetime_is_refused() -> None:
    from datetime import datetime

    with pytest.raises(QueryError, match="no time zone"):
        encode_time(datetime(2024, 1, 1))


def test_errors_do_not_repeat_what_is_long() -> None:
    with pytest.raises(QueryError) as caught:
        decode_query({"metric": ["x" * 1000] * 1000})
    assert len(str(caught.value)) < 500


def test_an_answer_is_cut_off_before_it_is_built() -> None:
    made = []

    class Lazy(list):
        def __iter__(self):
            for index in range(1000):
                made.append(index)
                yield "x" * 100

    with pytest.raises(QueryError, match="longer than 1000 bytes"):
        b"".join(encode_parts(Lazy(), 1000))
    assert len(made) < 12
