"""The table of plans is the table of docs/queries.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from urpo_store.model import Aggregation, MetricKind
from urpo_store.query.plans import Counted, Plan, find_plan

QUERIES = Path(__file__).parents[2] / "docs" / "queries.md"
COLUMNS = (
    (MetricKind.GAUGE,),
    (MetricKind.UP_DOWN_COUNTER,),
    (MetricKind.COUNTER,),
    (MetricKind.HISTOGRAM, MetricKind.EXPONENTIAL_HISTOGRAM),
)


def documented() -> list[tuple[str, MetricKind, str]]:
    """(row, kind, cell) of the table, but for RAW and summaries."""
    lines = QUERIES.read_text().split("## Aggregations")[1].split("`-` is")[0].strip().splitlines()
    found = []
    for line in lines[2:]:
        row, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for name in row.split(", "):
            for kinds, cell in zip(COLUMNS, cells[:4], strict=True):
                found += [(name, kind, cell) for kind in kinds if name != "RAW"]
    return found


@pytest.mark.parametrize(("name", "kind", "cell"), documented())
def test_what_the_page_calls_an_answer_has_a_plan(name: str, kind: MetricKind, cell: str) -> None:
    if name == "quantiles":
        found = find_plan(kind, "cumulative", Aggregation.RAW, 0.5)
    else:
        found = find_plan(kind, "cumulative", Aggregation[name], None)
    assert (found is None) == (cell == "-")


def test_every_row_is_on_the_page() -> None:
    rows = {name for name, _, _ in documented()}
    assert rows == {each.name for each in Aggregation if each.quantile is None} - {"RAW"} | {
        "quantiles"
    }


def test_deltas_of_up_down_counters_are_added_up() -> None:
    kind = MetricKind.UP_DOWN_COUNTER
    assert find_plan(kind, "cumulative", Aggregation.SUM, None) == Plan(Counted.NEWEST, "sum")
    assert find_plan(kind, "delta", Aggregation.SUM, None) == Plan(Counted.INCREASE, "sum")
