"""Pages lead from an id to an address; here, which ids they take, and what they do without memory."""

from __future__ import annotations

import pytest
from drivers.pages import Pages

PAGE = 4096
LAST = PAGE * PAGE - 1


def test_what_was_put_is_found_and_nothing_else() -> None:
    pages = Pages()
    ids = [1, 2, PAGE - 1, PAGE, PAGE + 1, 7 * PAGE + 5, LAST - 1, LAST]
    for id in ids:
        assert pages.get(id) == 0
    for id in ids:
        assert pages.put(id, id * 8)
    for id in ids:
        assert pages.get(id) == id * 8
    # Neighbours on pages that are there, and an id whose page is not.
    for id in (0, 3, PAGE + 2, 7 * PAGE + 4, 9 * PAGE):
        assert pages.get(id) == 0


def test_another_address_takes_the_place_of_the_first() -> None:
    pages = Pages()
    pages.put(5, 8)
    pages.put(5, 16)
    assert pages.get(5) == 16
    pages.put(5, 0)
    assert pages.get(5) == 0


def test_a_page_is_made_once_and_only_for_ids_that_it_has() -> None:
    pages = Pages()
    root = pages.bytes
    pages.put(1, 8)
    page = pages.bytes - root
    assert page >= 8 * PAGE
    pages.put(PAGE - 1, 8)
    assert pages.bytes == root + page
    pages.put(PAGE, 8)
    assert pages.bytes == root + 2 * page


def test_without_memory_there_is_no_root_or_no_page() -> None:
    with pytest.raises(MemoryError):
        Pages(fail_at=1)
    pages = Pages(fail_at=3)
    assert pages.put(1, 8)
    assert not pages.put(PAGE, 16)
    assert pages.get(1) == 8 and pages.get(PAGE) == 0
    # Nothing is half made: the next attempt succeeds.
    assert pages.put(PAGE, 16)
    assert pages.get(PAGE) == 16


def test_root_and_pages_are_given_back() -> None:
    pages = Pages()
    for id in range(1, LAST, 100 * PAGE):
        assert pages.put(id, 8)
    assert pages.close() == 0
    assert pages.close() == 0
