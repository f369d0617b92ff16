"""The query line, and the places of its errors."""

import pytest

from urpo_store import Aggregation, MetricQuery
from urpo_store.query.line import QueryLineError, parse_query_line


def test_what_the_command_takes():
    line = (
        "http.server.request.duration --service checkout --agg p95 --by http.route --by k "
        "--step=10s --start -1h --end -1m --limit 5 --where a=b --where 'code:int=500'"
    )
    assert parse_query_line(line) == MetricQuery(
        "http.server.request.duration",
        "checkout",
        {"a": "b", "code": 500},
        "-1h",
        "-1m",
        "10s",
        Aggregation.P95,
        ("http.route", "k"),
        5,
    )


def test_quotes_hold_blanks():
    assert parse_query_line("m --where 'a=b c'").where == {"a": "b c"}
    assert parse_query_line('m --service "my app"').service == "my app"


def test_none_groups_all_in_one():
    assert parse_query_line("m --by none").by == ()


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("m --agg median", "median", "is none of: raw last sum"),
        ("m --step 10x", "10x", "no length of time"),
        ("m --start yesterday", "yesterday", "no moment"),
        ("m --where a", "a", "is not KEY=VALUE"),
        ("m --where a:int=x", "a:int=x", "'x' is no int"),
        ("m --nope 1", "--nope", "is none of: --service"),
        ("m n", "n", "one metric at a time"),
        ("m --limit many", "many", "is no number"),
        ("m --by", "--by", "needs a value"),
        ('m --where "a=b', '"a=b', "not closed"),
        ("--agg p95", "", "the name of a metric is missing"),
        ("", "", "the name of a metric is missing"),
    ],
)
def test_errors_know_their_place(line, place, words):
    with pytest.raises(QueryLineError, match=words) as wrong:
        parse_query_line(line)
    assert line[wrong.value.begin : wrong.value.end] == place
