"""How records leave: not before nobody can hold them, and then all of it comes back."""

import pytest
from drivers.series_index import SeriesIndex
from helpers.identity import IDLE, attributes, resolve, resource, scope


def test_an_id_is_reused_only_when_the_drain_has_passed_what_it_may_stand_in() -> None:
    index = SeriesIndex()
    call = index.enter()  # a call that knows the series, and publishes after the eviction
    old = resolve(index, {"k": 1})
    index.append(old, 10, 7)
    index.touch(old, 0)
    index.evict_idle(IDLE)
    index.reclaim()
    index.append(old, 20, 8)
    index.publish(100)
    index.leave(call)
    index.reclaim()
    assert index.is_known(old)
    assert resolve(index, {"k": 2}) != old
    index.append(old, 30, 9)  # drained into the evicted series, not into another one
    index.drain(99)
    index.reclaim()
    assert index.is_known(old)
    assert index.counts["evicted_points"] == 0
    index.drain(100)
    while index.reclaim():
        pass
    assert not index.is_known(old)
    assert index.counts["evicted_points"] == 3
    assert resolve(index, {"k": 3}) == old


def test_a_record_stays_readable_for_who_met_it_while_it_left() -> None:
    """A call that enters after an eviction may still walk to the series by its id."""
    index = SeriesIndex()
    old = resolve(index, {"k": 1})
    index.touch(old, 0)
    index.evict_idle(IDLE)
    late = index.enter()
    assert index.is_known(old)
    index.reclaim()
    assert not index.is_known(old), "it has left its page: nobody can meet it any more"
    index.leave(late)
    assert index.reclaim() > 0, "only now its memory was given back"


def test_eviction_gives_everything_back() -> None:
    index = SeriesIndex()

    def fill(turn: int) -> None:
        for i in range(300):
            number = index.resolve(
                resource=resource({"service.name": f"s{turn}.{i % 3}"}),
                scope=scope(f"l{turn}.{i % 2}", "v", {"x": turn}),
                name=b"m%d.%d" % (turn, i % 5),
                unit=b"u%d" % turn,
                description=b"d%d.%d" % (turn, i),
                attributes=attributes({"k": i, "turn": turn}),
            )[0]
            index.append(number, i + 1, i)
            index.touch(number, 0)

    sizes = []
    for turn in range(4):
        fill(turn)
        assert index.evict_idle(IDLE) == 300
        while index.reclaim():
            pass
        sizes.append(index.memory)
        counts = index.counts
        assert [counts[name] for name in ("series", "resources", "scopes", "metrics")] == [0] * 4
        assert (counts["aliases"], counts["envelope_aliases"]) == (0, 0)
        assert index.reference_counts() == {b"surpo.overflow": 1}
        assert counts["evicted_points"] == 300 * (turn + 1)
    assert sizes[1] == pytest.approx(sizes[3], abs=5_000)
