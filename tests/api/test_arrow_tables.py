"""Answers to queries as Arrow: the same series as JSON gives, and what other readers see."""

from __future__ import annotations

import dataclasses
import http.client
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from helpers import fake_storage
from helpers.fake_storage import FakeStorage
from helpers.same import assert_same
from hypothesis import given
from hypothesis import strategies as st

import urpo_store
from urpo_store import (
    Aggregation,
    Counter,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricPoint,
    MetricQuery,
    MetricTable,
    Scope,
    Summary,
    UpDownCounter,
    model,
)
from urpo_store.api.arrow_ipc import STREAM
from urpo_store.api.arrow_tables import read_stream, write_stream
from urpo_store.api.client import HttpStorage
from urpo_store.api.json import AnswerTooLongError, decode_series, dumps, encode
from urpo_store.api.scalars import JsonError
from urpo_store.errors import ConfigError, QueryError
from urpo_store.query import arrow
from urpo_store.query.arrow import arrow_stream
from urpo_store.receiver import Limits, Server

EVERY_KIND = [
    fake_storage.NUMBERS,
    fake_storage.HISTOGRAM,
    fake_storage.EMPTY,
    fake_storage.EXPONENTIAL,
    fake_storage.SUMMARY,
]

attribute_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
keys = st.sampled_from(["http.route", "value", "metric", "", "\0", "ü", "attribute.value"])
attributes = st.dictionaries(keys, attribute_values, max_size=3)
scopes = st.none() | st.builds(
    Scope, st.text(max_size=3), st.text(max_size=3), st.text(max_size=3), attributes
)
int64 = st.integers(-(2**63), 2**63 - 1)
uint64 = st.integers(0, 2**64 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
floats = st.floats(allow_nan=True)


@st.composite
def series_of_any_kind(draw: st.DrawFn) -> model.MetricSeries:
    rows = draw(st.integers(0, 4))

    def column(elements: st.SearchStrategy[Any], dtype: Any, count: int = rows) -> Any:
        return np.array(draw(st.lists(elements, min_size=count, max_size=count)), dtype)

    def lists(elements: st.SearchStrategy[Any], dtype: Any, width: int) -> Any:
        return column(elements, dtype, rows * width).reshape(rows, width)

    def marks() -> Any:
        return column(st.booleans(), np.bool_)

    def numbers() -> dict[str, Any]:
        found = {name: column(floats, np.float64) for name in ("sum", "min", "max")}
        found |= {f"has_{name}": marks() for name in ("sum", "min", "max")}
        return {"count": column(uint64, np.uint64), **found}

    width = draw(st.integers(0, 3))
    histogram, summary = None, None
    match draw(st.sampled_from(["numbers", "explicit", "exponential", "summary"])):
        case "explicit":
            histogram = model.HistogramColumns(
                **numbers(),
                bucket_counts=lists(uint64, np.uint64, width),
                bounds=column(floats, np.float64, max(width - 1, 0)),
            )
        case "exponential":
            histogram = model.ExponentialHistogramColumns(
                **numbers(),
                scale=column(int32, np.int32),
                zero_count=column(uint64, np.uint64),
                zero_threshold=column(floats, np.float64),
                positive_offset=column(int32, np.int32),
                positive_counts=lists(uint64, np.uint64, width),
                negative_offset=column(int32, np.int32),
                negative_counts=lists(uint64, np.uint64, draw(st.integers(0, 2))),
            )
        case "summary":
            summary = model.SummaryColumns(
                count=column(uint64, np.uint64),
                sum=column(floats, np.float64),
                quantiles=column(floats, np.float64, width),
                values=lists(floats, np.float64, width),
            )
    ints = draw(st.booleans())
    return model.MetricSeries(
        metric=draw(st.text(max_size=3)),
        kind=draw(st.sampled_from(model.MetricKind)),
        unit=draw(st.text(max_size=3)),
        temporality=draw(st.none() | st.sampled_from(["delta", "cumulative"])),
        service=draw(st.none() | st.text(max_size=3)),
        attributes=draw(attributes),
        resource=draw(attributes),
        scope=draw(scopes),
        timestamps=column(int64, np.int64),
        start_timestamps=column(int64, np.int64),
        values=column(floats, np.float64),
        int_values=column(int64, np.int64) if ints else None,
        is_int=marks() if ints else None,
        stale=marks() if draw(st.booleans()) else None,
        histogram=histogram,
        summary=summary,
        overflowed=draw(st.booleans()),
    )


def through_json(series: list[model.MetricSeries]) -> list[model.MetricSeries]:
    return decode_series(json.loads(dumps({"series": encode(series)})))


@given(st.lists(series_of_any_kind(), max_size=4))
def test_arrow_and_json_give_the_same_series(series: list[model.MetricSeries]) -> None:
    found = read_stream(write_stream(series, 1 << 20))
    assert_same(found, through_json(series))
    # JSON writes [0, k] as [0, 0]: a list without rows says nothing of their length.
    assert_same([one for one in found if len(one)], [one for one in series if len(one)])


@given(st.lists(series_of_any_kind(), max_size=4))
def test_pyarrow_reads_what_the_table_itself_gives(series: list[model.MetricSeries]) -> None:
    found = pa.ipc.open_stream(write_stream(series, 1 << 20)).read_all()
    found.validate(full=True)
    names = found.column_names
    # A name ends at its first NUL in the C interface.
    if not any("\0" in name for name in names):
        expected = pa.table(MetricTable(series, arrow_stream))
        assert found.schema.equals(expected.schema)
        for name in names:
            one, other = found.column(name).to_pylist(), expected.column(name).to_pylist()
            assert repr(one) == repr(other)


def test_nan_keeps_its_payload() -> None:
    payload = np.array([0x7FF8000000000123], np.uint64)
    series = dataclasses.replace(fake_storage.SUMMARY, values=payload.view(np.float64))
    (found,) = read_stream(write_stream([series], 1 << 20))
    assert found.values.view(np.uint64).tolist() == payload.tolist()


def test_long_answers_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "BATCH_ROWS", 3)
    series = EVERY_KIND * 3
    body = write_stream(series, 1 << 20)
    assert len(list(pa.ipc.open_stream(body))) > 4
    assert_same(read_stream(body), series)


def test_columns_may_be_written_to() -> None:
    for series in read_stream(write_stream(EVERY_KIND, 1 << 20)):
        series.values[:] = 1.0
        series.timestamps[:] = 1


def test_an_answer_that_is_too_long_is_refused_before_it_is_built() -> None:
    with pytest.raises(AnswerTooLongError, match="longer than 10 bytes"):
        write_stream(EVERY_KIND, 10)
    size = len(write_stream(EVERY_KIND, 1 << 20))
    with pytest.raises(AnswerTooLongError, match=f"longer than {size - 1} bytes"):
        write_stream(EVERY_KIND, size - 1)
    assert len(write_stream(EVERY_KIND, size)) == size


GOOD = write_stream(EVERY_KIND, 1 << 20)


def foreign_stream() -> bytes:
    sink = io.BytesIO()
    table = pa.table({"value": [1.0]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def changed(name: str, column: pa.Array | None) -> bytes:
    """A good stream with another column, or without it."""
    table = pa.ipc.open_stream(GOOD).read_all()
    index = table.column_names.index(name)
    table = table.remove_column(index)
    if column is not None:
        table = table.append_column(name, column)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no Arrow",
        GOOD[:100],
        GOOD[: len(GOOD) // 2],
        foreign_stream(),
        changed("value", None),
        changed("value", pa.array([1] * 6, pa.int8())),
        changed("bucket_counts", pa.array([1.0] * 6)),
        changed("int_value", pa.nulls(6)),
        GOOD.replace(b'"rows":2', b'"rows":3'),
        GOOD.replace(b'"rows":2', b'"rows":x'),
        GOOD.replace(b'"kind":"gauge"', b'"kind":"gaugX"'),
    ],
)
def test_a_stream_that_is_no_answer(body: bytes) -> None:
    with pytest.raises(JsonError, match="no answer to a query"):
        read_stream(body)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_damaged_stream_is_read_or_refused(place: int, byte: int) -> None:
    damaged = bytearray(GOOD)
    damaged[place] = byte
    try:
        read_stream(bytes(damaged))
    except JsonError:
        return


# Over HTTP.

BASE = 1_700_000_000 * 10**9
SECOND = 10**9


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[HttpStorage, HttpStorage]]:
    """Clients that take JSON and Arrow, of a server with points of every kind."""
    values: dict[str, Any] = {
        "counter": lambda i: Counter(7 * i),
        "broken": lambda i: Counter(0.5 * (i % 4)),
        "up_down": lambda i: UpDownCounter(-i),
        "gauge": lambda i: Gauge(i if i % 2 else i + 0.25),
        "histogram": lambda i: Histogram(3 * i, 1.5 * i, [i, 2 * i], [0.5], 0.1, 2.0),
        "exponential": lambda i: ExponentialHistogram(2 * i, 1.0 * i, 3, i, -4, [i]),
        "summary": lambda i: Summary(i, 2.0 * i, [(0.5, 1.0), (0.99, 2.0 + i)]),
    }
    with urpo_store.open(retention=None) as store:
        for metric, value in values.items():
            for route in ("/pay", 5, None):
                for index in range(1, 20):
                    point = MetricPoint(
                        "shop/checkout",
                        metric,
                        value(index),
                        {} if route is None else {"http.route": route},
                        timestamp=BASE + index * SECOND,
                        start_timestamp=BASE,
                        unit="s",
                        scope=Scope("lib", "1"),
                        resource={"host": "a"},
                    )
                    assert store.store_metric(point).accepted == 1, metric
        with (
            Server(store, grpc_port=None, http_port=0) as server,
            HttpStorage(server.url, arrow=False) as takes_json,
            HttpStorage(server.url, arrow=True) as takes_arrow,
        ):
            yield takes_json, takes_arrow


@pytest.mark.parametrize("aggregation", Aggregation)
@pytest.mark.parametrize("by", [None, (), ("http.route",)], ids=str)
def test_every_aggregation(
    running: tuple[HttpStorage, HttpStorage], aggregation: Aggregation, by: Any
) -> None:
    answered = 0
    for metric in ("counter", "broken", "up_down", "gauge", "histogram", "exponential", "summary"):
        query = MetricQuery(
            metric,
            start=BASE,
            end=BASE + 30 * SECOND,
            step=None if aggregation is Aggregation.RAW else "5s",
            aggregation=aggregation,
            by=None if aggregation is Aggregation.RAW else by,
        )
        found: list[Any] = []
        for client in running:
            try:
                found.append(list(client.query_metrics(query)))
            except QueryError as error:
                found.append(str(error))
        assert_same(found[1], found[0])
        answered += isinstance(found[0], list) and any(len(one) for one in found[0])
    assert answered


@pytest.fixture
def fake() -> Iterator[tuple[FakeStorage, Server]]:
    storage = FakeStorage()
    limits = Limits(answer_bytes=20_000)
    with Server(storage, grpc_port=None, http_port=0, limits=limits) as server:
        yield storage, server


def ask(server: Server, accept: str, method: str = "POST") -> tuple[str, bytes]:
    connection = http.client.HTTPConnection(server.http_address)
    path = "/api/urpo/v1/query"
    headers = {"Content-Type": "application/json", "Accept": accept}
    if method == "GET":
        connection.request("GET", f"{path}?metric=m", headers=headers)
    else:
        connection.request("POST", path, b'{"metric": "m"}', headers)
    answer = connection.getresponse()
    found = answer.headers["Content-Type"], answer.read()
    connection.close()
    assert answer.status == 200
    return found


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (STREAM, STREAM),
        (f"{STREAM}, application/json", STREAM),
        (f"application/json;q=0.5, {STREAM.upper()};q=0.9", STREAM),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ],
)
def test_accept_chooses_the_format(
    fake: tuple[FakeStorage, Server], accept: str, kind: str
) -> None:
    storage, server = fake
    storage.answers["query_metrics"] = [fake_storage.NUMBERS]
    for method in ("GET", "POST"):
        found, body = ask(server, accept, method)
        assert found == kind
        if kind == STREAM:
            assert pl.read_ipc_stream(body)["int_value"].to_list() == [2**63 - 1, None]


def test_an_answer_that_fits_as_json_alone_is_json(fake: tuple[FakeStorage, Server]) -> None:
    storage, server = fake
    storage.answers["query_metrics"] = [fake_storage.EMPTY] * 40
    assert ask(server, STREAM)[0] == "application/json"
    with HttpStorage(server.url, arrow=True) as client:
        assert len(client.query_metrics(MetricQuery("m"))) == 40
    storage.answers["query_metrics"] = [fake_storage.NUMBERS] * 400
    with (
        HttpStorage(server.url, arrow=True) as client,
        pytest.raises(QueryError, match="longer than 20000 bytes"),
    ):
        client.query_metrics(MetricQuery("m"))


def test_without_pyarrow_the_client_takes_json(
    fake: tuple[FakeStorage, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, server = fake
    storage.answers["query_metrics"] = [fake_storage.NUMBERS]
    monkeypatch.setattr("urpo_store.api.client.find_spec", lambda name: None)
    monkeypatch.setattr("urpo_store.api.client.read_stream", None)
    with HttpStorage(server.url) as client:
        assert len(client.query_metrics(MetricQuery("m"))) == 1
    with pytest.raises(ConfigError, match="pip install pyarrow"):
        HttpStorage(server.url, arrow=True)
