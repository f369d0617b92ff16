"""Beyond max_series sets collapse, up to a bound; sources are told apart all the same."""

import pytest
from drivers.series_index import SeriesIndex
from helpers.identity import COUNTER, IDLE, OVERFLOW, add, full, resource


def test_sets_that_are_known_stay_known() -> None:
    index = SeriesIndex(max_series=5)
    known = [add(index, {"user": i})[0] for i in range(5)]
    add(index, {"user": 99})
    assert [add(index, {"user": i}) for i in range(5)] == [(number, None) for number in known]


def test_further_keys_collapse_when_there_is_no_room_even_so() -> None:
    index = full(8)
    for i in range(2_000):
        number, source = add(index, {"a": i, "b": i * 7 % 1000, "c": i // 2})
        assert source is not None
    assert index.identity(number)[6] == {"a": OVERFLOW, "b": OVERFLOW, "c": OVERFLOW}
    assert index.counts["series"] <= 2 * 8 + 16


def test_there_is_a_bound_that_no_sender_can_pass() -> None:
    """Sets of ever new keys, and ever new resources: refused at twice max_series."""
    index = full(10)
    with pytest.raises(MemoryError, match="no room even for one"):
        for i in range(1_000):
            add(index, {f"key {i}": 1}, resource=resource({"service.name": f"s{i}"}))
    counts = index.counts
    assert counts["series"] <= 2 * 10 + 16
    assert counts["resources"] <= counts["series"]
    assert len(index.reference_counts()) < 10 * counts["series"], "what was refused left strings"


def test_memory_that_is_short_collapses_new_sets_too() -> None:
    """And what stands for others takes little more: who makes up metrics is refused in the end."""
    limit = 2 << 20
    index = SeriesIndex(memory_limit=limit)
    made = 0
    while add(index, {"user": made})[1] is None:
        made += 1
    number, source = add(index, {"user": -1})
    assert source is not None
    assert index.identity(number)[6] == {"user": OVERFLOW}
    assert made > 1000
    with pytest.raises(MemoryError):
        for other in range(10 * made):
            add(index, {"user": 1}, name=b"m%d" % other)
    assert limit < index.memory < 1.3 * limit


def test_sources_are_told_apart_by_set_resource_and_metric_not_by_order() -> None:
    index = full()
    parts = [{}, {"resource": resource({"service.name": "x"})}, {"name": b"n"}]
    sources = [
        add(index, {"user": user, "z": 1}, **{**COUNTER, **part})[1]
        for part in parts
        for user in range(5)
    ]
    assert len(set(sources)) == 15
    assert add(index, [("z", 1), ("user", 3)], **COUNTER)[1] == sources[3]


def test_a_source_is_not_taken_for_one_whose_resource_had_its_id_before() -> None:
    """What was remembered of an evicted resource's sources outlives its id, which is used again."""
    index = full()
    old, source = add(index, {"user": 1}, resource=resource({"service.name": "old"}), **COUNTER)
    kept, _ = add(index, {"user": 1}, resource=resource({"service.name": "kept"}), **COUNTER)
    now = index.seen(old) + IDLE
    for number in range(1, kept + 1):
        if number != old:
            index.touch(number, now)
    assert index.evict_idle(now) == 1
    while index.reclaim():
        pass
    parts = {"resource": resource({"service.name": "new"}), **COUNTER}
    new, other = add(index, {"user": 1}, **parts)
    assert index.identity(new)[5] == "new"
    assert other != source
