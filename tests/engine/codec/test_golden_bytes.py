"""Golden bytes: if these change, stores written before can no longer be read."""

import math
from typing import Any

import numpy as np
import pytest
from helpers import reference_codec as reference
from helpers.columns import START, Column, codec_of, reference_bytes, words


def golden(values: list[float] | list[int], text: str) -> Any:
    dtype = np.float64 if isinstance(values[0], float) else np.int64
    return pytest.param(np.array(values, dtype), text, id=f"{text[:12]}, {len(values)} values")


GOLDEN = [
    golden([7.0] * 3, "020e"),
    golden([0.1] * 480, "1202"),
    golden([math.pi] * 480, "01182d4454fb210940"),
    golden([5, 4, 3], "030a01"),
    golden([0.5, 1.0, 1.5, 2.0], "130a0a"),
    golden([math.pi, -math.e], "00182d4454fb2109406957148b0abf05c0"),
    golden([1.5, 2.25, 1.75, 2.0, 1.5, 0.25, 1.0, 3.5], "2412ac021900060901048022cd"),
    golden([i * i / 10 for i in range(20)], "140200020400"),
    golden([i * 100 + i * 7 % 5 for i in range(40)], "040100c20107000531026badb5d65a"),
    golden([i // 16 for i in range(64)], "040100004100000080008000800000"),
    golden([i // 97 + i // 331 * 2 for i in range(480)], "04010000020501076030f88403010108"),
    golden([(0, 1000, 1000000)[i * i % 3] for i in range(40)], "041000e807000101b66ddbb6016d"),
    golden(
        [4096 * (100 + i * i % 7) for i in range(20)],
        "04128080328020000209070007310aed7603",
    ),
    golden(
        [2**40 if i % 32 == 5 else i % 2 for i in range(96)],
        "040000030304002831f00004feffffff7f07000251922549922449922549922449922549922449",
    ),
    golden(
        [1 << i % 7 * 3 for i in range(70)],
        "0410020700030704000f327532994c0190ee02ffffffffff070006030272ba23a73b72ba23a73b72ba23"
        "a73b72ba23a73b72ba23a73b",
    ),
    golden(
        [0.25, math.nan, -0.0, 0.5, 0.75, 0.25, 0.5, math.inf, *[0.25] * 24],
        "250410321901010285a75555555555550700e803d10134070e06000000000000000000500000000000000002",
    ),
    golden(
        [i**0.5 for i in range(100, 140)],
        "06040680808080808080a48001e0a799c2a9e20ccbddb1898908eae6f4930ff3c8fc2ecaefc901f3d008"
        "01100000520ec01b5f283b34723fed49d953395dfd65546e2d76937da2842c8b82916e97029d5ea267a7"
        "21acc4b0f9b412b908bd99c02bc485c79acab8cd81d046d310e5d557d8",
    ),
    golden(
        [(-1) ** i * (i % 3 + 1) / 7 for i in range(24)],
        "070400c8a492c9a492c984ff01030604003531900214feffffffffff0f499224499224010318a3628c8a"
        "312ac6a8",
    ),
    golden(
        [(i / 9 - 3) ** 3 / 7 for i in range(48)],
        "65040bedebd603beb332d5dd03b012070004d11616a1a545bbbf45bbbf454b0b0600a001356064b0cd9f"
        "b55eb3c967ea9871b361004704405d6c3ecaf08f74b567d68cbb9cf10d8b8f1b577011590e838d0965bc"
        "28a0b3dbe14a0adc818ab7c274a86b13a6621bbfeeb749b7882cc376f7a24948e5b2305749905709838d"
        "09e7b2305754bc15bef3a854cd5b4496876a0038e32f15658ccbc25c0f01f8fe69eed8dc00f9b23057d2"
        "d260763c6969303b7eb434981d3f5a1acc8ed79785b9963b3637002200df3fc96561aef2978a32886a00"
        "38e92d22cb661e95aa53bc15269785b9a2c1c6844a905769cbc25c319a8474b4bbde22b2ac75bf4dc454"
        "6c23",
    ),
    golden(
        [i * i % 11 + i // 2 for i in range(130)],
        "040200021307000db386c806727a32c9a4273d9964d2939e4c32e9494f2699f4a427934c7ad293492601",
    ),
    golden([2**63 - 1, -(2**63), 0, -1], "0402feffffffffffffffff0102feffffffffffffffff0100"),
    golden(
        [START + i * 10**9 + i * i % 1000 for i in range(30)],
        "0402808080cb9aabe3ec3082a8d6b9070400",
    ),
    golden(
        [START + i * 10**9 + pow(7, i, 1009) for i in range(24)],
        "040790a8d6b9079cfdffca9aabe3ec30010bb388c534e213a1907d2b28f24118bcf01435c7f0e463c060"
        "a0ea58f2b99f4c0200",
    ),
    golden(
        [i * i * 7 % 1000 / 8 for i in range(30)],
        "341a007d000e1c0303010b00703e0000010200009040429224",
    ),
    golden(
        [START + i * 10**9 + i * i * 77 % 1000 for i in range(30)],
        "040a808080cb9aabe3ec309aa9d6b907b4020303010b00703e0000010290410640061900",
    ),
]


@pytest.mark.parametrize(("values", "text"), GOLDEN)
def test_golden_bytes(values: Column, text: str) -> None:
    assert codec_of(values).encode(values).hex() == text
    assert reference_bytes(values).hex() == text
    assert words(codec_of(values).decode(bytes.fromhex(text), len(values))) == words(values)


def test_golden_bytes_show_every_way_of_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tags of columns and streams; predictions and options of integer columns."""
    streams = set()
    write_stream = reference.write_stream

    def noted(tag: int, values: list[int]) -> bytes:
        streams.add(tag)
        return bytes(write_stream(tag, values))

    monkeypatch.setattr(reference, "write_stream", noted)
    for case in GOLDEN:
        assert reference_bytes(case.values[0]).hex() == case.values[1]
    assert streams >= {0, 1, 2, 3, 4} and streams & {5, 6, 7} and max(streams) >= 64
    columns = [bytes.fromhex(case.values[1]) for case in GOLDEN]
    assert {column[0] & 15 for column in columns} == set(range(8))
    # In ORDERED and ROTATED the column of integers has a tag of its own.
    inner = [column[1:] if column[0] & 15 >= 6 else column for column in columns]
    flags = {column[1] for column in inner if column[0] & 15 == 4}
    predictions = {flag & 7 for flag in flags}
    assert predictions >= {0, 1, 2, 7} and predictions & {3, 4, 5, 6}
    assert {flag >> 3 for flag in flags} >= {0, 1, 2}
