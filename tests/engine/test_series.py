"""Series identity: one id a set, whatever its order; never one id for two sets."""

import contextlib
import itertools
import random
import threading
from typing import Any

import numpy as np
import pytest
from drivers.series_index import SeriesIndex
from helpers.identity import attributes, field, resource, scope
from hypothesis import given, settings
from hypothesis import strategies as st

ALL = 0xFFFF_FFFF_FFFF_FFFF
IDLE = 600
BASE = {"service.name": "shop"}


def resolve(index: SeriesIndex, pairs: Any = (), **parts: Any) -> int:
    return index.resolve(attributes=attributes(pairs), **parts)[0]


# ---- what identifies -----------------------------------------------------------------------------


def test_nine_values_that_look_alike_are_nine_series() -> None:
    """Values are typed: 1, "1", 1.0, true, b"1", ["1"], {"1": ""}, "" and absent."""
    index = SeriesIndex()
    values = [1, "1", 1.0, True, b"1", ["1"], {"1": ""}, ""]
    ids = [resolve(index, {"k": value}) for value in values] + [resolve(index)]
    assert len(set(ids)) == 9
    assert [resolve(index, {"k": value}) for value in values] + [resolve(index)] == ids
    found = [index.identity(number)[6] for number in ids]
    assert [(type(item.get("k")), item.get("k")) for item in found[:-1]] == [
        (type(value), value) for value in values
    ]
    assert found[-1] == {}


def test_values_that_are_nearly_the_same_are_different() -> None:
    values = [0, 0.0, -0.0, False, "0", b"0", None, [], {}, b"", [0], [[0]], [None], {"": None}]
    values += [float("nan"), float("inf"), [1, 2], [2, 1], [1.0, 2.0], {"a": 1}, {"a": [1]}]
    index = SeriesIndex()
    assert len({resolve(index, {"k": value}) for value in values}) == len(values)


def test_the_order_of_attributes_means_nothing() -> None:
    index = SeriesIndex()
    pairs = [("a", 1), ("b", "x"), ("c", True)]
    ids = {resolve(index, order) for order in itertools.permutations(pairs)}
    assert len(ids) == 1
    assert index.counts["series"] == 1


def test_the_order_inside_a_map_means_nothing_and_inside_a_list_it_does() -> None:
    index = SeriesIndex()
    assert resolve(index, {"k": {"a": 1, "b": 2}}) == resolve(index, {"k": {"b": 2, "a": 1}})
    assert resolve(index, {"k": ["a", "b"]}) != resolve(index, {"k": ["b", "a"]})


def test_of_equal_keys_the_last_one_counts() -> None:
    index = SeriesIndex()
    assert resolve(index, [("k", 1), ("x", 0), ("k", 2)]) == resolve(index, {"x": 0, "k": 2})
    assert resolve(index, [("k", 2), ("k", 1)]) == resolve(index, {"k": 1})


def test_keys_and_values_do_not_run_into_one_another() -> None:
    index = SeriesIndex()
    sets: list[Any] = [{"ab": "c"}, {"a": "bc"}, {"a": "b", "c": ""}, {"": "abc"}, {"abc": ""}]
    sets += [{"a": "sb"}, {"sa": "b"}, {"s": "s"}, {"s": ""}, {"": "s"}]
    assert len({resolve(index, pairs) for pairs in sets}) == len(sets)


@pytest.mark.parametrize("mask", (0, 0x7, ALL))
def test_every_part_identifies(mask: int) -> None:
    """Resource attributes, scope (name, version, schema URL, attributes), metric name, unit, kind,
    temporality, monotonicity and point attributes each make another series."""
    index = SeriesIndex(hash_mask=mask)
    plain: dict[str, Any] = {
        "resource": resource(BASE),
        "scope": scope("lib", "1", {"s": 1}),
        "schema_url": b"http://a",
        "name": b"m",
        "unit": b"s",
        "kind": 2,
        "temporality": 2,
        "monotonic": 1,
        "attributes": attributes({"k": 1}),
    }
    others: dict[str, list[Any]] = {
        "resource": [resource(), resource({"service.name": 1}), resource({**BASE, "x": 1})],
        "scope": [
            scope("lib2", "1", {"s": 1}),
            scope("lib", "2", {"s": 1}),
            scope("lib", "1"),
            b"",
        ],
        "schema_url": [b"", b"http://b"],
        "name": [b"n", b"m2"],
        "unit": [b"", b"ms"],
        "kind": [1, 3, 4, 5],
        "temporality": [1],
        "monotonic": [0],
        "attributes": [attributes(), attributes({"k": 2})],
    }
    variants = [plain] + [{**plain, part: v} for part, values in others.items() for v in values]
    ids = [index.resolve(**variant)[0] for variant in variants]
    assert len(set(ids)) == len(variants)
    assert [index.resolve(**variant)[0] for variant in variants] == ids
    assert index.counts["series"] == len(variants)


def test_what_does_not_identify() -> None:
    """Descriptions, dropped counts, the order of envelopes' attributes."""
    index = SeriesIndex()
    first = index.resolve(
        resource=resource({"a": 1, "b": 2}), scope=scope("l", "", {"x": 1, "y": 2})
    )
    again = index.resolve(
        resource=resource({"b": 2, "a": 1}, dropped=7),
        scope=scope("l", "", {"y": 2, "x": 1}, dropped=9),
        description=b"something else",
        attributes=b"",
    )
    assert first[0] == again[0]
    assert (index.counts["resources"], index.counts["scopes"], index.counts["metrics"]) == (1, 1, 1)


def test_the_last_description_that_came_with_something_new_is_kept() -> None:
    index = SeriesIndex()
    resolve(index, {"k": 1}, description=b"old")
    resolve(index, {"k": 2}, description=b"new")
    assert [stream[5] for stream in index.streams("m")] == ["new"]


@pytest.mark.parametrize(
    ("pairs", "service"),
    [
        ({"service.name": "shop"}, "shop"),
        ({"service.name": "shop", "service.namespace": "eu"}, "eu/shop"),
        ({"service.name": "shop", "service.namespace": ""}, "shop"),
        ({"service.name": "shop", "service.namespace": 3}, "shop"),
        ({"service.name": "unknown_service:python"}, "unknown_service:python"),
        ({"service.namespace": "eu"}, "unknown_service"),
        ({"service.name": ""}, "unknown_service"),
        ({"service.name": 5}, "unknown_service"),
        ({}, "unknown_service"),
    ],
)
def test_the_service_is_namespace_and_name(pairs: dict[str, Any], service: str) -> None:
    index = SeriesIndex()
    number = resolve(index, resource=resource(pairs))
    assert index.identity(number)[5] == service
    assert index.services() == {service: 1}
    ids = np.array([number], np.uint32)
    assert index.string(index.service_column(ids)[0]) == b"s" + service.encode()


# ---- against a model -----------------------------------------------------------------------------

KEYS = ["", "a", "b", "s", "sa", "k"]
VALUES = [1, "1", 1.0, True, b"1", ["1"], {"1": ""}, "", None, "a", -1, 0.0, [1, "1"], {"a": {}}]


def canonical(pairs: list[tuple[str, Any]]) -> Any:
    return tuple(sorted((key, repr(value)) for key, value in dict(pairs).items()))


@given(
    sets=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 1),
            st.integers(0, 1),
            st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=4),
        ),
        max_size=40,
    ),
    mask=st.sampled_from((0, 0x3, ALL)),
)
@settings(max_examples=150, deadline=None)
def test_ids_are_as_a_dict_of_canonical_sets_gives_them(
    sets: list[tuple[int, int, int, list[tuple[str, Any]]]], mask: int
) -> None:
    """Never a wrong merge, though every hash collides; every level agrees."""
    index = SeriesIndex(hash_mask=mask)
    known: dict[Any, int] = {}
    previous = 0
    for res, scp, met, pairs in sets + sets[::-1]:
        number, level, source = index.resolve(
            resource=resource({"service.name": res}),
            scope=scope(str(scp)),
            name=b"m%d" % met,
            attributes=attributes(pairs),
            previous=previous,
        )
        key = (res, scp, met, canonical(pairs))
        assert source is None
        assert level == 3 or key in known
        assert number == known.setdefault(key, number)
        assert list(known.values()).count(number) == 1
        previous = number
    assert index.counts["series"] == len(known)
    for (res, _, met, pairs), number in known.items():
        identity = index.identity(number)
        assert (identity[0], identity[7]) == (f"m{met}", {"service.name": res})
        assert canonical(list(identity[6].items())) == pairs


# ---- levels --------------------------------------------------------------------------------------


def test_levels_are_tried_in_turn() -> None:
    index = SeriesIndex()
    raw = [attributes({"k": i}) for i in range(5)]
    first = [index.resolve(attributes=item) for item in raw]
    assert [level for _, level, _ in first] == [3] * 5
    second = [index.resolve(attributes=item) for item in raw]
    assert [level for _, level, _ in second] == [2] * 5

    def chain() -> list[tuple[int, int]]:
        previous, found = 0, []
        for item in raw:
            previous, level, _ = index.resolve(attributes=item, previous=previous)
            found.append((previous, level))
        return found

    assert [level for _, level in chain()] == [2] * 5
    assert [level for _, level in chain()] == [2, 1, 1, 1, 1]
    assert [number for number, _ in chain()] == [number for number, _, _ in first]


def test_known_sets_allocate_nothing() -> None:
    index = SeriesIndex()
    raw = [attributes({"k": i, "name": "x" * 40}) for i in range(100)]
    for item in raw:
        index.resolve(attributes=item)
    before = index.allocations
    assert index.find_all(raw, 3) == 300
    # By level 1: nothing in the first turn, then all that has a predecessor.
    assert index.find_all(raw, 3, guess=True) == 0 + 99 + 100
    assert index.allocations - before == 2  # the list of spans, once a call


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


def test_padding_makes_no_alias() -> None:
    """Unknown fields, which say nothing, do not cost memory."""
    index = SeriesIndex()
    one = attributes({"k": 1})
    said = one[2:]  # the KeyValue
    padded = field(7, said + field(15, b"p" * 4_000))
    number = index.resolve(attributes=one)[0]
    assert index.resolve(attributes=padded)[:2] == (number, 3)
    assert index.aliases(number) == [one]
    before = index.memory
    bodies = [resource(BASE) + field(15, bytes([65 + i]) * 100) for i in range(20)]
    for body in bodies:
        index.resolve(resource=body, attributes=one)
    assert index.counts["envelope_aliases"] <= 1 + 1 + 4
    assert index.memory - before < 20_000


# ---- eviction ------------------------------------------------------------------------------------


def test_idle_series_are_evicted_and_others_stay() -> None:
    index = SeriesIndex()
    old, new = resolve(index, {"k": "old"}), resolve(index, {"k": "new"})
    index.touch(old, 1_000)
    index.touch(new, 1_001)
    assert index.evict_idle(1_000 + IDLE - 1) == 0
    assert index.evict_idle(1_000 + IDLE) == 1
    assert not index.is_live(old)
    assert index.is_live(new)
    assert (index.counts["series"], index.counts["evicted_series"]) == (1, 1)
    assert [list(stream[6]) for stream in index.streams("m")] == [[new]]


def test_an_evicted_set_that_comes_back_is_a_new_series() -> None:
    index = SeriesIndex()
    old = resolve(index, {"k": 1})
    before = resolve(index, {"k": 0})
    index.resolve(attributes=attributes({"k": 1}), previous=before)  # `before` hints at it
    index.touch(old, 0)
    assert index.evict_idle(IDLE) == 1
    again, level, _ = index.resolve(attributes=attributes({"k": 1}), previous=before)
    assert level == 3
    assert again != old, "its old id may still stand in the ring"
    assert index.identity(again)[6] == {"k": 1}


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


def test_evicted_series_leave_the_others_in_order_of_creation() -> None:
    index = SeriesIndex()
    ids = [resolve(index, {"k": i}) for i in range(20)]
    for number in ids:
        index.touch(number, 0 if number % 3 else 1_000)
    index.evict_idle(IDLE)
    stay = [number for number in ids if number % 3 == 0]
    more = [resolve(index, {"new": i}) for i in range(3)]
    (stream,) = index.streams("m")
    assert list(stream[6]) == stay + more


def test_at_most_so_many_are_evicted_at_once() -> None:
    index = SeriesIndex()
    for i in range(10):
        index.touch(resolve(index, {"k": i}), 0)
    assert [index.evict_idle(IDLE, 4) for _ in range(4)] == [4, 4, 2, 0]


# ---- reading -------------------------------------------------------------------------------------


def test_the_first_of_point_scope_and_resource_that_has_a_key_decides() -> None:
    index = SeriesIndex()
    parts = {"resource": resource({"k": "r", "r": 1}), "scope": scope("l", "", {"k": "s", "s": 1})}
    ids = np.array(
        [
            resolve(index, {"k": "p"}, **parts),
            resolve(index, {"other": 1}, **parts),
            resolve(index, {}, resource=parts["resource"]),
            resolve(index, {}),
        ],
        np.uint32,
    )
    column = index.attribute_column(ids, "k")
    assert [index.string(number) if number else None for number in column] == [
        b"sp",
        b"ss",
        b"sr",
        None,
    ]
    assert list(index.attribute_column(ids, "never seen")) == [0] * 4
    one = index.find_string(b"i" + (1).to_bytes(8, "little"))
    assert list(index.attribute_column(ids, "r")) == [one, one, one, 0]
    assert index.find_string(b"sp") == column[0]
    assert index.find_string(b"snot there") == 0


def test_streams_are_told_apart_and_found_by_name() -> None:
    index = SeriesIndex()
    a = resolve(index, {"k": 1}, name=b"a", unit=b"s", kind=2, temporality=2, monotonic=1)
    b = resolve(index, {"k": 1}, name=b"a", unit=b"ms", kind=2, temporality=1, monotonic=1)
    c = resolve(index, {"k": 1}, name=b"c")
    streams = {(s[0], *s[1:5]): list(s[6]) for s in index.streams()}
    assert streams == {
        ("a", 2, 2, 1, "s"): [a],
        ("a", 2, 1, 1, "ms"): [b],
        ("c", 1, 0, 0, ""): [c],
    }
    assert {tuple(s[6]) for s in index.streams("a")} == {(a,), (b,)}
    assert index.streams("no such metric") == []


def test_the_memory_of_the_index_is_told() -> None:
    index = SeriesIndex()
    before = index.memory
    for i in range(500):
        resolve(index, {"k": f"{i:0100d}"})
    # A value of 100 bytes, the raw set with it, and the records of the series.
    assert 500 * 300 < index.memory - before < 500 * 1_600


# ---- failures ------------------------------------------------------------------------------------


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


# ---- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", (0xF, ALL))
@pytest.mark.parametrize("threads", (1, 4))
def test_threads_agree_on_one_id_a_set(threads: int, mask: int) -> None:
    """Overlapping new and known sets, each in an order of the thread's own; nothing is evicted."""
    index = SeriesIndex(hash_mask=mask)
    answers: list[dict[int, int]] = [{} for _ in range(threads)]
    errors: list[str] = []
    barrier = threading.Barrier(threads)

    def work(me: int) -> None:
        choose = random.Random(me)
        raws = []
        for i in range(150):
            pairs = [("k", i), ("half", i // 2), ("name", "x" * (i % 40))]
            choose.shuffle(pairs)
            raws.append(attributes(pairs))
        barrier.wait()
        previous = 0
        for step in range(1_500):
            i = choose.randrange(min(150, 10 + step // 8))
            body = resource({"service.name": f"s{i % 3}"})
            previous, _, _ = index.resolve(resource=body, attributes=raws[i], previous=previous)
            if answers[me].setdefault(i, previous) != previous:
                errors.append(f"set {i} had id {answers[me][i]}, then {previous}")

    workers = [threading.Thread(target=work, args=(me,)) for me in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    together = {(i, number) for answer in answers for i, number in answer.items()}
    assert len(together) == len({i for i, _ in together}) == len({number for _, number in together})
    assert index.counts["series"] == len(together)
    for i, number in together:
        assert index.identity(number)[6] == {"k": i, "half": i // 2, "name": "x" * (i % 40)}


@pytest.mark.parametrize("threads", (1, 3))
def test_an_id_always_leads_to_its_own_set_while_others_are_evicted(threads: int) -> None:
    """Each call holds an epoch while it uses what it found, as ingest does; all the while series
    are evicted, the drain passes and what is left over is given back."""
    index = SeriesIndex()
    errors: list[str] = []
    done = threading.Event()
    evicted = 0

    def work(me: int) -> None:
        choose = random.Random(me)
        previous = 0
        for _ in range(1_200):
            i = choose.randrange(40)
            slot = index.enter()
            previous = 0 if choose.random() < 0.1 else previous
            number, _, _ = index.resolve(
                resource=resource({"service.name": f"s{i % 5}"}),
                name=b"m%d" % (i % 3),
                attributes=attributes({"k": i}),
                previous=previous,
            )
            found = index.identity(number)
            if (found[0], found[5], found[6]) != (f"m{i % 3}", f"s{i % 5}", {"k": i}):
                errors.append(f"set {i} got series {number}, which is {found}")
            index.append(number, 1, i)
            index.publish(1)
            # `previous` is used by the next call without its epoch: a hint may be of any age.
            index.leave(slot)
            previous = number if index.is_live(number) else 0

    def sweep() -> None:
        nonlocal evicted
        choose = random.Random("sweep")
        position = 0
        while not done.is_set():
            slot = index.enter()
            for stream in index.streams():
                for number in stream[6]:
                    if index.is_live(number):
                        index.touch(number, choose.choice((0, 10_000)))
            index.leave(slot)
            evicted += index.evict_idle(IDLE)
            position += 7
            index.drain(position)
            index.reclaim()

    sweeper = threading.Thread(target=sweep)
    workers = [threading.Thread(target=work, args=(me,)) for me in range(threads)]
    sweeper.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.set()
    sweeper.join()
    assert errors == []
    assert evicted > 0
    live = {number for stream in index.streams() for number in stream[6].tolist()}
    assert index.counts["series"] == len(live)
    assert len({repr(index.identity(number)) for number in live}) == len(live)
