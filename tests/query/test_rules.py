"""Which questions mean nothing for which kind."""

from __future__ import annotations

import pytest
from helpers.memory_reader import MemoryReader
from helpers.questions import ask, counter, gauge

from urpo_store.errors import QueryError
from urpo_store.model import Aggregation


@pytest.mark.parametrize("name", ["AVG", "MIN", "MAX", "P50", "P99"])
def test_avg_min_max_and_quantiles_of_a_counter_are_a_query_error(name: str) -> None:
    reader = MemoryReader()
    reader.add(counter((3, 10)))
    with pytest.raises(QueryError, match=r"'m' is a counter, and .* Ask for RATE"):
        ask(reader, Aggregation[name])


@pytest.mark.parametrize("name", ["RATE", "INCREASE"])
def test_a_gauge_has_no_increase(name: str) -> None:
    reader = MemoryReader()
    reader.add(gauge((3, 10)))
    with pytest.raises(QueryError, match=rf"'m' is a gauge: .* has no {name}\. Ask for LAST"):
        ask(reader, Aggregation[name])
