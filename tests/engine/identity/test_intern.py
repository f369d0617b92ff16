"""Interning: one id a key, ever; against a dict, with keys that are made to collide."""

import random
import threading

import pytest
from drivers.interner import Interner
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

#: Every key in one chain, a few chains, as many as there are hashes.
MASKS = (0, 0x3, 0xFFFF_FFFF_FFFF_FFFF)

# Few and alike, so that steps meet again; lengths on both sides of every step of the hash.
KEYS = [b"x" * n + tail for n in (0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 47, 63, 64, 200)
        for tail in (b"", b"\0", b"y")]  # fmt: skip


class AgainstDict(RuleBasedStateMachine):
    """`ids` is what must be known, `refs` how often; an epoch may be held meanwhile."""

    @initialize(mask=st.sampled_from(MASKS))
    def begin(self, mask: int) -> None:
        self.table = Interner(hash_mask=mask)
        self.ids: dict[bytes, int] = {}
        self.refs: dict[bytes, int] = {}
        self.limbo: set[int] = set()  # ids that were released
        self.held: set[int] = set()  # those of them that an epoch from before holds back
        self.slot: int | None = None

    @rule(key=st.sampled_from(KEYS))
    def intern(self, key: bytes) -> None:
        found = self.table.intern(key)
        assert found == self.ids.get(key, found)
        if key not in self.ids:
            assert found not in self.ids.values(), "an id in use was given to another key"
            assert found not in self.limbo, "an id was reused while it waits in limbo"
        self.ids[key] = found
        self.refs[key] = self.refs.get(key, 0) + 1

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.ids)))
        self.table.release(self.ids[key])
        self.refs[key] -= 1
        if not self.refs[key]:
            del self.refs[key]
            number = self.ids.pop(key)
            self.limbo.add(number)
            if self.slot is not None:
                self.held.add(number)

    @rule(key=st.sampled_from(KEYS))
    def find(self, key: bytes) -> None:
        assert self.table.find(key) == self.ids.get(key, 0)

    @rule(together=st.booleans(), copies=st.integers(1, 3))
    def find_all(self, together: bool, copies: int) -> None:
        assert self.table.find_all(KEYS * copies, together=together) == len(self.ids) * copies

    @precondition(lambda self: self.slot is None)
    @rule()
    def enter(self) -> None:
        self.slot = self.table.enter()

    @precondition(lambda self: self.slot is not None)
    @rule()
    def leave(self) -> None:
        assert self.slot is not None
        self.table.leave(self.slot)
        self.slot = None
        self.held.clear()

    @rule()
    def reclaim(self) -> None:
        self.table.reclaim()
        self.limbo &= self.held

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "ids"):
            assert len(self.table) == len(self.ids)
            assert {key: self.table.find(key) for key in self.ids} == self.ids
            assert {key: self.table.get(number) for key, number in self.ids.items()} == {
                key: key for key in self.ids
            }

    def teardown(self) -> None:
        if getattr(self, "slot", None) is not None:
            assert self.slot is not None
            self.table.leave(self.slot)


TestAgainstDict = AgainstDict.TestCase
TestAgainstDict.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)


@pytest.mark.parametrize("mask", MASKS)
def test_many_keys_keep_their_ids_while_the_table_grows_and_shrinks(mask: int) -> None:
    count = 400 if mask != MASKS[-1] else 20_000
    table = Interner(hash_mask=mask)
    keys = [b"key %d" % i for i in range(count)]
    ids = [table.intern(key) for key in keys]
    assert sorted(ids) == list(range(1, count + 1))
    for i in range(0, count, 2):
        table.release(ids[i])
    assert [table.find(key) for key in keys] == [0 if i % 2 == 0 else ids[i] for i in range(count)]
    table.reclaim()
    again = [table.intern(b"other %d" % i) for i in range(count // 2)]
    assert set(again) == set(ids[::2]), (
        "ids that left limbo are used again before new ones are made"
    )
    assert len(table) == count


def test_removed_keys_leave_no_trail_that_makes_look_ups_long() -> None:
    """A table that keeps few keys keeps few slots, however many have come and gone."""
    table = Interner()
    for i in range(20_000):
        table.release(table.intern(b"passing %d" % i))
        table.reclaim()
    assert len(table) == 0
    assert table.find(b"passing 7") == 0
    assert table.table_memory < 100_000


def test_an_id_waits_until_nobody_can_hold_it() -> None:
    table = Interner()
    first = table.intern(b"first")
    slot = table.enter()
    table.release(first)
    assert table.find(b"first") == 0
    assert table.reclaim() == 0
    assert table.get(first) == b"first", "who entered before may still read it"
    assert table.intern(b"second") != first
    table.leave(slot)
    assert table.reclaim() == 1
    assert table.get(first) is None
    assert table.intern(b"third") == first


def test_a_table_knows_its_own_size() -> None:
    table = Interner()
    empty = table.memory - table.table_memory
    keys = [random.Random(i).randbytes(8 + i % 40) for i in range(5_000)]
    for key in keys:
        table.intern(key)
    while table.reclaim():
        pass
    # The allocator rounds blocks up: by a word's size and its own alignment, at most 23 bytes each.
    assert 0 <= table.memory - table.table_memory - empty <= 24 * len(keys)


def test_releasing_what_is_not_in_use_raises() -> None:
    table = Interner()
    number = table.intern(b"k")
    table.release(number)
    for wrong in (0, number, 12345, 2**32 - 1):
        with pytest.raises(KeyError, match=str(wrong)):
            table.release(wrong)


def test_without_memory_the_table_is_as_before() -> None:
    """Every allocation fails once; nothing known is lost, and the next call succeeds."""
    for n in range(1, 12):
        table = Interner()
        known = {b"known %d" % i: table.intern(b"known %d" % i) for i in range(31)}
        before = table.memory
        table.fail_allocation(n)
        failures = 0
        for i in range(4):
            key = b"new %d" % i
            try:
                known[key] = table.intern(key)
            except MemoryError:
                failures += 1
                assert table.find(key) == 0
        table.fail_allocation(0)
        assert failures <= 1
        assert {key: table.find(key) for key in known} == known
        assert table.intern(b"after") not in known.values()
        assert table.memory >= before
    table = Interner()
    table.fail_allocation(1)
    with pytest.raises(MemoryError, match="3 bytes"):
        table.intern(b"abc")


def test_everything_released_is_given_back() -> None:
    table = Interner()
    table.release(table.intern(b"warm"))
    table.reclaim()
    before = table.table_memory
    numbers = [table.intern(b"%d" % i * 50) for i in range(30)]
    assert table.table_memory > before + 30 * 50
    for number in numbers:
        table.release(number)
    assert table.reclaim() == 30
    assert table.table_memory - before < 2_000  # the list of free ids


@pytest.mark.parametrize("mask", (0xF, MASKS[-1]))
@pytest.mark.parametrize("threads", (1, 4))
def test_threads_agree_on_every_id(mask: int, threads: int) -> None:
    """Each holds references to keys of its own choice, and compares what a key's id says.

    With one thread the scaffolding itself is shown to work.
    """
    table = Interner(hash_mask=mask)
    keys = [b"shared %d" % i for i in range(60)]
    anchor = {key: table.intern(key) for key in keys[:20]}  # these stay for good
    errors: list[str] = []
    barrier = threading.Barrier(threads)

    def work(seed: int) -> None:
        choose = random.Random(seed)
        held: list[tuple[bytes, int]] = []
        barrier.wait()
        for _ in range(4_000):
            key = choose.choice(keys)
            number = table.intern(key)
            held.append((key, number))
            if table.get(number) != key:
                errors.append(f"id {number} of {key!r} says {table.get(number)!r}")
            if key in anchor and number != anchor[key]:
                errors.append(f"{key!r} has two ids: {anchor[key]} and {number}")
            while len(held) > choose.randrange(8):
                key, number = held.pop(choose.randrange(len(held)))
                if table.find(key) != number:
                    errors.append(f"{key!r} lost its id {number} while it was held")
                table.release(number)
            if choose.random() < 0.05:
                table.reclaim()
        for _, number in held:
            table.release(number)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert len(table) == len(anchor)
    assert {key: table.find(key) for key in keys} == {key: anchor.get(key, 0) for key in keys}
