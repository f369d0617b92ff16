"""Summaries: what is answered by stored points."""

from __future__ import annotations

import pytest
from helpers.memory_reader import MemoryReader
from helpers.questions import ask, at, only_floats

from urpo_store.errors import QueryError
from urpo_store.model import (
    Aggregation,
    Summary,
)


def summary(*pairs: tuple[float, float], count: int = 1) -> Summary:
    return Summary(count, 5.0, pairs)


def test_a_stored_quantile_of_a_single_summary_is_answered() -> None:
    reader = MemoryReader()
    reader.add([at(4, summary((0.5, 1.0), (0.99, 8.0))), at(5, summary((0.5, 2.0), (0.99, 9.0)))])
    assert only_floats(ask(reader, Aggregation.P99)) == [(10, 9.0)]
    assert only_floats(ask(reader, Aggregation.P50, by=())) == [(10, 2.0)]


def test_other_questions_of_a_summary_are_a_query_error() -> None:
    reader = MemoryReader()
    reader.add([at(5, summary((0.5, 2.0), (0.99, 9.0)))], attributes={"i": 1})
    with pytest.raises(QueryError, match=r"computed the quantiles 0\.5, 0\.99; 0\.9 cannot"):
        ask(reader, Aggregation.P90)
    for name in ("SUM", "AVG", "MIN", "MAX", "COUNT", "RATE", "INCREASE"):
        with pytest.raises(QueryError, match=f"'m' is a summary: .*{name} cannot"):
            ask(reader, Aggregation[name])
    reader.add([at(5, summary((0.5, 2.0)))], attributes={"i": 2})
    with pytest.raises(QueryError, match="quantiles of several series cannot be merged"):
        ask(reader, Aggregation.P50, by=())
    assert len(ask(reader, Aggregation.P50)) == 2


def test_last_of_a_summary_is_its_last_point() -> None:
    reader = MemoryReader()
    reader.add([at(4, summary((0.5, 1.0))), at(15, summary((0.5, 2.0), count=7))])
    (series,) = ask(reader, Aggregation.LAST)
    assert only_floats([series]) == [(10, 1), (20, 7)]
    assert series.summary is not None and series.summary.values.tolist() == [[1.0], [2.0]]
