"""Which key collapses first: a new one, else the one with most values."""

from drivers.series_index import SeriesIndex
from helpers.identity import OVERFLOW, add, full


def test_the_fattest_key_collapses_and_the_others_stay_exact() -> None:
    index = SeriesIndex(max_series=20)
    for i in range(20):
        assert add(index, {"user": i, "status": i % 2})[1] is None
    for i in range(100, 300):
        number, source = add(index, {"user": i, "status": 200 + i % 3})
        assert source is not None
        assert index.identity(number)[6] == {"user": OVERFLOW, "status": 200 + i % 3}
    assert index.counts["series"] == 20 + 3
    assert index.counts["overflowed_series"] == 3


def test_series_without_attributes_have_no_fattest_key() -> None:
    """UBSan looks at this one: the first of them has no attributes to copy from, and nowhere to copy to."""
    index = SeriesIndex(max_series=3)
    assert add(index, {})[1] is None
    assert add(index, {"user": 1})[1] is None
    assert add(index, {"user": 2})[1] is None
    number, source = add(index, {"user": 3})
    assert source is not None and index.identity(number)[6] == {"user": OVERFLOW}


def test_a_metric_that_comes_when_there_is_no_room_learns_its_fattest_key() -> None:
    index = full(40)
    found = []
    for i in range(500):
        number, _ = add(index, {"status": 200, "user": i}, name=b"late")
        found.append(index.identity(number)[6])
    assert found[-1] == {"status": 200, "user": OVERFLOW}
    assert index.counts["overflowed_series"] < 10
