"""The whole table: what it weighs."""

from drivers.series_index import SeriesIndex
from helpers.identity import resolve


def test_the_memory_of_the_index_is_told() -> None:
    index = SeriesIndex()
    before = index.memory
    for i in range(500):
        resolve(index, {"k": f"{i:0100d}"})
    # A value of 100 bytes, the raw set with it, and the records of the series.
    assert 500 * 300 < index.memory - before < 500 * 1_600
