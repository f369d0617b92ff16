"""The Arrow stream, as pandas, polars, duckdb and pyarrow read it."""

from __future__ import annotations

import gc
import math
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers.memory_reader import STALE, MemoryReader

from urpo_store import model
from urpo_store.model import (
    Aggregation,
    Counter,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricQuery,
    Scope,
    Summary,
)
from urpo_store.query import arrow
from urpo_store.query.arrow_capsule import Column, Field, stream_capsule

T = 1_700_000_000 * 10**9


def table_of(reader: MemoryReader, **options: Any) -> model.MetricTable:
    return reader.query(MetricQuery("m", start=T, end=T + 10**9, **options))


def gauges() -> MemoryReader:
    reader = MemoryReader()
    reader.add(
        [(T + 1, T, Gauge(0.5)), (T + 2, Gauge(2**60 + 1)), (T + 3, STALE)],
        attributes={"http.route": "/pay", "code": 200, "ok": True, "part": 0.5, "raw": b"\0x"},
        unit="s",
        scope=Scope("lib"),
    )
    reader.add([(T + 1, Gauge(7))], attributes={"http.route": "/ship"}, unit="s", service="mailer")
    return reader


def test_pyarrow_reads_types_values_and_nulls() -> None:
    table = pa.table(table_of(gauges()))
    table.validate(full=True)
    assert table.schema.field("timestamp").type == pa.timestamp("ns", "UTC")
    assert table.schema.field("value").type == pa.float64()
    assert table.schema.field("int_value").type == pa.int64()
    assert table.schema.field("code").type == pa.int64()
    assert table.schema.field("ok").type == pa.bool_()
    assert table.schema.field("part").type == pa.float64()
    assert table.column("timestamp").cast(pa.int64()).to_pylist() == [T + 1, T + 2, T + 3, T + 1]
    assert table.column("start_timestamp").cast(pa.int64()).to_pylist() == [T, None, None, None]
    rows = table.to_pydict()
    assert rows["metric"] == ["m"] * 4 and rows["kind"] == ["gauge"] * 4
    assert rows["unit"] == ["s"] * 4 and rows["temporality"] == [None] * 4
    assert rows["service"] == ["checkout"] * 3 + ["mailer"]
    assert rows["scope"] == ["lib"] * 3 + [""]
    assert rows["resource"][0] == '{"service.name":"checkout"}'
    assert rows["http.route"] == ["/pay"] * 3 + ["/ship"]
    assert rows["code"] == [200] * 3 + [None] and rows["ok"] == [True] * 3 + [None]
    assert rows["part"] == [0.5] * 3 + [None] and rows["raw"] == [b"\0x"] * 3 + [None]
    assert rows["value"] == [0.5, 2.0**60, None, 7.0]
    assert rows["int_value"] == [None, 2**60 + 1, None, 7]
    assert rows["stale"] == [False, False, True, False]


def test_pandas_reads_it() -> None:
    table = table_of(gauges())
    for frame in (table.to_pandas(), pd.DataFrame.from_arrow(table)):
        assert list(frame["service"]) == ["checkout"] * 3 + ["mailer"]
        assert frame["timestamp"].dt.tz is not None
        assert frame["value"].sum() == 7.5 + 2.0**60
        assert frame.groupby("service", observed=True)["value"].count().to_dict() == {
            "checkout": 2,
            "mailer": 1,
        }


def test_polars_reads_it() -> None:
    frame = pl.DataFrame(table_of(gauges()))
    assert frame["int_value"].to_list() == [None, 2**60 + 1, None, 7]
    assert frame.filter(pl.col("service") == "mailer")["value"].to_list() == [7.0]
    assert frame.schema["timestamp"] == pl.Datetime("ns", "UTC")


def test_duckdb_reads_it() -> None:
    answer = table_of(gauges())  # noqa: F841 - duckdb finds it by its name
    found = duckdb.sql(
        'SELECT service, "http.route", count(value), max(int_value) FROM answer GROUP BY ALL '
        "ORDER BY service"
    ).fetchall()
    assert found == [("checkout", "/pay", 2, 2**60 + 1), ("mailer", "/ship", 1, 7)]


def test_a_column_that_cannot_hold_the_mix_is_json_with_the_type_visible() -> None:
    """1, "1", 1.0, true, b"1", ["1"], {"1": ""}, "" and absent stay nine."""
    reader = MemoryReader()
    values: list[Any] = [1, "1", 1.0, True, b"1", ["1"], {"1": ""}, "", math.nan]
    for value in values:
        reader.add([(T, Gauge(1.0))], attributes={"k": value})
    reader.add([(T, Gauge(1.0))])
    column = pa.table(table_of(reader)).column("k").to_pylist()
    assert column == [
        '{"int":1}',
        '"1"',
        '{"double":1.0}',
        "true",
        '{"bytes":"MQ=="}',
        '["1"]',
        '{"map":{"1":""}}',
        '""',
        '{"double":"NaN"}',
        None,
    ]


def test_an_attribute_that_is_named_like_a_column_gets_a_prefix() -> None:
    reader = MemoryReader()
    reader.add([(T, Gauge(1.0))], attributes={"value": "a", "attribute.value": "b", "service": "c"})
    rows = pa.table(table_of(reader)).to_pydict()
    assert rows["value"] == [1.0] and rows["service"] == ["checkout"]
    assert rows["attribute.value"] == ["a"]
    assert rows["attribute.attribute.value"] == ["b"]
    assert rows["attribute.service"] == ["c"]


def test_histograms_have_their_columns() -> None:
    reader = MemoryReader()
    reader.add(
        [
            (T, Histogram(3, 1.5, [1, 2], [1.0], min=0.5)),
            (T + 1, Histogram(4, None, [1, 1, 2], [1.0, 2.0], max=8.0)),
            (T + 2, STALE),
        ]
    )
    table = pa.table(table_of(reader))
    table.validate(full=True)
    assert table.schema.field("bucket_counts").type.value_type == pa.uint64()
    rows = table.to_pydict()
    assert rows["count"] == [3, 4, None] and rows["sum"] == [1.5, None, None]
    assert rows["min"] == [0.5, None, None] and rows["max"] == [None, 8.0, None]
    assert rows["bucket_counts"] == [[1, 2], [1, 1, 2], None]
    assert rows["bounds"] == [[1.0], [1.0, 2.0], None]
    assert pl.DataFrame(table_of(reader))["bounds"].to_list() == rows["bounds"]
    answer = table_of(reader)
    assert duckdb.sql("SELECT list_sum(bucket_counts) FROM answer").fetchall()[1] == (4,)
    assert answer.to_pandas()["bucket_counts"][0].tolist() == [1, 2]


def test_exponential_histograms_have_their_columns() -> None:
    reader = MemoryReader()
    reader.add(
        [
            (T, ExponentialHistogram(6, 1.0, 3, 1, -5, [1, 2], 7, [1, 0, 1], 0.25)),
            (T + 1, ExponentialHistogram(4, None, -2, 0, 4, [4])),
        ]
    )
    rows = pa.table(table_of(reader)).to_pydict()
    assert rows["scale"] == [3, -2] and rows["zero_count"] == [1, 0]
    assert rows["zero_threshold"] == [0.25, 0.0] and rows["sum"] == [1.0, None]
    assert rows["positive_offset"] == [-5, 4] and rows["negative_offset"] == [7, 0]
    assert rows["positive_counts"] == [[1, 2], [4, 0]]
    assert rows["negative_counts"] == [[1, 0, 1], [0, 0, 0]]


def test_summaries_have_their_columns_and_mix_with_other_kinds() -> None:
    reader = MemoryReader()
    reader.add([(T, Summary(2, 3.0, [(0.5, 1.0), (0.9, 2.0)]))])
    reader.add([(T, Counter(5))])
    rows = pa.table(table_of(reader)).to_pydict()
    assert rows["quantiles"] == [[0.5, 0.9], None]
    assert rows["quantile_values"] == [[1.0, 2.0], None]
    assert rows["count"] == [2, None] and rows["sum"] == [3.0, None]
    assert rows["value"] == [2.0, 5.0] and rows["int_value"] == [None, 5]


def test_an_empty_answer_has_the_fixed_columns() -> None:
    table = pa.table(MemoryReader().query(MetricQuery("nothing")))
    assert table.num_rows == 0
    assert table.column_names == [
        "metric",
        "kind",
        "unit",
        "temporality",
        "service",
        "scope",
        "resource",
        "timestamp",
        "start_timestamp",
        "value",
    ]
    assert pl.DataFrame(MemoryReader().query(MetricQuery("nothing"))).height == 0


def test_long_answers_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "BATCH_ROWS", 7)
    reader = MemoryReader()
    for index in range(3):
        reader.add(
            [(T + t, Histogram(t, 0.0, [t], [])) for t in range(10)], attributes={"i": str(index)}
        )
    answer = table_of(reader)
    stream = pa.RecordBatchReader.from_stream(answer)
    assert [batch.num_rows for batch in stream] == [7, 7, 7, 7, 2]
    table = pa.table(answer)
    table.validate(full=True)
    assert table.column("count").to_pylist() == list(range(10)) * 3
    assert table.column("i").to_pylist() == [str(i) for i in range(3) for _ in range(10)]
    assert table.column("bucket_counts").to_pylist() == [[t] for t in range(10)] * 3
    assert pl.DataFrame(answer)["i"].to_list() == table.column("i").to_pylist()
    assert duckdb.sql("SELECT count(*) FROM answer").fetchall() == [(30,)]


def test_every_stream_begins_anew() -> None:
    answer = table_of(gauges(), aggregation=Aggregation.LAST)
    assert pa.table(answer).num_rows == pa.table(answer).num_rows == 1


class Watched(np.ndarray[Any, Any]):
    """An array that can be watched being freed."""


def test_release_gives_everything_back_from_any_thread() -> None:
    timestamps = np.arange(T, T + 100).view(Watched)
    gone = weakref.ref(timestamps)
    (template,) = table_of(gauges(), limit=1)
    series = model.MetricSeries(
        **{
            name: getattr(template, name)
            for name in (
                [
                    "metric",
                    "kind",
                    "unit",
                    "temporality",
                    "service",
                    "attributes",
                    "resource",
                    "scope",
                ]
            )
        },
        timestamps=timestamps,
        start_timestamps=np.zeros(100, np.int64),
        values=np.zeros(100),
    )
    batches = list(
        pa.RecordBatchReader.from_stream(model.MetricTable([series], arrow.arrow_stream))
    )
    unread = arrow.arrow_stream([series])
    del timestamps, series
    held = [batches, unread]
    del batches, unread

    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert gone() is None


class Failing:
    """An Arrow stream whose first batch cannot be made."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        def batches() -> Iterator[Column]:
            raise ValueError("broken on purpose")
            yield

        return stream_capsule(Field("", "+s", [Field("a", "l")]), batches())


def test_a_failure_while_a_batch_is_made_is_the_readers_error() -> None:
    with pytest.raises(OSError, match="broken on purpose"):
        pa.table(Failing())
