"""The three levels: one id a set, whatever its order; never one id for two sets."""

import random
import threading
from typing import Any

import pytest
from drivers.series_index import SeriesIndex
from helpers.identity import attributes, resource, scope
from hypothesis import given, settings
from hypothesis import strategies as st

ALL = 0xFFFF_FFFF_FFFF_FFFF
BASE = {"service.name": "shop"}


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
