"""Series are read a batch at a time; where a batch ends must not show."""

import random

import numpy as np
import pytest

import urpo_store
from urpo_store import Aggregation, Counter, Gauge, MetricPoint, MetricQuery
from urpo_store.query import number_rows

BASE = 1_700_000_000_000_000_000
SECOND = 10**9


@pytest.fixture(scope="module")
def store():
    """13 counters and 13 gauges in 4 groups of different sizes, half of it sealed."""
    chance = random.Random(4)
    with urpo_store.open(retention=None) as store:
        for step in range(60):
            if step == 30:
                store.compress_cold()
            for series in range(13):
                if chance.random() < 0.2:
                    continue
                time = BASE + step * SECOND
                attributes = {"series": series, "group": int(series**0.5)}
                # Some start again now and then, so that predecessors matter.
                total = (step % (20 + series)) * (series + 1)
                store.store_metric(
                    MetricPoint(
                        "s", "total", Counter(total), attributes, time, start_timestamp=BASE - 1
                    )
                )
                store.store_metric(
                    MetricPoint("s", "level", Gauge(chance.random()), attributes, time)
                )
        yield store


@pytest.mark.parametrize("by", [None, (), ("group",)])
@pytest.mark.parametrize(
    ("metric", "aggregation"),
    [
        ("total", Aggregation.RATE),
        ("total", Aggregation.INCREASE),
        ("total", Aggregation.LAST),
        ("level", Aggregation.SUM),
        ("level", Aggregation.AVG),
        ("level", Aggregation.MIN),
        ("level", Aggregation.MAX),
        ("level", Aggregation.COUNT),
        ("level", Aggregation.LAST),
    ],
)
def test_the_size_of_batches_does_not_show(store, monkeypatch, metric, aggregation, by):
    query = MetricQuery(
        metric,
        start=BASE + 5 * SECOND,
        end=BASE + 55 * SECOND,
        step="7s",
        aggregation=aggregation,
        by=by,
    )
    whole = store.query_metrics(query)
    assert len(whole) == {None: 13, (): 1, ("group",): 4}[by]
    for batch in (1, 2, 5):
        monkeypatch.setattr(number_rows, "_FIRST_BATCH", batch)
        monkeypatch.setattr(number_rows, "_BATCH_POINTS", 1)
        parts = store.query_metrics(query)
        assert len(parts) == len(whole)
        for one, other in zip(parts, whole, strict=True):
            assert one.attributes == other.attributes
            np.testing.assert_array_equal(one.timestamps, other.timestamps)
            # Summed in the same order, whatever the batches.
            np.testing.assert_array_equal(one.values, other.values)
            if other.int_values is not None:
                np.testing.assert_array_equal(one.int_values, other.int_values)
