"""The embedded store's reader gives the same answers as the plain one of the tests."""

from __future__ import annotations

import random
import re
from typing import Any

import numpy as np
import pytest
from helpers.memory_reader import STALE, MemoryReader, key_of
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import urpo_store
from urpo_store import (
    Aggregation,
    Counter,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricPoint,
    MetricQuery,
    MetricSeries,
    QueryError,
    Summary,
    UpDownCounter,
)
from urpo_store.otlp import request_from_point

S = 10**9
T = 1_700_000_000 * S
KINDS = ("counter", "delta", "up_down", "gauge", "explicit", "exponential", "summary")


def value_of(kind: str, draw: random.Random, total: list[int]) -> Any:
    total[0] = draw.randint(0, 5) if draw.random() < 0.1 else total[0] + draw.randint(0, 9)
    if kind in ("counter", "delta"):
        return Counter(total[0] if draw.random() < 0.7 else total[0] + 0.5)
    if kind == "up_down":
        return UpDownCounter(draw.randint(-5, 5))
    if kind == "gauge":
        return Gauge(draw.choice([1, 2**60 + draw.randint(0, 3), 0.25, -1.5]))
    if kind == "explicit":
        bounds = [1.0, 2.0] if draw.random() < 0.8 else [1.0, 4.0]
        counts = [total[0], total[0] // 2, 1]
        return Histogram(sum(counts), draw.choice([None, 1.5]), counts, bounds, max=3.5)
    if kind == "exponential":
        counts = [1 + total[0], 1 + total[0] // 3]
        zeros = draw.randint(0, 2)
        scale = draw.choice([2, 2, 3])
        return ExponentialHistogram(sum(counts) + zeros, 2.0, scale, zeros, 4, counts)
    return Summary(total[0], float(total[0]), [(0.5, 1.0), (0.9, float(total[0]))])


def fill(kind: str, seed: int) -> tuple[urpo_store.MetricStore, MemoryReader]:
    """The same points in both; into the store in the order of a shuffled arrival."""
    draw = random.Random(f"{kind} {seed}")
    store, reader = urpo_store.open(retention=None), MemoryReader()
    requests = []
    for index in range(4):
        attributes: dict[str, Any] = {"i": index, "k": draw.choice([1, "1", True, 1.0])}
        service = draw.choice(["checkout", "mailer"])
        points, total = [], [0]
        for second in sorted(draw.sample(range(100), 30)):
            start = draw.choice([0, T - 100 * S, T - 100 * S, T + 41 * S])
            value = STALE if draw.random() < 0.1 else value_of(kind, draw, total)
            points.append((T + second * S, start, value))
        temporality = "delta" if kind == "delta" else "cumulative"
        model_kind = next(value.kind for _, _, value in points if value is not STALE)
        reader.add(
            points,
            kind=model_kind,
            temporality=temporality,
            service=service,
            attributes=attributes,
        )
        stand_in = next(value for _, _, value in points if value is not STALE)
        for time, start, value in points:
            point = MetricPoint(
                service,
                "m",
                stand_in if value is STALE else value,
                attributes,
                time,
                temporality=temporality,
                start_timestamp=start or None,
            )
            requests.append((request_from_point(point), value is STALE))
    # Series are created in the same order in both: it decides between equally new points.
    first, rest = requests[::30], [r for i, r in enumerate(requests) if i % 30]
    draw.shuffle(rest)
    requests = first + rest
    for number, (raw, stale) in enumerate(requests):
        if stale:
            request = ExportMetricsServiceRequest.FromString(raw)
            metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
            getattr(metric, str(metric.WhichOneof("data"))).data_points[0].flags = 1
            raw = request.SerializeToString()
        result = store.ingest(raw)
        assert result.rejected == 0, result.message
        if number == len(requests) // 2:
            store.compress_cold()
    return store, reader


def same(found: list[MetricSeries], expected: list[MetricSeries]) -> None:
    def order(one: MetricSeries) -> Any:
        return repr((one.service, key_of(one.attributes), one.timestamps.tolist()))

    assert len(found) == len(expected)
    for one, other in zip(sorted(found, key=order), sorted(expected, key=order), strict=True):
        assert key_of(one.attributes) == key_of(other.attributes)
        assert (one.kind, one.temporality, one.service) == (
            other.kind,
            other.temporality,
            other.service,
        )
        for name in ("timestamps", "start_timestamps", "values", "int_values", "is_int", "stale"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        for name in ("histogram", "summary"):
            left, right = getattr(one, name), getattr(other, name)
            assert type(left) is type(right)
            for column in () if left is None else left.__slots__:
                np.testing.assert_array_equal(getattr(left, column), getattr(right, column))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_every_question_has_the_same_answer(kind: str, seed: int) -> None:
    store, reader = fill(kind, seed)
    for aggregation in Aggregation:
        for by in (None, (), ("k",), ("service.name", "k")):
            for step in ("7s", None):
                for more in ({}, {"service": "mailer"}, {"where": {"k": re.compile("1|true")}}):
                    query = MetricQuery(
                        "m",
                        start=T + 20 * S,
                        end=T + 80 * S,
                        step=step,
                        aggregation=aggregation,
                        by=by,
                        **more,
                    )
                    # The plain reader knows a value once it was in a column.
                    reader.service_column(np.arange(1, 5, dtype=np.uint32))
                    try:
                        expected = list(reader.query(query))
                    except QueryError as error:
                        with pytest.raises(QueryError) as caught:
                            store.query_metrics(query)
                        assert str(caught.value) == str(error)
                        continue
                    same(list(store.query_metrics(query)), expected)
    store.close()
