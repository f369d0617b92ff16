"""New series: at most four raw forms are kept, and without memory nothing is half made."""

import contextlib
import itertools
from typing import Any

from drivers.series_index import SeriesIndex
from helpers.identity import IDLE, attributes, resolve, resource, scope


def test_at_most_four_raw_forms_of_a_series_are_remembered() -> None:
    index = SeriesIndex()
    pairs = [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
    raws = [attributes(order) for order in itertools.permutations(pairs)]
    ids = {index.resolve(attributes=raw)[0] for raw in raws}
    assert len(ids) == 1
    assert index.aliases(ids.pop()) == raws[:4]
    assert index.counts["aliases"] == 4
    levels = [index.resolve(attributes=raw)[1] for raw in raws]
    assert levels == [2] * 4 + [3] * (len(raws) - 4)


def test_without_memory_nothing_is_half_made() -> None:
    """Each allocation of a creation fails in turn; then the same call succeeds, and all is as it
    would have been."""
    parts: dict[str, Any] = {
        "resource": resource({"service.name": "shop", "x": 1}),
        "scope": scope("lib", "1", {"s": 1}),
        "schema_url": b"http://a",
        "unit": b"s",
    }
    clean = SeriesIndex()
    clean.resolve(**parts, attributes=attributes({"a": 1, "b": "x"}))
    expected = clean.reference_counts()
    failures = 0
    for n in range(1, 200):
        index = SeriesIndex()
        before = index.allocations
        index.fail_allocation(n)
        try:
            index.resolve(**parts, attributes=attributes({"a": 1, "b": "x"}))
        except MemoryError:
            failures += 1
            assert index.counts["series"] == 0
        fired = index.allocations - before >= n
        index.fail_allocation(0)
        number, _, _ = index.resolve(**parts, attributes=attributes({"a": 1, "b": "x"}))
        assert index.counts["series"] == 1
        assert index.reference_counts() == expected, f"allocation {n}"
        assert index.identity(number)[6] == {"a": 1, "b": "x"}
        index.touch(number, 0)
        index.evict_idle(IDLE)
        while index.reclaim():
            pass
        assert index.reference_counts() == {b"surpo.overflow": 1}, f"allocation {n}"
        if not fired:
            break
    assert failures > 15


def test_without_memory_to_look_no_second_series_is_made() -> None:
    pairs = {"a": 1, "b": 2}
    for n in range(1, 40):
        index = SeriesIndex()
        number = resolve(index, pairs)
        index.fail_allocation(n)
        with contextlib.suppress(MemoryError):
            assert resolve(index, list(pairs.items())[::-1]) == number
        index.fail_allocation(0)
        assert resolve(index, list(pairs.items())[::-1]) == number
        assert index.counts["series"] == 1
        assert index.reference_counts()[b"a"] == 1
