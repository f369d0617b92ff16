"""The header of a chunk says what is in it, and contradicts neither itself nor its series."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.chunk_cases import (
    BLOCK,
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    SUMMARY,
    WHOLE,
    decide,
    with_header,
)

NAMES = sorted(WHOLE)


@pytest.mark.parametrize(
    "fields",
    [
        {"count": 0},
        {"count": BLOCK + 1},
        {"count": 0xFFFF},
        {"length": 0},
        {"length": 0xFFFFFFFF},
        {"flags": 0xFFFF},
        {"flags": 3},
        {"flags": 2 | 5 << 2},
        {"flags": 2 | 1 << 9},
        {"flags": 2 | 1 << 10},
        {"flags": 2 | 1 << 11},
        # Times of its own on a clock, and ticks without one.
        {"clock": 1},
        {"flags": 0},
    ],
    ids=str,
)
def test_a_header_that_contradicts_itself_is_refused(fields: dict[str, int]) -> None:
    assert not decide(with_header(WHOLE["doubles"][1], **fields))


@pytest.mark.parametrize("name", NAMES)
def test_a_chunk_of_another_kind_is_refused(name: str) -> None:
    case = WHOLE[name][1]
    for kind in (GAUGE, HISTOGRAM, EXPONENTIAL, SUMMARY):
        if (kind >= HISTOGRAM) != (case.kind >= HISTOGRAM):
            assert not decide(replace(case, kind=kind))
    if case.layout is None:
        assert not decide(replace(case, layout=(), row_words=3))
    else:
        assert not decide(replace(case, layout=None))
