"""Counted memory: what is owned is counted, and the n-th call can be made to fail."""

import threading

import pytest
from drivers.blocks import CountedBlocks


def test_what_is_owned_is_counted() -> None:
    blocks = CountedBlocks()
    assert blocks.alloc(1, 1000)
    # The C library rounds up, and what it really gives is what counts.
    assert 1000 <= blocks.bytes < 1064
    one = blocks.bytes
    assert blocks.calloc(2, 500) == bytes(500)
    assert one + 500 <= blocks.bytes < one + 564
    blocks.free(1)
    assert 500 <= blocks.bytes < 564
    blocks.free(2)
    assert (blocks.bytes, blocks.calls) == (0, 2)


def test_giving_back_nothing_is_nothing() -> None:
    blocks = CountedBlocks()
    blocks.free(5)
    assert (blocks.bytes, blocks.calls) == (0, 0)


def test_another_size_is_counted_and_keeps_the_content() -> None:
    blocks = CountedBlocks()
    assert blocks.realloc(1, 16)  # of no block: a new one
    blocks.fill(1, b"0123456789abcdef")
    for size in (100_000, 16):
        assert blocks.realloc(1, size)
        assert size <= blocks.bytes < size + 4096
        assert blocks.content(1, 16) == b"0123456789abcdef"
    assert blocks.calls == 3


def test_no_bytes_are_a_block_too() -> None:
    blocks = CountedBlocks()
    assert blocks.alloc(1, 0)
    assert blocks.calloc(2, 0) == b""
    assert blocks.realloc(1, 0)
    assert blocks.bytes > 0


def test_the_call_that_fails_is_the_one_asked_for_and_changes_nothing() -> None:
    blocks = CountedBlocks(fail_at=3)
    assert blocks.alloc(1, 100)
    assert blocks.alloc(2, 100)
    owned = blocks.bytes
    assert not blocks.alloc(3, 100)
    assert blocks.bytes == owned
    assert blocks.alloc(3, 100)
    assert blocks.calls == 4
    assert CountedBlocks(fail_at=1).calloc(1, 10) is None


def test_a_block_outlives_a_failed_change_of_size() -> None:
    blocks = CountedBlocks(fail_at=2)
    assert blocks.alloc(1, 4)
    blocks.fill(1, b"kept")
    owned = blocks.bytes
    assert not blocks.realloc(1, 1 << 20)
    assert blocks.content(1, 4) == b"kept"
    assert blocks.bytes == owned


def test_an_array_doubles_and_never_shrinks() -> None:
    blocks = CountedBlocks()
    assert [blocks.grow(n, 8) for n in (1, 8, 9, 17, 5, 100)] == [8, 8, 16, 32, 32, 128]
    assert blocks.calls == 4  # only when it grew
    assert 128 * 8 <= blocks.bytes < 128 * 8 + 64


def test_an_array_that_cannot_grow_is_as_before() -> None:
    blocks = CountedBlocks(fail_at=2)
    assert blocks.grow(8, 4) == 8
    blocks.fill(0, bytes(range(32)))
    assert blocks.grow(9, 4) is None
    assert blocks.content(0, 32) == bytes(range(32))
    assert blocks.grow(9, 4) == 16
    assert blocks.content(0, 32) == bytes(range(32))


@pytest.mark.parametrize("needed", [2**63, 2**64 - 1, 2**60])
def test_a_size_that_no_memory_has_is_refused(needed: int) -> None:
    blocks = CountedBlocks()
    assert blocks.grow(needed, 32) is None
    assert blocks.bytes == 0


def test_threads_share_an_account() -> None:
    blocks = CountedBlocks()
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for size in range(1, 500):
            blocks.alloc(number, size)
            blocks.free(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (blocks.bytes, blocks.calls) == (0, 4 * 499)
