"""The keyed hash: every bit counts, and nobody outside can make keys collide."""

import random

import pytest
from drivers.interner import Interner


def test_hashes_are_keyed() -> None:
    keys = [b"key %d" % i for i in range(1_000)]
    one, other = Interner(), Interner()
    assert sum(one.hash(key) == other.hash(key) for key in keys) == 0


@pytest.mark.parametrize("size", (16, 24, 32, 40, 64, 100))
def test_no_block_of_bytes_swallows_what_stands_beside_it(size: int) -> None:
    """Constants that make an operand of an unkeyed multiplication zero do nothing here.

    The first is wyhash's own secret; with zeros an operand without any secret is zero.
    """
    table = Interner()
    for block in (bytes.fromhex("db28b4a0d17e03e7"), bytes(8), b"\xff" * 8):
        for at in range(0, size - 7, 8):
            keys = []
            for i in range(200):
                key = bytearray(i.to_bytes(2, "little") * (size // 2))
                key[at : at + 8] = block
                keys.append(bytes(key))
            assert len({table.hash(key) for key in keys}) == len(keys)


@pytest.mark.parametrize("rest", (b"", b"x", b"and sixteen more", b"y" * 40))
def test_parts_of_a_key_that_are_alike_do_not_cancel_each_other_out(rest: bytes) -> None:
    """The prefix of a series' raw key can be guessed, and its bytes are the sender's."""
    table = Interner()
    blocks = [random.Random(i).randbytes(16) for i in range(200)]
    swapped = [block[8:] + block[:8] for block in blocks]
    fixed = b"sixteen of these"
    for other in (blocks, swapped):
        pairs = list(zip(blocks, other, strict=True))
        for found in (
            {table.hash(same + fixed + rest, block) for block, same in pairs},
            {table.hash(fixed + same + rest, block) for block, same in pairs},
            {table.hash(block + same + rest) for block, same in pairs},
            {table.hash(block + fixed + same + fixed + rest) for block, same in pairs},
            {table.hash(fixed + block + fixed + same + rest) for block, same in pairs},
            {table.hash(fixed * 2 + same + fixed + rest, block) for block, same in pairs},
        ):
            assert len(found) == len(blocks)


def test_every_bit_of_a_key_moves_about_half_of_the_hash() -> None:
    table = Interner()
    for size in (1, 5, 8, 13, 16, 31, 32, 45, 96):
        key = random.Random(size).randbytes(size)
        moved = []
        for bit in range(8 * size):
            other = bytearray(key)
            other[bit // 8] ^= 1 << bit % 8
            moved.append((table.hash(key) ^ table.hash(bytes(other))).bit_count())
        assert min(moved) >= 8
        assert 24 < sum(moved) / len(moved) < 40


def test_keys_that_differ_only_in_zeros_or_length_are_different() -> None:
    table = Interner()
    keys = [b"\0" * n for n in range(100)]
    assert len({table.intern(key) for key in keys}) == len(keys)


def test_one_bit_anywhere_makes_another_key() -> None:
    """All in one chain with the same hash, so that the comparison alone tells them apart."""
    for size in (*range(1, 36), 47, 48, 49, 100):
        table = Interner(hash_mask=0)
        key = random.Random(size).randbytes(size)
        known = table.intern(key)
        for at in range(size):
            other = key[:at] + bytes([key[at] ^ 1 << at % 8]) + key[at + 1 :]
            assert table.find(other) == 0
        assert table.find(bytes(bytearray(key))) == known
