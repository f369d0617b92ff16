"""Columns come back bit for bit, as small as they should be, and bad bytes do no harm.

The reference in helpers/reference_codec.py must give the same bytes, and the same verdict on bad ones.
"""

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drivers.column_codec import ColumnCodec
from helpers import reference_codec as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from urpo_store.errors import CorruptionError

Column = NDArray[Any]

DOUBLES, INTS, TIMES = ColumnCodec("doubles"), ColumnCodec("ints"), ColumnCodec("times")
WORD = 2**64
START = 1_760_000_000_000_000_000
# Around the sizes of the codec: blocks of 32, samples of 32 and 64 values, chunks of 120 and 480.
LENGTHS = (
    1,
    2,
    3,
    4,
    31,
    32,
    33,
    34,
    63,
    65,
    66,
    67,
    119,
    120,
    121,
    479,
    480,
    481,
    1024,
    4095,
    4096,
)


def codec_of(values: Column) -> ColumnCodec:
    return DOUBLES if values.dtype == np.float64 else INTS


def words(values: Column) -> list[int]:
    return [int(word) for word in values.view(np.uint64)]


def round_trip(values: Column, codec: ColumnCodec | None = None) -> bytes:
    codec = codec or codec_of(values)
    data = codec.encode(values)
    assert len(data) <= 1 + 8 * len(values)
    back = codec.decode(data, len(values))
    assert back.dtype == values.dtype
    assert words(back) == words(values)
    return data


def reference_bytes(values: Column) -> bytes:
    if values.dtype == np.float64:
        return bytes(reference.encode_doubles(words(values)))
    return bytes(reference.encode_ints([int(value) for value in values]))


def reference_words(values: Column, data: bytes, count: int) -> list[int] | None:
    """What the reference decodes for a column of this dtype; None if it refuses."""
    try:
        if values.dtype == np.float64:
            return list(reference.decode_doubles(data, count))
        return [value % WORD for value in reference.decode_ints(data, count)]
    except (ValueError, IndexError):
        return None


def decoded_words(values: Column, data: bytes, count: int) -> list[int] | None:
    try:
        return words(codec_of(values).decode(data, count))
    except CorruptionError:
        return None


# Data in the shapes that metrics have, one for each way of writing a column.

Random = np.random.Generator


def decimal_walk(random: Random, n: int) -> Column:
    return np.round(20 + np.cumsum(random.normal(0, 0.3, n)), 1)


def with_specials(random: Random, n: int) -> Column:
    """Two decimals, and now and then something that is no decimal at all."""
    values = np.round(50 + random.normal(0, 20, n), 2)
    specials = np.array([np.nan, -0.0, np.inf, -np.inf, 5e-324, 1.7e308, 1 / 3])
    specials = np.append(specials, np.array([0x7FF0_0000_0000_0001], np.uint64).view(np.float64))
    chosen = random.random(n) < 0.03
    values[chosen] = random.choice(specials, chosen.sum())
    return values


def more_decimals_later(random: Random, n: int) -> Column:
    """Whole numbers wherever a sample looks first; thousandths between."""
    values = np.floor(random.random(n) * 100)
    values[n // 8 : n // 4] += 0.125
    return values


def distinct_few(random: Random, n: int) -> Column:
    return random.choice(np.array([3.0, 17.0, 65536.0, 1048576.0]), n)


def skewed(random: Random, n: int) -> Column:
    """Each number 1.6 times as frequent as the next, which makes codes long."""
    weights = 1.618 ** -np.arange(24)
    return random.choice(24, n, p=weights / weights.sum()).astype(np.int64)


SHAPES: dict[str, Callable[[Random, int], Column]] = {
    "constant": lambda random, n: np.full(n, 3.0),
    "constant, no decimal": lambda random, n: np.full(n, np.pi),
    "line": lambda random, n: START + np.arange(n) * 10**10,
    "counter": lambda random, n: np.cumsum(random.poisson(50, n)).astype(np.float64),
    "slow counter": lambda random, n: np.cumsum(random.random(n) < 0.02).astype(np.float64),
    "counter of floats": lambda random, n: np.cumsum(random.gamma(2, 25, n)),
    "one decimal": decimal_walk,
    "two decimals": lambda random, n: np.round(50 + random.normal(0, 20, n), 2),
    "averages": lambda random, n: np.round(random.random((n, 5)) * 10, 2).mean(axis=1),
    "specials": with_specials,
    "more decimals later": more_decimals_later,
    "pages": lambda random, n: np.round(3e5 + np.cumsum(random.normal(0, 60, n))) * 4096,
    "normal": lambda random, n: random.normal(0, 1, n),
    "ratio": lambda random, n: random.poisson(50, n) / (1 + random.poisson(1000, n)),
    "single precision": lambda random, n: random.normal(20, 3, n).astype(np.float32) * 1.0,
    "few distinct": distinct_few,
    "flag": lambda random, n: random.integers(0, 2, n),
    "small ints": lambda random, n: random.poisson(3, n),
    "skewed": skewed,
    "wandering size": lambda random, n: random.integers(0, 2 ** (1 + np.arange(n) // 32 % 50)),
    "any ints": lambda random, n: random.integers(-(2**63), 2**63 - 1, n),
    "any doubles": lambda random, n: random.integers(0, WORD - 1, n, np.uint64).view(np.float64),
    "schedule": lambda random, n: START + np.arange(n) * 10**9 + random.integers(0, 10**6, n),
    "drift": lambda random, n: START + np.cumsum(10**9 + random.integers(0, 10**6, n)),
    "sine": lambda random, n: 50 + 20 * np.sin(np.arange(n) / 50),
    "parabola": lambda random, n: np.arange(n) ** 2 * 977 + random.integers(0, 3, n),
}


def shape(name: str, n: int, seed: int = 1) -> Column:
    values = SHAPES[name](np.random.default_rng([seed, n]), n)
    return np.ascontiguousarray(values, np.float64 if values.dtype.kind == "f" else np.int64)


# Round trips


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_come_back(name: str) -> None:
    for n in LENGTHS:
        round_trip(shape(name, n))


def edges() -> list[int]:
    """Powers of two and their neighbours, of either sign, as 64-bit patterns."""
    near = {2**p + d for p in range(64) for d in (-1, 0, 1)}
    return sorted({x % WORD for x in near} | {-x % WORD for x in near})


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_every_edge_pattern_comes_back(dtype: Any) -> None:
    patterns = np.array(edges(), np.uint64)
    for column in (patterns, patterns[::-1], np.repeat(patterns, 3), np.cumsum(patterns)):
        round_trip(np.ascontiguousarray(column).view(dtype))
    for pattern in patterns:
        round_trip(np.full(5, pattern).view(dtype))
        round_trip(np.array([0, pattern, 1, 0, pattern], np.uint64).view(dtype))


EXTREME_INTS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    [-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 1, 2**53, -(2**53) - 1]
)
ANY_INTS = st.lists(EXTREME_INTS | st.integers(-9, 9), min_size=1, max_size=150)
ANY_DOUBLES = st.lists(
    st.floats(width=64) | st.integers(-999, 999).map(lambda x: x / 100), min_size=1, max_size=150
)


@settings(max_examples=200, deadline=None)
@given(ANY_INTS)
def test_any_ints_come_back_and_equal_the_reference(values: list[int]) -> None:
    column = np.array(values, np.int64)
    assert round_trip(column) == reference_bytes(column)


@settings(max_examples=200, deadline=None)
@given(ANY_DOUBLES)
def test_any_doubles_come_back_and_equal_the_reference(values: list[float]) -> None:
    column = np.array(values, np.float64)
    assert round_trip(column) == reference_bytes(column)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_equal_the_reference(name: str) -> None:
    for n in (1, 2, 3, 33, 67, 120, 480):
        column = shape(name, n)
        data = codec_of(column).encode(column)
        assert data == reference_bytes(column)
        assert reference_words(column, data, n) == words(column)


def test_codes_are_limited_to_12_bits_as_in_the_reference() -> None:
    """Counts like the Fibonacci numbers make Huffman's longest codes: 15 bits for 16 symbols."""
    counts = [1, 1]
    while len(counts) < 16:
        counts.append(counts[-2] + counts[-1])
    assert max(reference.code_lengths({s: c for s, c in enumerate(counts[:13])}).values()) == 12
    assert max(reference.code_lengths(dict(enumerate(counts))).values()) == 12
    column = np.repeat(np.arange(16), counts[::-1])
    np.random.default_rng(1).shuffle(column)
    data = round_trip(column)
    assert data == reference_bytes(column)
    # Without a limit the code would take: 1 bit for the most frequent, 2 for the next, ...
    assert len(data) < sum(c * (min(i, 14) + 1) for i, c in enumerate(counts[::-1])) / 8 * 1.02


def test_times_are_written_like_ints() -> None:
    times = shape("schedule", 480)
    assert round_trip(times, TIMES) == round_trip(times, INTS)


# Sizes, in bytes a value


@pytest.mark.parametrize(
    ("name", "n", "most"),
    [
        ("constant", 480, 2 / 480),
        ("constant, no decimal", 480, 9 / 480),
        ("line", 480, 15 / 480),
        ("counter", 480, 0.67),
        ("counter", 1024, 0.67),
        ("slow counter", 480, 0.06),
        ("slow counter", 1024, 0.04),
        ("counter of floats", 1024, 5.8),
        ("one decimal", 480, 0.53),
        ("two decimals", 1024, 1.68),
        ("averages", 480, 1.75),
        ("pages", 1024, 1.06),
        ("normal", 1024, 7.03),
        ("ratio", 1024, 6.56),
        ("single precision", 480, 2.97),
        ("few distinct", 480, 0.31),
        ("flag", 480, 0.15),
        ("small ints", 480, 0.39),
        ("any ints", 480, 8 + 1 / 480),
        ("any doubles", 480, 8 + 1 / 480),
        ("sine", 480, 2.8),
        ("parabola", 480, 0.45),
    ],
)
def test_size(name: str, n: int, most: float) -> None:
    sizes = [len(round_trip(shape(name, n, seed))) / n for seed in range(5)]
    assert sum(sizes) / len(sizes) <= most


@pytest.mark.parametrize("value", [0.0, 7.0, -63.0])
def test_a_constant_small_number_takes_two_bytes(value: float) -> None:
    assert len(round_trip(np.full(480, value))) == 2
    assert len(round_trip(np.full(480, int(value)))) == 2


def test_jitter_of_a_millisecond_takes_22_bits_and_a_half() -> None:
    random = np.random.default_rng(5)
    times = START + np.arange(480) * 10**9 + random.normal(0, 1.05e6, 480).astype(np.int64)
    assert len(round_trip(times, TIMES)) <= 480 * 2.82


# Golden bytes: if these change, stores written before can no longer be read.


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


# Bad bytes


# Columns of few numbers, and of so many that they are coded in halves.
@pytest.mark.parametrize("count", [120, 160])
@pytest.mark.parametrize("name", SHAPES)
def test_every_truncation_is_refused(name: str, count: int) -> None:
    column = shape(name, count)
    data = codec_of(column).encode(column)
    for end in range(len(data)):
        assert decoded_words(column, data[:end], count) is None
    assert decoded_words(column, data + b"\0", count) is None


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutated_bytes_are_read_as_the_reference_reads_them(draw: st.DataObject) -> None:
    column = shape(
        draw.draw(st.sampled_from(sorted(SHAPES))), draw.draw(st.integers(3, 60) | st.just(160))
    )
    data = bytearray(codec_of(column).encode(column))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, min(len(data) - 1, 40)))
        data[at] = draw.draw(st.integers(0, 255))
    count = draw.draw(st.sampled_from([len(column), len(column) + 1, 1, 2]))
    found = decoded_words(column, bytes(data), count)
    assert found == reference_words(column, bytes(data), count)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"", b"\x04\x00\x00", b"\x05\x02\x00", b"\x04\x01\x00\x00\x03\x02"]),
    st.binary(max_size=120),
    st.integers(1, 200),
    st.sampled_from([np.float64, np.int64]),
)
def test_random_bytes_are_read_as_the_reference_reads_them(
    head: bytes, rest: bytes, count: int, dtype: Any
) -> None:
    column = np.zeros(1, dtype)
    found = decoded_words(column, head + rest, count)
    assert found == reference_words(column, head + rest, count)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("bins", [*range(4, 8), *range(64, 129)])
def test_every_width_of_bins_is_read_as_the_reference_reads_it(bins: int) -> None:
    """One bin only, so that any bytes are rests; whole, a byte short and a byte too long."""
    chance = np.random.default_rng(bins)
    column = np.zeros(1, np.int64)
    for symbol in (0, 1, 3, 65, 130, 260, 511):
        width = bins - 64 if bins >= 64 else max((symbol >> (bins - 4)) - 1, 0)
        for count in (1, 2, 3, 4, 5, 9, 40, 200):
            data = b"\x04\x00\x00" + bytes([bins]) + varint(symbol) + b"\x00"
            data += chance.bytes((count * width + 7) // 8)
            for each in (data, data[:-1], data + b"x"):
                found = decoded_words(column, each, count)
                assert found == reference_words(column, each, count)
    if bins == 128:
        # A bin of 64 bits is the only one.
        assert decoded_words(column, b"\x04\x00\x00\x80\x01\x00" + bytes(16), 2) is None


# The Python surface


def test_what_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'floats'"):
        ColumnCodec("floats")
    with pytest.raises(ValueError, match="float64"):
        INTS.encode(np.zeros(3))
    for bad in (np.zeros(0), np.zeros(4097), np.zeros((2, 2))):
        with pytest.raises(ValueError, match="1 to 4096"):
            DOUBLES.encode(bad)
    with pytest.raises(ValueError, match="1 to 4096"):
        DOUBLES.decode(b"\x02\x00", 4097)
    with pytest.raises(CorruptionError, match="no column of 2 values"):
        DOUBLES.decode(b"\x00" + struct.pack("<d", 1.0), 2)


def test_columns_of_views_are_encoded_as_what_they_show() -> None:
    values = np.arange(20, dtype=np.float64)
    assert DOUBLES.encode(values[::3]) == DOUBLES.encode(values[::3].copy())
