"""Queries in JSON: written by hand, and wrong ones."""

import re

import pytest
from helpers.same import typed

from urpo_store import model
from urpo_store.api.query import decode_query, encode_time
from urpo_store.errors import QueryError


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
