"""SEMANTICS "Identity and filters" and `by`: which series are read, which belong together."""

from __future__ import annotations

import re
from typing import Any

import pytest
from helpers.memory_reader import MemoryReader, key_of

from urpo_store import model
from urpo_store.errors import QueryError
from urpo_store.model import (
    Aggregation,
    Counter,
    Gauge,
    MetricKind,
    MetricQuery,
    Scope,
    UpDownCounter,
)
from urpo_store.query.select import select

#: Nine different things, and a tenth: the attribute is absent.
TYPED: list[Any] = [1, "1", 1.0, True, b"1", ["1"], {"1": ""}, "", None]


def typed_reader() -> MemoryReader:
    reader = MemoryReader()
    for index, value in enumerate(TYPED):
        attributes = {} if value is None else {"k": value}
        reader.add([(100, Gauge(float(index)))], attributes=attributes)
    return reader


def chosen(reader: MemoryReader, **options: Any) -> list[int]:
    """The numbers (from 0) of the series that a query selects."""
    return [i - 1 for s in select(reader, MetricQuery("m", **options)) for i in s.ids.tolist()]


def raw(reader: MemoryReader, **options: Any) -> list[model.MetricSeries]:
    return list(reader.query(MetricQuery("m", start=0, end=1000, **options)))


@pytest.mark.parametrize("index", range(len(TYPED)))
def test_a_condition_has_exactly_the_type_and_value(index: int) -> None:
    """1, "1", 1.0, true, b"1", ["1"], {"1": ""}, "" and absent are nine different things."""
    reader = typed_reader()
    reader.attribute_column(reader.streams("m")[0].ids, "k")  # the values are known
    assert chosen(reader, where={"k": TYPED[index]}) == [index]


def test_none_means_absent() -> None:
    assert chosen(typed_reader(), where={"k": None}) == [8]
    assert chosen(typed_reader(), where={"other": None}) == list(range(9))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("1", [0, 1, 2]),
        ("tru", []),
        ("true", [3]),
        ("MQ==", [4]),
        (r'\["1"\]', [5]),
        (r'\{"1":""\}', [6]),
        ("", [7]),
        (".*", [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_a_pattern_matches_the_whole_text_of_the_value(pattern: str, expected: list[int]) -> None:
    assert chosen(typed_reader(), where={"k": re.compile(pattern)}) == expected


def test_the_first_of_point_scope_and_resource_that_has_the_key_decides() -> None:
    reader = MemoryReader()
    scope = Scope("s", attributes={"k": "scope"})
    for attributes, within, resource in (
        ({"k": "point"}, scope, {"k": "resource"}),
        ({}, scope, {"k": "resource"}),
        ({}, None, {"k": "resource"}),
    ):
        reader.add([(100, Gauge(1.0))], attributes=attributes, scope=within, resource=resource)
    ids = reader.streams("m")[0].ids
    reader.attribute_column(ids, "k")
    for index, value in enumerate(("point", "scope", "resource")):
        assert chosen(reader, where={"k": value}) == [index]
    assert chosen(reader, where={"k": None}) == []


def test_all_conditions_must_hold() -> None:
    reader = MemoryReader()
    for a, b in ((1, 1), (1, 2), (2, 1)):
        reader.add([(100, Gauge(1.0))], attributes={"a": a, "b": b})
    ids = reader.streams("m")[0].ids
    for key in "ab":
        reader.attribute_column(ids, key)
    assert chosen(reader, where={"a": 1, "b": 1}) == [0]


def test_service_selects_by_the_service_name() -> None:
    reader = MemoryReader()
    reader.add([(100, Gauge(1.0))], service="shop/checkout")
    reader.add([(100, Gauge(1.0))], service="checkout")
    reader.service_column(reader.streams("m")[0].ids)
    assert chosen(reader, service="checkout") == [1]
    assert chosen(reader, service="shop/checkout") == [0]
    assert chosen(reader, service="nobody") == []


def test_an_unknown_metric_is_an_empty_answer() -> None:
    assert len(MemoryReader().query(MetricQuery("nothing"))) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": {"k": 2**63}}, r"where\['k'\] is 9223372036854775808, .* no int64"),
        ({"where": {"k": object()}}, r"where\['k'\] is a object; a condition is a str"),
        ({"where": {"k": [1, object()]}}, r"where\['k'\]\[1\] is a object"),
        ({"where": {"k": re.compile(b"x")}}, r"pattern of bytes; .* re\.compile\('x'\)"),
        ({"where": "k=1"}, "where='k=1' is no mapping; give attribute keys"),
        ({"service": 5}, "service=5 is no name"),
        ({"by": "k"}, r"by='k' is a text; give a sequence of keys: by=\('k',\)"),
        ({"by": (1,)}, "by has 1, which is no attribute key"),
        ({"limit": 0}, "limit=0 is no number of series"),
        ({"limit": True}, "limit=True is no number of series"),
        ({"aggregation": "sum"}, "aggregation='sum' is none. Give a member of Aggregation: RAW"),
        ({"quantile": "p95"}, "quantile='p95' is no number; give 0.95"),
        ({"quantile": float("nan")}, "quantile is NaN"),
    ],
)
def test_what_cannot_be_asked_is_a_query_error_that_names_it(options: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        raw(typed_reader(), **options)
    with pytest.raises(QueryError):
        # Whatever is stored: here nothing is.
        MemoryReader().query(MetricQuery("nothing", **options))


def test_an_empty_metric_name_is_refused() -> None:
    with pytest.raises(QueryError, match="metric='' is no name"):
        MemoryReader().query(MetricQuery(""))


# ---- by


def test_by_none_keeps_every_stored_series() -> None:
    reader = typed_reader()
    answer = raw(reader)
    assert [key_of(one.attributes) for one in answer] == [
        key_of({} if value is None else {"k": value}) for value in TYPED
    ]
    assert answer[0].service == "checkout" and answer[0].resource == {"service.name": "checkout"}


def test_by_nothing_is_all_in_one() -> None:
    (series,) = raw(typed_reader(), by=(), aggregation=Aggregation.SUM, step=1000)
    assert series.attributes == {} and series.values.tolist() == [36.0]


def test_by_groups_by_typed_value_and_absent_is_its_own_group() -> None:
    reader = typed_reader()
    for value in TYPED:
        attributes = {"other": 1} | ({} if value is None else {"k": value})
        reader.add([(100, Gauge(0.5))], attributes=attributes)
    answer = raw(reader, by=("k",), aggregation=Aggregation.SUM, step=1000)
    assert [key_of(one.attributes) for one in answer] == [
        key_of({} if value is None else {"k": value}) for value in TYPED
    ]
    assert [one.values.tolist() for one in answer] == [[i + 0.5] for i in range(9)]


def test_by_several_keys_groups_by_all_of_them() -> None:
    reader = MemoryReader()
    for a, b in ((1, "x"), (2, "x"), (1, "y"), (1, "x")):
        i = len(reader.series)
        reader.add([(100, Gauge(1.0))], attributes={"a": a, "b": b, "i": i})
    answer = raw(reader, by=("a", "b"), aggregation=Aggregation.COUNT, step=1000)
    assert [(one.attributes, one.values.tolist()) for one in answer] == [
        ({"a": 1, "b": "x"}, [2.0]),
        ({"a": 2, "b": "x"}, [1.0]),
        ({"a": 1, "b": "y"}, [1.0]),
    ]


def test_a_group_keeps_what_all_members_agree_in() -> None:
    reader = MemoryReader()
    shared = Scope("lib", "1")
    for index, (service, scope) in enumerate((("a", shared), ("a", shared), ("b", Scope("x")))):
        reader.add([(100, Gauge(1.0))], service=service, scope=scope, attributes={"i": index})
    (everything,) = raw(reader, by=(), aggregation=Aggregation.SUM, step=1000)
    assert (everything.service, dict(everything.resource), everything.scope) == (None, {}, None)
    (one,) = raw(
        reader, by=(), aggregation=Aggregation.SUM, step=1000, where={"i": re.compile("[01]")}
    )
    assert (one.service, one.resource, one.scope) == ("a", {"service.name": "a"}, shared)


def test_streams_that_differ_are_never_merged() -> None:
    """Kind, unit, temporality or monotonicity: four streams of one name, four groups."""
    reader = MemoryReader()
    reader.add([(100, Counter(1))], temporality="cumulative")
    reader.add([(100, Counter(2))], temporality="delta")
    reader.add([(100, UpDownCounter(3))], temporality="cumulative")
    reader.add([(100, Counter(4))], unit="s")
    reader.add([(100, Gauge(5))])
    answer = raw(reader, by=(), aggregation=Aggregation.LAST)
    assert {(one.kind, one.unit, one.temporality, one.values[0]) for one in answer} == {
        (MetricKind.COUNTER, "", "cumulative", 1),
        (MetricKind.COUNTER, "", "delta", 2),
        (MetricKind.UP_DOWN_COUNTER, "", "cumulative", 3),
        (MetricKind.COUNTER, "s", "cumulative", 4),
        (MetricKind.GAUGE, "", None, 5),
    }


# ---- limit


def test_limit_keeps_the_series_with_the_largest_last_value() -> None:
    reader = MemoryReader()
    for index, last in enumerate((3.0, float("nan"), 9.0, 5.0)):
        reader.add([(100, Gauge(99.0)), (200, Gauge(last))], attributes={"i": index})
    answer = raw(reader, limit=2)
    assert [one.attributes["i"] for one in answer] == [2, 3]
    assert len(raw(reader, limit=4)) == 4
    assert [one.attributes["i"] for one in raw(reader, limit=3)] == [0, 2, 3]


def test_limit_compares_integers_exactly() -> None:
    reader = MemoryReader()
    for index, last in enumerate((2**53, 2**53 + 1)):
        reader.add([(100, Gauge(last))], attributes={"i": index})
    assert raw(reader, limit=1)[0].attributes == {"i": 1}
