"""Each layout is stored once, under a number that is given again only when it is free."""

from __future__ import annotations

import pytest
from drivers.layouts import Layouts
from hypothesis import given
from hypothesis import strategies as st


def test_equal_layouts_are_one_and_counted() -> None:
    table = Layouts()
    one = table.intern((1, 2, 3), 7)
    assert table.intern((1, 2, 3), 7) == one
    assert table.get(one) == ((1, 2, 3), 7, 2)
    # Other words, and the same words for rows of another width.
    others = {table.intern((1, 2, 4), 7), table.intern((1, 2, 3), 8), table.intern((), 0)}
    assert len(others - {one}) == 3 and table.count == 4
    table.release(one)
    table.release(one)
    assert table.get(one) is None and table.count == 3
    assert table.close() == 0


def test_there_is_no_layout_of_number_0_nor_of_one_that_was_never_given() -> None:
    table = Layouts()
    assert table.get(0) is None and table.get(5) is None
    assert table.intern((9,), 1) == 1
    assert table.get(0) is None and table.get(2) is None and table.get(2**32 - 1) is None
    assert table.close() == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=200))
def test_numbers_are_like_a_dict(steps: list[tuple[bool, int]]) -> None:
    table = Layouts()
    held: dict[int, list[int]] = {}  # number: [word, references]
    for add, word in steps:
        if add:
            number = table.intern((word,), 4)
            entry = held.setdefault(number, [word, 0])
            assert entry[0] == word
            entry[1] += 1
        elif held:
            number = sorted(held)[word % len(held)]
            table.release(number)
            held[number][1] -= 1
            if held[number][1] == 0:
                del held[number]
        assert table.count == len(held)
    for number, (word, references) in held.items():
        assert table.get(number) == ((word,), 4, references)
    # Numbers are used again: they stay below what was held at once.
    assert max(held, default=0) <= 31
    assert table.close() == 0


def test_no_memory_leaves_the_table_as_it_was() -> None:
    table = Layouts()
    failed = 0
    for n in range(1, 10):
        table.fail_at(n)
        try:
            number = table.intern((5, 6), 3)
        except MemoryError:
            failed += 1
            assert table.count == 0 and table.get(1) is None
        else:
            assert number == 1
            break
    table.fail_at(0)
    assert failed >= 3
    assert table.close() == 0
    with pytest.raises(OverflowError):
        table.get(-1)
