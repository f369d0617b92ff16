"""What a chunk is made of."""

from __future__ import annotations

import struct

import pytest
from helpers.chunk_cases import GAUGE, HISTOGRAM, WHOLE, Case, bits, own


def test_whole_chunks_show_every_form() -> None:
    flags = [struct.unpack_from("<IIHHI", case.data)[3] for _, case in WHOLE.values()]
    assert {f & 3 for f in flags} == {0, 1, 2}
    assert {f >> 2 & 7 for f in flags} == {0, 1, 2, 3, 4}
    assert {f >> 5 & 3 for f in flags} == {0, 1, 2, 3}
    assert {f >> 7 & 3 for f in flags} == {0, 1, 2, 3}
    assert {f >> 9 & 3 for f in flags} == {0, 2, 3}


# Golden bytes: the header, where the times are, the number of the layout (1), and columns.


def golden(kind: int, row: tuple[int, ...] = (), layout: tuple[int, ...] | None = None) -> Case:
    points = [(1000 + 10 * i, 900, 5 + i, 0, row) for i in range(4)]
    return own(kind, points, layout)


GOLDEN = {
    "own times": (
        golden(GAUGE),
        "00000000000000000400060020000000e803000000000000060400000000000003d00f14840300000000000006"
        "030a02",
    ),
    "a histogram": (
        golden(HISTOGRAM, (bits(2.5), 0, 0, 3, 2), (bits(1.0),)),
        "0000000000000000040006042a00000001000000e803000000000000060400000000000003d00f148403000000"
        "000000030a0219123202060204",
    ),
    "ticks": (
        WHOLE["ticks of one block"][1],
        "07000000e001000064000000120000001419460500020209070307310afe01401400",
    ),
    "a bitmap": (
        WHOLE["most ticks of one block"][1],
        "070000000b0000009800010043000000bd00efbdf7de7befbdf7de7befbdf7de7befbdf7de7befbdf71e141100"
        "05001307000c639847016b088d9009b1108e708446c88458084738422364422c84231ca11132",
    ),
}


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_bytes(name: str) -> None:
    case, text = GOLDEN[name]
    assert case.data.hex() == text
