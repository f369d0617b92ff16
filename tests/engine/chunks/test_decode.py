"""A whole chunk gives its points; any other bytes are refused, without a read or write outside.

The driver puts chunk, ticks and work memory in blocks of exactly their size, so that `make sanitize`
sees what is read or written behind them.
"""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from helpers.chunk_cases import (
    BLOCK,
    GAUGE,
    HEADER,
    WHOLE,
    Case,
    Point,
    damaged_spans,
    decide,
    driver,
    own,
    pack,
    points_of,
    unpack,
    with_clock,
    with_header,
)
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = sorted(WHOLE)


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_chunk_gives_its_points(name: str) -> None:
    points, case = WHOLE[name]
    assert case.decode() == points
    assert decide(case)
    assert unpack(pack(case)) == case


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation_is_refused(name: str) -> None:
    case = WHOLE[name][1]
    for end in range(len(case.data)):
        assert not decide(replace(case, data=case.data[:end]))
        if end >= HEADER:
            # The same bytes, but with a header that says so.
            cut = replace(case, data=case.data[:end])
            assert not decide(with_header(cut, length=end - HEADER))


@pytest.mark.parametrize("name", NAMES)
def test_bytes_behind_the_last_column_are_refused(name: str) -> None:
    case = WHOLE[name][1]
    longer = replace(case, data=case.data + b"\0")
    # Room behind the chunk is not the chunk's.
    assert longer.decode() == case.decode()
    assert not decide(with_header(longer, length=len(case.data) - HEADER + 1))


@pytest.mark.parametrize("name", NAMES)
def test_flipped_bits_do_no_harm(name: str) -> None:
    case = WHOLE[name][1]
    for at in range(min(len(case.data), 120)):
        for bit in range(8):
            data = bytearray(case.data)
            data[at] ^= 1 << bit
            decide(replace(case, data=bytes(data)))


@pytest.mark.parametrize("name", [n for n in NAMES if WHOLE[n][1].layout is not None])
def test_a_layout_of_another_width_does_no_harm(name: str) -> None:
    case = WHOLE[name][1]
    for words in range(20):
        decide(replace(case, row_words=words))


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("histogram", (1, 2, 3, 4, 5, 6, 7)),  # bounds for eight buckets, rows with five
        ("histogram", ()),
        ("exponential", (3 | 9 << 32, 0)),  # more positive counts than the row has words
        ("exponential", (3,)),
        ("summary", (1, 2, 3)),
    ],
)
def test_rows_that_do_not_fit_their_layout_are_refused(name: str, layout: tuple[int, ...]) -> None:
    case = WHOLE[name][1]
    assert decide(case)
    assert not decide(replace(case, layout=layout))


def test_more_row_words_than_the_chunk_has_bits_for_are_refused() -> None:
    case = WHOLE["histogram"][1]
    words = 8 * len(case.data)
    assert not decide(replace(case, layout=(0,) * (words - 4), row_words=words))


@pytest.mark.parametrize("times", [(10, 50, 20, 60), (10, 10, 20, 60), (10, 20, 60, 60)])
def test_times_that_do_not_ascend_are_refused(times: tuple[int, ...]) -> None:
    assert not decide(own(GAUGE, points_of(times, [0] * 4)))
    ticks = struct.pack("<4q", *times)
    whole, case = clocked_by(range(10, 50, 10))
    assert case.decode() == whole
    assert not decide(replace(case, spans=((ticks, 4, True),)))


def clocked_by(times: range) -> tuple[list[Point], Case]:
    points = points_of(times, [0] * len(times))
    return points, with_clock(GAUGE, points, list(range(len(times))), list(times))


def test_ends_that_are_not_those_of_the_column_are_refused() -> None:
    case = WHOLE["doubles"][1]
    for at in (HEADER, HEADER + 8):
        data = bytearray(case.data)
        data[at] ^= 1
        assert not decide(replace(case, data=bytes(data)))


@pytest.mark.parametrize("name", ["doubles", "some ticks of many blocks", "exponential"])
def test_no_memory_is_not_bad_bytes(name: str) -> None:
    points, case = WHOLE[name]
    failed = 0
    for n in range(1, 100):
        driver.fail_at(n)
        try:
            found = case.decode()
        except MemoryError:
            failed += 1
            continue
        finally:
            driver.fail_at(0)
        assert found == points
        break
    assert failed >= 3


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.sampled_from(NAMES), st.integers(0, 2**32), st.integers(1, 6))
def test_mutated_chunks_do_no_harm(name: str, seed: int, changes: int) -> None:
    chance = np.random.default_rng(seed)
    case = WHOLE[name][1]
    data = bytearray(case.data)
    for _ in range(changes):
        # Most of what decides is at the beginning.
        end = len(data) if chance.random() < 0.5 else min(len(data), 48)
        data[int(chance.integers(8, end))] = int(chance.integers(256))
    decide(replace(case, data=bytes(data)))
    # The same with a header that is whole.
    decide(replace(case, data=case.data[:HEADER] + bytes(data[HEADER:])))
    if case.spans:
        decide(damaged_spans(case, chance))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.sampled_from(NAMES),
    st.binary(max_size=200),
    st.integers(1, BLOCK),
    st.integers(0, 2**11 - 1),
)
def test_random_columns_behind_a_sound_header_do_no_harm(
    name: str, rest: bytes, count: int, flags: int
) -> None:
    case = WHOLE[name][1]
    case = replace(case, data=case.data[:HEADER] + rest)
    decide(with_header(case, length=len(rest), count=count))
    decide(with_header(case, length=len(rest), count=count, flags=flags))
