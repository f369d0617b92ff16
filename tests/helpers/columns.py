"""Columns for the tests of the codecs: shapes that metrics have, and the reference's verdict on bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from drivers.column_codec import ColumnCodec
from numpy.typing import NDArray

from helpers import reference_codec as reference
from urpo_store.errors import CorruptionError

Column = NDArray[Any]

DOUBLES, INTS, TIMES = ColumnCodec("doubles"), ColumnCodec("ints"), ColumnCodec("times")
WORD = 2**64
START = 1_760_000_000_000_000_000


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
