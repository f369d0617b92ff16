"""Answers as the command line prints them, and the flags that ask for them."""

import csv
import json

import pytest

import urpo_store
from urpo_store import Gauge, MetricPoint, MetricQuery, QueryError
from urpo_store.query.flags import parse_where
from urpo_store.render.answers import render_answer
from urpo_store.render.labels import label

BASE = 1_700_000_000_000_000_000

#: Flag, value, and how the value is shown.
NINE = [
    ("k:int=1", 1, "1"),
    ("k=1", "1", '"1"'),
    ("k:double=1.0", 1.0, "1.0"),
    ("k:bool=true", True, "true"),
    ("k:bytes=MQ==", b"1", '{"bytes": "MQ=="}'),
    ('k:json=["1"]', ["1"], '["1"]'),
    ('k:json={"1":""}', {"1": ""}, '{"1": ""}'),
    ("k=", "", '""'),
    ("k:absent=", None, None),
]


@pytest.fixture(scope="module")
def store():
    with urpo_store.open(retention=None) as store:
        for number, (_, value, _) in enumerate(NINE):
            attributes = {} if value is None else {"k": value}
            store.store_metric(MetricPoint("s", "m", Gauge(number), attributes, timestamp=BASE))
        yield store


@pytest.mark.parametrize("number", range(9))
def test_nine_values_are_nine_conditions_in_the_command_line(store, number):
    """1, "1", 1.0, true, b"1", ["1"], {"1": ""}, "" and absent."""
    flag, value, _ = NINE[number]
    where = dict([parse_where(flag)])
    (series,) = store.query_metrics(MetricQuery("m", start=0, end=BASE, where=where))
    assert series.int_values.tolist() == [number]
    assert type(series.attributes.get("k")) is type(value)


def test_nine_values_are_shown_as_nine_by_the_command_line(store):
    table = store.query_metrics(MetricQuery("m", start=0, end=BASE))
    shown = [text for _, _, text in NINE]
    assert [label(series) for series in table] == [f"s k={text}" if text else "s" for text in shown]
    rows = render_answer(table, "").splitlines()[1:]
    assert [row.split("  s")[-1].removeprefix(" k=") for row in rows] == [
        text or "" for text in shown
    ]
    assert [each["attributes"] for each in json.loads(render_answer(table, "json"))] == [
        {"k": json.loads(text)} if text else {} for text in shown
    ]
    lines = list(csv.DictReader(render_answer(table, "csv").splitlines()))
    assert [line["attributes"] for line in lines] == [
        f'{{"k": {text}}}' if text else "{}" for text in shown
    ]


@pytest.mark.parametrize("flag", ["k:json=[", "k:json=", "k:bytes=1", "k:double=x"])
def test_a_typed_condition_that_is_none_is_named(flag):
    with pytest.raises(QueryError, match="is no "):
        parse_where(flag)
