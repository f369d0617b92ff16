"""Dataclasses in JSON: what is written, and what is refused when read."""

import pytest
from helpers import fake_storage

from urpo_store import model
from urpo_store.api.json import decode, encode, encode_parts
from urpo_store.api.scalars import JsonError
from urpo_store.errors import QueryError


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
