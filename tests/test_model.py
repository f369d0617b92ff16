"""The types that everything speaks in."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from urpo_store import model
from urpo_store.model import (
    POINT_DTYPE,
    Aggregation,
    Counter,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricKind,
    MetricPoint,
    MetricQuery,
    MetricSeries,
    MetricTable,
    Summary,
    UpDownCounter,
)
from urpo_store.query.arrow import arrow_stream


def test_a_counter_has_a_value_and_a_kind() -> None:
    assert Counter(42.0).value == 42.0
    assert Counter(42.0).kind is MetricKind.COUNTER


def test_the_packed_point_is_32_bytes() -> None:
    assert POINT_DTYPE.itemsize == 32
    # No padding: every byte belongs to a field, at its natural alignment.
    offsets = {name: POINT_DTYPE.fields[name][1] for name in POINT_DTYPE.names}
    assert offsets == {
        "timestamp": 0,
        "value": 8,
        "series": 16,
        "payload": 20,
        "start": 24,
        "flags": 28,
    }


@pytest.mark.parametrize(
    ("value", "kind", "number"),
    [
        (Counter(2**60 + 1), MetricKind.COUNTER, 2**60 + 1),
        (UpDownCounter(-1), MetricKind.UP_DOWN_COUNTER, -1),
        (Gauge(0.5), MetricKind.GAUGE, 0.5),
        (Histogram(3, 1.5, [1, 2], [1.0]), MetricKind.HISTOGRAM, 3),
        (ExponentialHistogram(4, None, 2), MetricKind.EXPONENTIAL_HISTOGRAM, 4),
        (Summary(5, 2.0), MetricKind.SUMMARY, 5),
    ],
)
def test_every_value_has_a_kind_and_a_number(
    value: model.MetricType, kind: MetricKind, number: float
) -> None:
    assert value.kind is kind
    assert value.value == number and type(value.value) is type(number)
    assert isinstance(value, model.MetricType)


def test_a_point_is_cumulative_and_of_now_unless_said_otherwise() -> None:
    point = MetricPoint("checkout", "queue.depth", Gauge(3.0), {"queue": "mail"})
    assert (point.timestamp, point.start_timestamp, point.temporality) == (None, None, "cumulative")
    assert (point.unit, point.resource, point.scope, point.exemplars) == ("", {}, None, ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.service = "other"


def test_a_query_is_raw_over_the_last_five_minutes_unless_said_otherwise() -> None:
    query = MetricQuery("m")
    assert (query.start, query.end, query.step) == ("-5m", None, None)
    assert query.aggregation is Aggregation.RAW and query.by is None and query.limit is None


@pytest.mark.parametrize(
    ("aggregation", "quantile"),
    [("P50", 0.5), ("P90", 0.9), ("P95", 0.95), ("P99", 0.99), ("RATE", None), ("RAW", None)],
)
def test_an_aggregation_knows_its_quantile(aggregation: str, quantile: float | None) -> None:
    assert Aggregation[aggregation].quantile == quantile


def series(name: str, *values: float) -> MetricSeries:
    count = len(values)
    return MetricSeries(
        name,
        MetricKind.GAUGE,
        "",
        None,
        "checkout",
        {},
        {},
        None,
        np.arange(1, count + 1),
        np.zeros(count, np.int64),
        np.array(values),
    )


def test_a_table_is_a_sequence_of_series() -> None:
    table = MetricTable([series("a", 1.0), series("b", 2.0, 3.0)], arrow_stream)
    assert len(table) == 2 and [one.metric for one in table] == ["a", "b"]
    assert table[1].metric == "b" and len(table[1]) == 2
    assert [one.metric for one in table[:1]] == ["a"] and [one.metric for one in table[::-1]] == [
        "b",
        "a",
    ]
    assert repr(table) == "<MetricTable: 2 series, 3 points>"


def test_a_table_is_an_arrow_stream_and_a_pandas_frame() -> None:
    table = MetricTable([series("a", 1.0), series("b", 2.0, 3.0)], arrow_stream)
    assert pa.table(table).column("value").to_pylist() == [1.0, 2.0, 3.0]
    assert table.to_pandas()["value"].tolist() == [1.0, 2.0, 3.0]
